/** `pio86 bench`: rates of port I/O by path and of ordinary code, as medians of slopes between two sizes. */
import { cpus } from 'node:os';
import Table from 'cli-table3';
import { EmulatorError } from '../errors.ts';
import { BenchMachine } from './bench-machine.ts';
import { type Spread, spreadOf } from './statistics.ts';
import { romPair, WORKLOADS, type Workload } from './workloads.ts';

/** What the command line says. */
export interface BenchOptions {
  readonly samples: number;
  /** Only these workloads, by their whole name; none = all. */
  readonly names: readonly string[];
  /** Only workloads whose name contains this. */
  readonly filter?: string;
  readonly json: boolean;
}

/** Where the report goes. */
export interface LineWriter {
  line(text: string): void;
}

/** One measured workload. Rates in units a second. */
interface BenchRow extends Spread {
  readonly name: string;
  readonly unit: string;
  readonly about: string;
  readonly samples: number;
}

const MILLION = 1e6;

function measure(machine: BenchMachine, workload: Workload, samples: number): BenchRow {
  const { small, large, unit } = romPair(workload.work);
  machine.run(small, workload.path); // V8 compiles
  const rates: number[] = [];
  for (let i = 0; i < samples; i++) {
    const shortRun = machine.run(small, workload.path);
    const longRun = machine.run(large, workload.path);
    rates.push((large.units - small.units) / (longRun - shortRun));
  }
  return { name: workload.name, unit, about: workload.about, samples, ...spreadOf(rates) };
}

function rate(value: number): string {
  return value >= MILLION ? `${(value / MILLION).toFixed(1)} M` : value.toFixed(0);
}

/** The machine line: figures mean nothing without it. */
function machineLine(): string {
  return `${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores, Node ${process.version}`;
}

function table(rows: readonly BenchRow[]): string {
  const out = new Table({
    head: ['workload', 'median', 'min', 'max', 'unit/s', 'what'],
    colAligns: ['left', 'right', 'right', 'right', 'left', 'left'],
    style: { head: [], border: [] },
  });
  for (const r of rows) out.push([r.name, rate(r.median), rate(r.min), rate(r.max), r.unit, r.about]);
  return out.toString();
}

/** @throws EmulatorError `E_ARGUMENT` for a name that is none, and when nothing matches the filter. */
function choose({ names, filter = '' }: BenchOptions): readonly Workload[] {
  const known = WORKLOADS.map((w) => w.name);
  const chosen = WORKLOADS.filter(
    (w) => (names.length === 0 || names.includes(w.name)) && w.name.includes(filter),
  );
  const wrong = names.find((name) => !known.includes(name)) ?? (chosen.length === 0 ? filter : undefined);
  if (wrong === undefined) return chosen;
  throw new EmulatorError(
    'E_ARGUMENT',
    `bench: no workload matches '${wrong}'; there are ${known.join(', ')}`,
  );
}

/**
 * Measures and reports. @returns the exit code, 0.
 * @throws EmulatorError `E_ARGUMENT` when no workload is meant.
 */
export async function runBench(options: BenchOptions, out: LineWriter): Promise<number> {
  const chosen = choose(options);
  const rows: BenchRow[] = [];
  const machine = new BenchMachine(romPair(WORKLOADS[0].work).small);
  for (const workload of chosen) rows.push(measure(machine, workload, options.samples));
  if (options.json) {
    out.line(JSON.stringify({ schemaVersion: 1, command: 'bench', machine: machineLine(), rows }));
    return 0;
  }
  out.line(machineLine());
  out.line(table(rows));
  return 0;
}
