/**
 * Target `jit`: random programs in every mode, under a timer's interrupts, on a board that interprets and on one that generates code
 * for all that it meets. Compared are registers, flags, time and how the run ended after every slice, and everything else
 * (boards/differences.ts) after every program.
 */
import { EmulatorError } from '../../errors.ts';
import type { ExportFormat, FuzzTarget, ReplayVerdict, Reproducer } from '../engine/fuzz-target.ts';
import { type EngineProgram, makeEngineProgram } from '../jit/program.ts';
import { shrinkEngineProgram } from '../jit/shrink.ts';
import { programFromText, programToText } from '../jit/text.ts';
import { EngineTwins } from '../jit/twins.ts';
import { Prng } from '../prng.ts';

/** Seen from test/regressions/. */
const TARGET_MODULE = '../../src/fuzz/targets/jit.ts';

/** See the opening comment. */
export class JitTarget implements FuzzTarget {
  readonly name = 'jit';
  readonly #random = new Prng(0, 0);
  #twins = new EngineTwins();

  run(seed: number, run: number): readonly string[] {
    return this.#twins.run(this.#program(seed, run))?.lines ?? [];
  }

  takeCounts(): Readonly<Record<string, number>> {
    const { counts } = this.#twins;
    const taken = { ...counts };
    counts.blocks = 0;
    counts.functions = 0;
    counts.ticks = 0;
    return taken;
  }

  async reproduce(seed: number, run: number): Promise<Reproducer> {
    const program = this.#program(seed, run);
    const before = this.#twins.run(program)?.lines ?? [];
    const small = shrinkEngineProgram(program);
    const differences = new EngineTwins().run(small)?.lines;
    // What earlier programs left matters: rare, and then the whole shard is what reproduces it.
    const lines = differences ?? [...before, 'not on new boards'];
    this.#twins = new EngineTwins();
    return { lines: programToText(small, seed, run), differences: lines };
  }

  replay(text: string): ReplayVerdict {
    const difference = new EngineTwins().run(programFromText(text));
    return { isJudged: true, differences: difference?.lines ?? [] };
  }

  export(text: string, format: ExportFormat): readonly string[] {
    const program = programFromText(text);
    if (format !== 'vitest') throw new EmulatorError('E_ARGUMENT', `${this.name} has no form "${format}"`);
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    return [
      "import { expect, it } from 'vitest';",
      `import { JitTarget } from '${TARGET_MODULE}';`,
      '',
      `it('does the same in both engines: ${program.items.length} items, ${program.mode}', () => {`,
      '  const verdict = new JitTarget().replay(`',
      ...lines,
      '`);',
      '  expect(verdict.differences).toEqual([]);',
      '});',
    ];
  }

  #program(seed: number, run: number): EngineProgram {
    this.#random.reseed(seed, run);
    return makeEngineProgram(this.#random);
  }
}
