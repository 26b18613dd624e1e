/**
 * One shard in a worker: asked for, run, counted. A shard that several workers began and none ended (its cases kill or hang whoever runs
 * them) is counted as a finding of its own, so that a campaign ends.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Shard, WholeShardResult } from '../../fuzz/engine/shard.ts';
import { inputError } from '../cli-error.ts';
import type { CampaignMeta, CampaignStore } from './campaign-store.ts';
import { casesOf } from './shard-bits.ts';

/** Who can run shards to their end. */
export interface WholeRunner {
  /** @throws what a thread died of. */
  runWhole(shard: Shard): Promise<WholeShardResult>;
}

/** A shard that was begun this often is given up. Workers that are killed for other reasons begin shards in vain too. */
export const MAX_TRIES = 8;
/** A shard that takes longer hangs: it takes about a second. */
const HANG_MS = 600_000;

/**
 * @returns the cases that were counted by this, 0 when somebody else has counted them.
 * @throws CliError (bad input) when the campaign is gone; Error when a thread died or hangs.
 */
export async function runOpenShard(
  store: CampaignStore,
  meta: CampaignMeta,
  runner: WholeRunner,
  index: number,
): Promise<number> {
  const tries = await store.begin(index);
  if (tries === 0) return 0;
  if (tries < 0) throw inputError(`campaign ${store.name}: gone from Redis`);
  const count = casesOf(meta, index);
  const shard = { seed: meta.seed, first: index * meta.shard, count };
  const result = tries > MAX_TRIES ? givenUp(meta, shard) : await inTime(runner.runWhole(shard), index);
  return (await store.complete(index, count, result)) === 1 ? count : 0;
}

function givenUp({ target }: CampaignMeta, { seed, first, count }: Shard): WholeShardResult {
  const lines = [`target=${target}`, `seed=${seed}`, `run=${first}`, `cases=${first}+${count}`];
  const differences = [`begun ${MAX_TRIES} times and never ended`];
  return { counts: {}, findings: [{ run: first, lines, differences }], differing: 1 };
}

async function inTime(result: Promise<WholeShardResult>, index: number): Promise<WholeShardResult> {
  const end = new AbortController();
  const alarm = sleep(HANG_MS, null, { signal: end.signal }).catch(() => null);
  const first = await Promise.race([result, alarm]);
  end.abort();
  if (first === null) throw new Error(`shard ${index} takes more than ${HANG_MS} ms`);
  return first;
}
