/** `pio86 bench`: measures the benchmarks that are asked for, pio86 and its peers in turn. */
import { cpus } from 'node:os';
import { BenchFailure, Pio86Failure } from './bench-failure.ts';
import { BenchHost, type BenchHostOptions } from './bench-host.ts';
import type { Benchmark, Sampler } from './benchmark.ts';
import { type BenchJit, type Engine, enginesOf } from './engine.ts';
import type { Peer } from './peers/peer.ts';
import { choosePeers, findPeers, PEERS } from './peers/peers.ts';
import { type Baseline, compareWithBaseline } from './report/baseline.ts';
import {
  BENCH_SCHEMA_VERSION,
  type BenchReport,
  type BenchRow,
  benchRow,
  contenderName,
  type LeftOut,
} from './report/report.ts';
import { chooseBenchmarks } from './suite/suite.ts';

/** What the command line says. */
export interface BenchOptions extends BenchHostOptions {
  readonly samples: number;
  /** Only these benchmarks or groups, by their whole name; none = all. */
  readonly names: readonly string[];
  /** Only benchmarks whose name contains this. */
  readonly filter?: string;
  /** Whose figures are taken: `both` gives two rows to each benchmark with a guest. */
  readonly jit: BenchJit;
  /** `all` that are installed, or those named, which then must be. */
  readonly peers: 'all' | readonly string[];
  readonly baseline?: Baseline;
  /** Version of pio86, for the report. */
  readonly version: string;
  /** Told what is measured now. */
  progress(text: string): void;
  /** Told who or what is left out. */
  note(text: string): void;
}

/** Somebody who runs one benchmark, and what came out so far. */
interface Contender {
  readonly name: string;
  /** pio86 with this engine, null where it means nothing; undefined for a peer. */
  readonly engine?: Engine | null;
  /** null once it has failed. */
  sample: Sampler | null;
  readonly values: number[];
}

/** The machine: figures mean nothing without it. */
function machineLine(): string {
  return `${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores, Node ${process.version}`;
}

class Bench {
  readonly #host: BenchHost;
  readonly #options: BenchOptions;
  readonly skipped: LeftOut[] = [];

  constructor(host: BenchHost, options: BenchOptions) {
    this.#host = host;
    this.#options = options;
  }

  leaveOut(name: string, why: string, isFailure = false): void {
    this.skipped.push({ name, why, isFailure });
    this.#options.note(`${name}: ${isFailure ? 'failed' : 'left out'}: ${why}`);
  }

  /** One benchmark or peer drops out, the others go on. @throws what is no BenchFailure. */
  #drop(name: string, error: unknown): void {
    if (!(error instanceof BenchFailure)) throw error;
    this.leaveOut(name, error.message, error instanceof Pio86Failure);
  }

  /** @returns a row for each engine that has got to its end. */
  async rows(benchmark: Benchmark, peers: readonly Peer[]): Promise<BenchRow[]> {
    const ours = await this.#ours(benchmark);
    if (ours.length === 0) return [];
    const theirs = benchmark.isForPeers ? await this.#theirs(benchmark, peers) : [];
    const contenders = [...ours, ...theirs];
    for (let i = 0; i < this.#options.samples; i++) {
      // Who goes first changes, so that a drift of the machine favours nobody.
      const first = i % contenders.length;
      for (const contender of [...contenders.slice(first), ...contenders.slice(0, first)]) {
        await this.#sample(benchmark, contender);
      }
    }
    const { baseline } = this.#options;
    return ours
      .filter(({ values }) => values.length > 0)
      .map(({ engine = null, values }) => benchRow({ ...benchmark, engine }, values, theirs))
      .map((row) => (baseline === undefined ? row : compareWithBaseline(row, baseline)));
  }

  /** pio86, once for each engine that is asked for; nobody when it cannot run this. */
  async #ours(benchmark: Benchmark): Promise<Contender[]> {
    const { jit } = this.#options;
    const all: Contender[] = [];
    for (const engine of benchmark.hasGuest ? enginesOf(jit) : [null]) {
      const name = contenderName(engine);
      try {
        const sample = await benchmark.prepare(this.#host, engine ?? 'generated', null);
        all.push({ name, engine, sample, values: [] });
      } catch (error) {
        this.#drop(benchmark.name, error);
        return [];
      }
    }
    return all;
  }

  async #theirs(benchmark: Benchmark, peers: readonly Peer[]): Promise<Contender[]> {
    const all: Contender[] = [];
    for (const peer of peers) {
      const { name } = peer;
      try {
        all.push({ name, sample: await benchmark.prepare(this.#host, 'generated', peer), values: [] });
      } catch (error) {
        this.#drop(`${benchmark.name} (${name})`, error);
      }
    }
    return all;
  }

  async #sample(benchmark: Benchmark, contender: Contender): Promise<void> {
    if (contender.sample === null) return;
    try {
      contender.values.push(await contender.sample());
    } catch (error) {
      contender.sample = null;
      this.#drop(`${benchmark.name} (${contender.name})`, error);
    }
  }
}

async function measure(
  host: BenchHost,
  options: BenchOptions,
  chosen: readonly Benchmark[],
): Promise<BenchReport> {
  const bench = new Bench(host, options);
  const wanted = options.peers === 'all' ? PEERS : choosePeers(options.peers);
  const { found, skipped } = await findPeers(host, wanted);
  for (const { name, why } of skipped) {
    if (options.peers !== 'all') throw new BenchFailure(`${name}: ${why}`);
    bench.leaveOut(name, why);
  }
  const rows: BenchRow[] = [];
  for (const [i, benchmark] of chosen.entries()) {
    options.progress(`${benchmark.name} (${i + 1} of ${chosen.length})`);
    const measured = await bench.rows(
      benchmark,
      found.map(({ peer }) => peer),
    );
    rows.push(...measured);
  }
  const hasFailed = bench.skipped.some(({ isFailure }) => isFailure);
  if (rows.length === 0 && !hasFailed) throw new BenchFailure('nothing could be measured');
  return {
    schemaVersion: BENCH_SCHEMA_VERSION,
    command: 'bench',
    version: options.version,
    date: new Date().toISOString(),
    machine: machineLine(),
    clock: options.clock,
    jit: options.jit,
    peers: found.map(({ peer, version }) => ({ name: peer.name, version })),
    skipped: bench.skipped,
    rows,
  };
}

/**
 * Measures.
 *
 * @throws EmulatorError `E_ARGUMENT` when no benchmark or no peer is meant, or nothing is built; BenchFailure when a peer
 * that was named is not here or no row came out; what the signal was aborted with.
 */
export async function runBench(options: BenchOptions): Promise<BenchReport> {
  const chosen = chooseBenchmarks(options.names, options.filter);
  if (options.peers !== 'all') choosePeers(options.peers);
  const host = new BenchHost(options);
  try {
    return await measure(host, options, chosen);
  } finally {
    host.close();
  }
}
