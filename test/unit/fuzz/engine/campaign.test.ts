import { describe, expect, it } from 'vitest';
import { type CampaignOptions, runCampaign } from '../../../../src/fuzz/engine/campaign.ts';
import { Ledger } from '../../../../src/fuzz/engine/ledger.ts';
import type { Shard, ShardResult, ShardRunner } from '../../../../src/fuzz/engine/shard.ts';

/** A runner that notes what it runs; case `bad` differs. */
function runner(slots: number, bad = -1): ShardRunner & { readonly shards: Shard[] } {
  const shards: Shard[] = [];
  return {
    slots,
    shards,
    run(shard) {
      shards.push(shard);
      const isBad = bad >= shard.first && bad < shard.first + shard.count;
      const runs = isBad ? bad - shard.first + 1 : shard.count;
      const finding = isBad ? { run: bad, lines: ['x'], differences: ['y'] } : null;
      return Promise.resolve<ShardResult>({ runs, counts: { cases: runs }, finding });
    },
    close: () => Promise.resolve(),
  };
}

function options(ledger: Ledger, more: Partial<CampaignOptions> = {}): CampaignOptions {
  let ms = 0;
  return {
    runs: 1000,
    timeMs: Number.POSITIVE_INFINITY,
    ledger,
    now: () => ms++,
    isStopped: () => false,
    progress: () => {},
    ...more,
  };
}

describe('runCampaign', () => {
  it.each([1, 3])('runs every case once on %i at a time', async (slots) => {
    const ledger = new Ledger('t', 9);
    const workers = runner(slots);
    const end = await runCampaign(workers, options(ledger));
    expect(end).toMatchObject({ runs: 1000, counts: { cases: 1000 }, finding: null });
    const cases = workers.shards.flatMap(({ first, count }) =>
      Array.from({ length: count }, (_, i) => first + i),
    );
    expect(cases.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect(workers.shards.every(({ seed }) => seed === 9)).toBe(true);
    expect(ledger.total).toBe(1000);
  });

  it('stops at a finding; the cases behind it are not done', async () => {
    const ledger = new Ledger('t', 9);
    const end = await runCampaign(runner(1, 100), options(ledger));
    expect(end).toMatchObject({ runs: 101, finding: { run: 100 } });
    expect(ledger.total).toBe(101);
  });

  it('goes on where the ledger ends', async () => {
    const ledger = Ledger.parse('target=t\nseed=1\ndone=0+900');
    const workers = runner(1);
    expect((await runCampaign(workers, options(ledger))).runs).toBe(100);
    expect(workers.shards[0]?.first).toBe(900);
  });

  it('begins nothing when the time is over or somebody stops it', async () => {
    expect((await runCampaign(runner(2), options(new Ledger('t', 1), { timeMs: 0 }))).runs).toBe(0);
    let asked = 0;
    const end = await runCampaign(runner(1), options(new Ledger('t', 1), { isStopped: () => asked++ >= 2 }));
    expect(end.runs).toBe(64 + 128);
  });

  it('grows shards by how long their cases took, not by how long the answer was on its way', async () => {
    const workers = runner(1);
    const run = workers.run.bind(workers);
    const quick = { ...workers, run: async (shard: Shard) => ({ ...(await run(shard)), ms: 1 }) };
    let ms = 0;
    await runCampaign(quick, options(new Ledger('t', 1), { now: () => (ms += 1000) }));
    expect(workers.shards.map(({ count }) => count)).toEqual([64, 128, 256, 512, 40]);
  });

  it('keeps a size of shards that is given', async () => {
    const workers = runner(2);
    await runCampaign(workers, options(new Ledger('t', 1), { shardSize: 300 }));
    expect(workers.shards.map(({ count }) => count)).toEqual([300, 300, 300, 100]);
  });
});
