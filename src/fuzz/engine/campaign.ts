/**
 * A campaign: shards of one seed handed out to a runner until all cases are run, the time is over, somebody stops it, or a case
 * differs.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Ledger, RunRange } from './ledger.ts';
import type { Finding, ShardRunner } from './shard.ts';

/** Cases of a shard: a fraction of a second of the fastest target. */
const FIRST_SHARD = 64;
const LARGEST_SHARD = 8192;
/** Shards grow until one takes this long. */
const SHARD_MS = 200;

/** What to run. */
export interface CampaignOptions {
  /** Cases 0 … runs−1; the ledger may know some of them. */
  readonly runs: number;
  /** Milliseconds after which no shard is begun. */
  readonly timeMs: number;
  readonly ledger: Ledger;
  /** Cases of every shard; without it shards grow until they are worth the way. */
  readonly shardSize?: number;
  /** A clock in milliseconds: the engine has none of its own. */
  now(): number;
  /** Asked before each shard. */
  isStopped(): boolean;
  /** Told after each shard. */
  progress(state: CampaignState): void;
}

/** Where a campaign is. */
export interface CampaignState {
  /** Cases run in this campaign, not in those before that share its ledger. */
  readonly runs: number;
  readonly elapsedMs: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly finding: Finding | null;
}

/** Runs a campaign. @returns how it ended. */
export async function runCampaign(runner: ShardRunner, options: CampaignOptions): Promise<CampaignState> {
  const { ledger } = options;
  const start = options.now();
  const counts: Record<string, number> = {};
  let runs = 0;
  let finding: Finding | null = null;
  let size = options.shardSize ?? FIRST_SHARD;

  const state = (): CampaignState => ({ runs, elapsedMs: options.now() - start, counts, finding });
  const next = (): RunRange | null => {
    const isOver = finding !== null || options.isStopped() || options.now() - start >= options.timeMs;
    return isOver ? null : ledger.take(options.runs, size);
  };
  const work = async (): Promise<void> => {
    for (let range = next(); range !== null; range = next()) {
      const begun = options.now();
      const result = await runner.run({ seed: ledger.seed, ...range });
      ledger.finish(range, result.runs, result.counts);
      runs += result.runs;
      for (const [name, count] of Object.entries(result.counts)) counts[name] = (counts[name] ?? 0) + count;
      // Of several the one that a single worker would have met first.
      if (result.finding !== null && (finding === null || result.finding.run < finding.run)) {
        finding = result.finding;
      }
      // Not how long the answer took: on a busy machine that is mostly waiting, and shards would stay small for ever.
      const isShort = (result.ms ?? options.now() - begun) < SHARD_MS / 2;
      if (isShort && options.shardSize === undefined) size = Math.min(size * 2, LARGEST_SHARD);
      options.progress(state());
      // Lets Ctrl-C through.
      await nextTurn();
    }
  };
  await Promise.all(Array.from({ length: runner.slots }, work));
  return state();
}
