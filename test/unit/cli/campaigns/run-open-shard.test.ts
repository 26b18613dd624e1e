import { describe, expect, it } from 'vitest';
import type { CampaignStore } from '../../../../src/cli/campaigns/campaign-store.ts';
import { MAX_TRIES, runOpenShard } from '../../../../src/cli/campaigns/run-open-shard.ts';
import type { Shard, WholeShardResult } from '../../../../src/fuzz/engine/shard.ts';

const META = { target: 't', seed: 5, runs: 950, shard: 100, build: '', isEnded: false };

/** A shard that was begun `tries` times; completing it answers `answer`. */
function parts(tries: number, answer = 1) {
  const completed: unknown[] = [];
  const ran: Shard[] = [];
  const store: Pick<CampaignStore, 'name' | 'begin' | 'complete'> = {
    name: 'c',
    begin: () => Promise.resolve(tries),
    complete: (...row) => {
      completed.push(row);
      return Promise.resolve(answer);
    },
  };
  const runner = {
    runWhole: (shard: Shard): Promise<WholeShardResult> => {
      ran.push(shard);
      return Promise.resolve({ counts: {}, findings: [], differing: 0 });
    },
  };
  const run = () => runOpenShard(store as CampaignStore, META, runner, 9);
  return { run, completed, ran };
}

describe('runOpenShard', () => {
  it('runs a shard that is not done and counts it', async () => {
    const { run, ran } = parts(1);
    expect(await run()).toBe(50);
    expect(ran).toEqual([{ seed: 5, first: 900, count: 50 }]);
  });

  it('does not run what is done, and counts nothing that somebody else has counted', async () => {
    const done = parts(0);
    expect(await done.run()).toBe(0);
    expect(done.ran).toEqual([]);
    expect(await parts(1, 0).run()).toBe(0);
  });

  it('says so when the campaign is gone', async () => {
    await expect(parts(-1).run()).rejects.toThrow('campaign c: gone from Redis');
  });

  it('makes a finding of a shard that nobody survives', async () => {
    const { run, ran, completed } = parts(MAX_TRIES + 1);
    expect(await run()).toBe(50);
    expect(ran).toEqual([]);
    expect(completed).toMatchObject([[9, 50, { differing: 1, findings: [{ run: 900 }] }]]);
  });
});
