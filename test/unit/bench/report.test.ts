import { describe, expect, it } from 'vitest';
import { figure, shortNumber, times } from '../../../src/bench/report/numbers.ts';
import { benchRow } from '../../../src/bench/report/report.ts';
import { reportText } from '../../../src/bench/report/table.ts';
import { OUT, RACE, RACERS, reportOf, START } from './report-fixture.ts';

describe('benchRow', () => {
  it('compares with the peer that has the best median', () => {
    expect(RACE).toMatchObject({ median: 20e6, min: 19e6, max: 23e6, samples: 3, bestPeer: 'v86', ratio: 2 });
  });

  it('takes the shortest time for the best one', () => {
    const row = benchRow(
      START,
      [100],
      [
        { name: 'a', values: [300] },
        { name: 'b', values: [50] },
      ],
    );
    expect(row).toMatchObject({ bestPeer: 'b', ratio: 0.5 });
  });

  it('leaves out a peer that has failed', () => {
    expect(benchRow(OUT, [1], [{ name: 'kvm', values: [] }])).toMatchObject({
      peers: [],
      bestPeer: null,
      ratio: null,
    });
  });
});

describe('numbers', () => {
  it.each([
    [0.9712, '0.97'],
    [7.04, '7.04'],
    [35, '35.0'],
    [812.4, '812'],
    [1_000, '1.00 k'],
    [86_920_000, '86.9 M'],
    [1.234e12, '1234 G'],
  ])('shows %d as %s', (value, text) => {
    expect(shortNumber(value)).toBe(text);
  });

  it('shows a time or a size in its own unit, whatever its size', () => {
    expect([figure(1234.4, 'ms'), figure(12.34, 'µs'), figure(1234.4, 'rounds/s')]).toEqual([
      '1234',
      '12.3',
      '1.23 k',
    ]);
  });

  it('shows ratios with two decimals, large ones with none', () => {
    expect([times(0.5), times(3.416), times(1234.5)]).toEqual(['0.50×', '3.42×', '1235×']);
  });
});

describe('reportText', () => {
  it('says what each row is about when there are no peers', () => {
    const text = reportText(reportOf([benchRow(OUT, [2e6], []), benchRow(START, [250], [])]));
    expect(text).toMatch(
      /^a machine & its cores, pio86 1\.2\.3 with generated code, 2026-01-02; medians, wall-clock seconds\n/,
    );
    expect(text).toMatch(/│ out_pic +│ +2\.00 M │ +2\.00 M … 2\.00 M │ accesses\/s │ OUT/);
    expect(text).toMatch(/│ start:hello │ +250 │/);
  });

  it('has a column for each peer and the ratio to the best', () => {
    const text = reportText(reportOf([RACE], RACERS));
    expect(text).toContain('peers: v86 0.5, QEMU 7.2 TCG');
    expect(text).toMatch(/│ +v86 │ +qemu │ × best peer │/);
    expect(text).toMatch(/│ 10\.0 M │ 5\.00 M │ +2\.00× v86 │/);
  });

  it('shows the ratio to a baseline, and what is new since', () => {
    const compared = { ...RACE, baseline: { median: 10e6, ratio: 2 } };
    const text = reportText(reportOf([compared, benchRow(START, [250], [])]));
    expect(text).toMatch(/out_pic .* 2\.00× │/);
    expect(text).toMatch(/start:hello .* new │/);
  });

  it('names the engine in the head and, where there is a choice, in each row', () => {
    const rows = [
      RACE,
      benchRow({ ...OUT, engine: 'interpreter' }, [5e6], RACE.peers),
      benchRow({ ...OUT, name: 'lookup:5', engine: null }, [1e6], []),
    ];
    const text = reportText({ ...reportOf(rows, RACERS), jit: 'both' });
    expect(text).toMatch(/ pio86 1\.2\.3 with generated code, and the interpreter alone \(--jit both\), /);
    expect(text).toMatch(/│ out_pic +│ generated +│ 20\.0 M │.* 2\.00× v86 │/);
    expect(text).toMatch(/│ out_pic +│ interpreter +│ 5\.00 M │.* 0\.50× v86 │/);
    expect(text).toMatch(/│ lookup:5 +│ – +│/);
    expect(reportText({ ...reportOf(rows.slice(1)), jit: 'off' })).toContain(
      'the interpreter alone (--jit off)',
    );
    expect(reportText(reportOf([RACE]))).not.toContain('engine');
  });
});
