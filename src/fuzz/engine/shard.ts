/**
 * The unit of work: a range of cases of one seed. Whoever runs it (this thread, a worker, another machine) gets the range and
 * gives back counts and findings; nothing else crosses the line, and all of it is JSON.
 */
import type { FuzzTarget, Reproducer } from './fuzz-target.ts';

/** Cases `first … first+count−1` of a seed. */
export interface Shard {
  readonly seed: number;
  readonly first: number;
  readonly count: number;
}

/** A case that differs. */
export interface Finding extends Reproducer {
  readonly run: number;
}

/** What came of a shard. It ends at its first finding. */
export interface ShardResult {
  /** Cases that were run, the one that differs included. */
  readonly runs: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly finding: Finding | null;
  /** Milliseconds that the cases took where they ran, without the way there; a runner that cannot tell leaves it out. */
  readonly ms?: number;
}

/** What came of a shard that goes on after findings. */
export interface WholeShardResult {
  readonly counts: Readonly<Record<string, number>>;
  /** Cases that differ, made small: the first {@link MAX_FINDINGS} of them. */
  readonly findings: readonly Finding[];
  /** How many differ in all. */
  readonly differing: number;
}

/** Making a case small takes seconds: of a target that is wrong everywhere a shard shows this many. */
export const MAX_FINDINGS = 16;

/** Who runs shards: several at once where `slots` is above 1. */
export interface ShardRunner {
  readonly slots: number;
  run(shard: Shard): Promise<ShardResult>;
  close(): Promise<void>;
}

/** Runs a shard on this thread. */
export async function runShard(target: FuzzTarget, { seed, first, count }: Shard): Promise<ShardResult> {
  for (let run = first; run < first + count; run++) {
    if (target.run(seed, run).length === 0) continue;
    const counts = target.takeCounts();
    const finding = { run, ...(await target.reproduce(seed, run)) };
    // Shrinking has run cases too: they do not count.
    target.takeCounts();
    return { runs: run - first + 1, counts, finding };
  }
  return { runs: count, counts: target.takeCounts(), finding: null };
}

/** Runs a shard on this thread, to its end whatever differs. */
export async function runWholeShard(target: FuzzTarget, shard: Shard): Promise<WholeShardResult> {
  const { seed, first, count } = shard;
  const counts: Record<string, number> = {};
  const findings: Finding[] = [];
  let differing = 0;
  const add = (): void => {
    for (const [name, n] of Object.entries(target.takeCounts())) counts[name] = (counts[name] ?? 0) + n;
  };
  for (let run = first; run < first + count; run++) {
    if (target.run(seed, run).length === 0) continue;
    differing++;
    if (findings.length === MAX_FINDINGS) continue;
    add();
    findings.push({ run, ...(await target.reproduce(seed, run)) });
    // Shrinking has run cases too: they do not count.
    target.takeCounts();
  }
  add();
  return { counts, findings, differing };
}

/** The runner of one thread. */
export function localRunner(target: FuzzTarget): ShardRunner {
  return { slots: 1, run: (shard) => runShard(target, shard), close: () => Promise.resolve() };
}
