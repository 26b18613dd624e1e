/**
 * What the build does to the code under test: a counter on every edge, and the same results.
 */
import { describe, expect, it } from 'vitest';
import * as runtime from '../../src/fuzz/engine/edge-counters.ts';

const SCRIPT = new URL('../../scripts/edge-counters.mjs', import.meta.url).href;

type Code = (...args: unknown[]) => unknown;
interface Instrumented {
  readonly code: string;
  readonly edges: number;
  readonly comparisons: number;
}
type WithEdgeCounters = (code: string, options: { runtime: string; hasValues?: boolean }) => Instrumented;

const { withEdgeCounters } = (await import(SCRIPT)) as { withEdgeCounters: WithEdgeCounters };
const { EDGE_COUNTERS } = runtime;

/** The function `f` that a module exports. */
function functionOf(code: string): Code {
  const [names, values] = [Object.keys(runtime), Object.values(runtime)];
  const body = code.replace(/^import .*\n/, '').replace('export ', '');
  return new Function(...names, `${body}\nreturn f;`)(...values) as Code;
}

/** The same instrumented: its result, and the counts of the module's edges. */
function instrumented(code: string, hasValues = false) {
  const made = withEdgeCounters(code, { runtime: 'counters', hasValues });
  const before = EDGE_COUNTERS.edges;
  const f = functionOf(made.code);
  const counters = EDGE_COUNTERS.counters().subarray(before);
  expect(counters.length).toBe(made.edges);
  const run = (...args: unknown[]) => {
    counters.fill(0);
    return { result: f(...args), counts: [...counters] };
  };
  return { ...made, run };
}

describe('edge counters', () => {
  it.each<[string, string, number, unknown[], unknown[]]>([
    ['an else that nobody wrote', 'export function f(a) { if (a) return 1; return 2; }', 3, [1], [0]],
    ['an else', 'export function f(a) { if (a) return 1; else return 2; }', 3, [1], [0]],
    [
      'if in if at one end',
      'export function f(a, b) { if (a) if (b) return 1; return 2; }',
      5,
      [1, 1],
      [1, 0],
    ],
    [
      'else if',
      'export function f(a) { if (a > 2) return 1; else if (a > 1) return 2; return 3; }',
      5,
      [2],
      [1],
    ],
    ['a conditional expression', 'export const f = (a) => a ? { x: 1 } : [2];', 3, [1], [0]],
    ['the right side of &&', 'export const f = (a, b) => a && b;', 2, [1, 2], [0, 2]],
    ['the right side of ??', 'export const f = (a, b) => a ?? (b || 3);', 3, [null, 0], [1, 0]],
    [
      'cases',
      "export function f(a) { switch (a) { case 1: return 'x'; case 2: { break; } } return 'y'; }",
      4,
      [2],
      [3],
    ],
    [
      'an empty default',
      'export function f(a) { switch (a) { case 1: return 2; default: } return 3; }',
      3,
      [1],
      [2],
    ],
    [
      'a loop without a block',
      'export function f(a) { let n = 0; while (n < a) n++; return n; }',
      2,
      [3],
      [0],
    ],
    ['for … of', 'export function f(a) { for (const x of a) if (x) return x; return 0; }', 4, [[1]], [[]]],
    [
      'catch',
      'export function f(a) { try { return a.b.c; } catch { return 0; } }',
      2,
      [{}],
      [{ b: { c: 1 } }],
    ],
    [
      'a method',
      'class A { #p(a) { return a ? 1 : 2; } m(a) { return this.#p(a); } }\nexport const f = (a) => new A().m(a);',
      5,
      [1],
      [0],
    ],
  ])('tell the ways through %s apart, and change no result', (_what, code, edges, one, other) => {
    const plain = functionOf(code);
    for (const hasValues of [false, true]) {
      const { run, edges: made } = instrumented(code, hasValues);
      expect(made).toBe(edges);
      expect(run(...one).result).toEqual(plain(...one));
      expect(run(...other).result).toEqual(plain(...other));
      expect(run(...one).counts).not.toEqual(run(...other).counts);
      expect(run(...one).counts).toEqual(run(...one).counts);
    }
  });

  it('report how far the numbers of a comparison are apart, and leave other comparisons alone', () => {
    const code =
      "export const f = (a, b) => [a === 0x1234, a < b + 1, a === null, typeof a === 'number', (a === 1) === (b === 1)];";
    const { comparisons, run } = instrumented(code, true);
    expect(comparisons).toBe(5);
    const distances = (a: unknown, b: unknown): number => {
      EDGE_COUNTERS.takeDistances(() => {});
      run(a, b);
      let count = 0;
      EDGE_COUNTERS.takeDistances(() => count++);
      return count;
    };
    expect(run(0x1234, 5).result).toEqual([true, false, false, true, true]);
    expect(distances(0x1234, 5)).toBe(4);
    expect(distances('x', 5)).toBe(1);
  });
});
