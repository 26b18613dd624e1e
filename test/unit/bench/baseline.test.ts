import { describe, expect, it } from 'vitest';
import { compareWithBaseline, readBaseline, slowdowns } from '../../../src/bench/report/baseline.ts';
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
