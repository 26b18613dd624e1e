/** What a run of the suite found out: the document that `--json` prints and `--baseline` reads. */
import type { Group } from '../benchmark.ts';
import type { BenchJit, Engine } from '../engine.ts';
import type { Skipped } from '../peers/peers.ts';
import type { BenchClock } from '../run-process.ts';
import { type Spread, spreadOf } from '../statistics.ts';

/** `schemaVersion` of {@link BenchReport}. */
export const BENCH_SCHEMA_VERSION = 1;

/** A peer on one benchmark. */
export interface PeerResult extends Spread {
  readonly name: string;
  readonly values: readonly number[];
}

/** What a row is of. */
export interface MeasuredBenchmark {
  readonly name: string;
  /** Who ran the guest; null where no guest runs, so that `--jit` means nothing. */
  readonly engine: Engine | null;
  readonly group: Group;
  readonly unit: string;
  readonly better: 'more' | 'less';
  readonly about: string;
}

/** One measured benchmark, in its unit. */
export interface BenchRow extends MeasuredBenchmark, Spread {
  /** How many `values` there are. */
  readonly samples: number;
  readonly values: readonly number[];
  readonly peers: readonly PeerResult[];
  /** Who of the peers has the best median; null without peers. */
  readonly bestPeer: string | null;
  /** How many times as good as the best peer: above 1 pio86 is the better one. */
  readonly ratio: number | null;
  /** With `--baseline`: its median, and how many times as good this run is. */
  readonly baseline?: { readonly median: number; readonly ratio: number };
}

/** What was left out of a run. */
export interface LeftOut extends Skipped {
  /** pio86 itself broke off: not a thing that is absent. */
  readonly isFailure: boolean;
}

/** A whole run. */
export interface BenchReport {
  readonly schemaVersion: typeof BENCH_SCHEMA_VERSION;
  readonly command: 'bench';
  /** Version of pio86. */
  readonly version: string;
  /** ISO 8601. */
  readonly date: string;
  /** Processor, cores, Node. */
  readonly machine: string;
  readonly clock: BenchClock;
  /** `--jit`: with `both` a benchmark with a guest has two rows. */
  readonly jit: BenchJit;
  readonly peers: readonly { readonly name: string; readonly version: string }[];
  readonly skipped: readonly LeftOut[];
  readonly rows: readonly BenchRow[];
}

/** How many times as good `ours` is as `theirs`. */
export function goodness(better: 'more' | 'less', ours: number, theirs: number): number {
  return better === 'more' ? ours / theirs : theirs / ours;
}

/**
 * Sums up the samples of one benchmark.
 *
 * @param peers their samples; one without samples does not count.
 */
export function benchRow(
  { name, engine, group, unit, better, about }: MeasuredBenchmark,
  values: readonly number[],
  peers: readonly { readonly name: string; readonly values: readonly number[] }[],
): BenchRow {
  const spread = spreadOf(values);
  const results = peers
    .filter((peer) => peer.values.length > 0)
    .map((peer) => ({ name: peer.name, values: peer.values, ...spreadOf(peer.values) }));
  const best = results.reduce<PeerResult | null>(
    (found, peer) => (found === null || goodness(better, peer.median, found.median) > 1 ? peer : found),
    null,
  );
  return {
    ...{
      name,
      engine,
      group,
      unit,
      better,
      about,
      samples: values.length,
      ...spread,
      values,
      peers: results,
    },
    bestPeer: best?.name ?? null,
    ratio: best === null ? null : goodness(better, spread.median, best.median),
  };
}

/** pio86 with the engine of a row: `pio86`, or `pio86 --jit off`. */
export function contenderName(engine: unknown): string {
  return engine === 'interpreter' ? 'pio86 --jit off' : 'pio86';
}

/** What tells a row from every other of its report: `crc`, or `crc --jit off`. */
export function rowTitle({ name, engine }: { readonly name: string; readonly engine?: unknown }): string {
  return engine === 'interpreter' ? `${name} --jit off` : name;
}
