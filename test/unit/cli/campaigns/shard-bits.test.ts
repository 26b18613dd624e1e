import { describe, expect, it } from 'vitest';
import { casesOf, isDone, ledgerOf, shardCount } from '../../../../src/cli/campaigns/shard-bits.ts';

const META = { target: 't', seed: 5, runs: 950, shard: 100, build: '', isEnded: false };

describe('the bits of a campaign', () => {
  it('are in the order of SETBIT, and what is not there is not done', () => {
    const bits = Uint8Array.of(0x80, 0x01);
    expect([0, 1, 7, 14, 15, 16, 4000].map((index) => isDone(bits, index))).toEqual([
      true,
      false,
      false,
      false,
      true,
      false,
      false,
    ]);
  });

  it('make a ledger whose free ranges are the shards that are left', () => {
    // Shards 0, 1, 4 and the short last one, 9.
    const ledger = ledgerOf(META, Uint8Array.of(0b1100_1000, 0b0100_0000));
    expect(ledger.total).toBe(350);
    const left: number[] = [];
    for (let range = ledger.take(950, 100); range !== null; range = ledger.take(950, 100))
      left.push(range.first);
    expect(left).toEqual([200, 300, 500, 600, 700, 800]);
  });

  it('count a last shard that is shorter', () => {
    expect(shardCount(META)).toBe(10);
    expect(casesOf(META, 9)).toBe(50);
  });
});
