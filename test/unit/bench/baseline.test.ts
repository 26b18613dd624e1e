import { describe, expect, it } from 'vitest';
import {
  compareWithBaseline,
  readBaseline,
  requireCommonRows,
  slowdowns,
} from '../../../src/bench/report/baseline.ts';
import { benchRow } from '../../../src/bench/report/report.ts';
import { OUT, reportOf, START } from './report-fixture.ts';

const fast = benchRow(OUT, [20e6], []);
const long = benchRow(START, [200], []);

describe('readBaseline', () => {
  it('reads what --json printed', () => {
    const baseline = readBaseline(JSON.stringify(reportOf([fast, long])), 'before.json');
    expect([...baseline]).toEqual([
      ['out_pic', 20e6],
      ['start:hello', 200],
    ]);
  });

  it('keeps the interpreter apart, and takes a document without engines for generated code', () => {
    const slow = benchRow({ ...OUT, engine: 'interpreter' }, [5e6], []);
    const { engine: _, ...old } = long;
    const baseline = readBaseline(JSON.stringify({ command: 'bench', rows: [fast, slow, old] }), 'x');
    expect([...baseline]).toEqual([
      ['out_pic', 20e6],
      ['out_pic --jit off', 5e6],
      ['start:hello', 200],
    ]);
    expect(compareWithBaseline(slow, baseline).baseline).toEqual({ median: 5e6, ratio: 1 });
    expect(compareWithBaseline(long, baseline).baseline).toEqual({ median: 200, ratio: 1 });
  });

  it.each([
    ['no JSON', '{', 'before.json is not JSON'],
    ['nothing', '', 'before.json is not JSON'],
    ['null', 'null', "before.json is not what 'pio86 bench --json' prints"],
    ['a list', '[]', "before.json is not what 'pio86 bench --json' prints"],
    ['the document of another command', '{"command":"run","rows":[]}', 'is not what'],
    ['rows without figures', '{"command":"bench","rows":[{"name":"crc"}]}', 'is not what'],
    ['a figure of nought', '{"command":"bench","rows":[{"name":"crc","median":0}]}', 'is not what'],
    ['a row that is none', '{"command":"bench","rows":[null]}', 'is not what'],
  ])('refuses %s', (_, text, message) => {
    expect(() => readBaseline(text, 'before.json')).toThrow(message);
    expect(() => readBaseline(text, 'before.json')).toThrow(expect.objectContaining({ code: 'E_INPUT' }));
  });
});

describe('compareWithBaseline', () => {
  it('is above 1 for a higher rate and for a shorter time', () => {
    const baseline = new Map([
      ['out_pic', 10e6],
      ['start:hello', 400],
    ]);
    expect(compareWithBaseline(fast, baseline).baseline).toEqual({ median: 10e6, ratio: 2 });
    expect(compareWithBaseline(long, baseline).baseline).toEqual({ median: 400, ratio: 2 });
  });

  it('leaves a row alone that the baseline does not have', () => {
    expect(compareWithBaseline(fast, new Map())).toBe(fast);
  });
});

describe('requireCommonRows', () => {
  it('refuses a limit that holds for nothing', () => {
    const compared = compareWithBaseline(fast, new Map([['out_pic', 1]]));
    expect(() => requireCommonRows(reportOf([compared, long]), 'x.json')).not.toThrow();
    expect(() => requireCommonRows(reportOf([fast, long]), 'x.json')).toThrow(
      'bench: --max-slowdown: x.json has no figure of out_pic, start:hello',
    );
  });
});

describe('slowdowns', () => {
  const baseline = new Map([
    ['out_pic', 30e6],
    ['start:hello', 190],
  ]);
  const report = reportOf([fast, long].map((row) => compareWithBaseline(row, baseline)));

  it('names what is worse than the limit', () => {
    expect(slowdowns(report, 1.1)).toEqual([
      'out_pic is 1.50 times as slow as the baseline; the limit is 1.1',
    ]);
  });

  it('allows what is within the limit, and what is new', () => {
    expect(slowdowns(report, 1.5)).toEqual([]);
    expect(slowdowns(reportOf([fast]), 1)).toEqual([]);
  });
});
