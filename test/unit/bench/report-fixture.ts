import { type BenchReport, type BenchRow, benchRow } from '../../../src/bench/report/report.ts';

/** A benchmark that was never run. */
export const OUT = {
  name: 'out_pic',
  engine: 'generated',
  group: 'io',
  unit: 'accesses/s',
  better: 'more',
  about: 'OUT',
} as const;

/** A time. */
export const START = {
  name: 'start:hello',
  engine: 'generated',
  group: 'guests',
  unit: 'ms',
  better: 'less',
  about: 'a <small> guest',
} as const;

/** A report of these rows. */
export function reportOf(rows: readonly BenchRow[], peers: BenchReport['peers'] = []): BenchReport {
  return {
    schemaVersion: 1,
    command: 'bench',
    version: '1.2.3',
    date: '2026-01-02T03:04:05.000Z',
    machine: 'a machine & its cores',
    clock: 'wall',
    jit: 'on',
    peers,
    skipped: [{ name: 'bochs', why: 'bochs is not installed', isFailure: false }],
    rows,
  };
}

/** pio86 at 20 M a second beside two peers. */
export const RACE = benchRow(
  OUT,
  [19e6, 20e6, 23e6],
  [
    { name: 'v86', values: [9e6, 10e6, 11e6] },
    { name: 'qemu', values: [4e6, 5e6, 5e6] },
  ],
);

/** The two peers. */
export const RACERS = [
  { name: 'v86', version: 'v86 0.5' },
  { name: 'qemu', version: 'QEMU 7.2 TCG' },
];
