/** What a benchmark is: a name, a unit, and something that can be sampled again and again. */
import type { BenchHost } from './bench-host.ts';
import type { Engine } from './engine.ts';
import type { Peer } from './peers/peer.ts';

/** One measurement, in the benchmark's unit. */
export type Sampler = () => Promise<number>;

/** Which part of the suite. */
export const GROUPS = ['io', 'paths', 'bus', 'rep', 'cpu', 'tools', 'guests', 'state', 'fuzz'] as const;

/** Which part of the suite. */
export type Group = (typeof GROUPS)[number];

/** One row of the report. */
export interface Benchmark {
  readonly name: string;
  readonly group: Group;
  /** For rates `…/s`. */
  readonly unit: string;
  /** Whether a larger number is the better one. */
  readonly better: 'more' | 'less';
  readonly about: string;
  /** Runs in every peer too: a ROM, on the board as it is. */
  readonly isForPeers: boolean;
  /** Whether a guest runs in it: where none does, there is no engine to choose. */
  readonly hasGuest: boolean;
  /**
   * Makes ready; what is sampled afterwards can be interleaved with others.
   *
   * @param engine of pio86. Without a guest it has no meaning.
   * @param peer who runs it; null for pio86.
   * @throws BenchFailure when something it needs is not here.
   */
  prepare(host: BenchHost, engine: Engine, peer: Peer | null): Promise<Sampler>;
}
