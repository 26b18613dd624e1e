/**
 * The done bits of a campaign (Redis' SETBIT: the highest bit of byte 0 is shard 0) and the engine's ledger.
 */
import { Ledger } from '../../fuzz/engine/ledger.ts';
import type { CampaignMeta } from './campaign-store.ts';

/** Shards of a campaign at most: their bits are read several times a second. */
export const MAX_SHARDS = 2 ** 20;

/** How many shards a campaign has. */
export function shardCount({ runs, shard }: Pick<CampaignMeta, 'runs' | 'shard'>): number {
  return Math.ceil(runs / shard);
}

/** How many cases shard `index` has: the last one may be shorter. */
export function casesOf({ runs, shard }: Pick<CampaignMeta, 'runs' | 'shard'>, index: number): number {
  return Math.min(shard, runs - index * shard);
}

/** Whether shard `index` is done. */
export function isDone(bits: Uint8Array, index: number): boolean {
  const byte = index >>> 3;
  return byte < bits.length && ((bits[byte] << (index & 7)) & 0x80) !== 0;
}

/** The ledger of what Redis has counted. */
export function ledgerOf(meta: CampaignMeta, bits: Uint8Array): Ledger {
  const lines = [`target=${meta.target}`, `seed=${meta.seed}`];
  const total = shardCount(meta);
  for (let index = 0; index < total; ) {
    const first = index;
    while (index < total && isDone(bits, index)) index++;
    if (index > first) {
      lines.push(
        `done=${first * meta.shard}+${Math.min(index * meta.shard, meta.runs) - first * meta.shard}`,
      );
    } else index++;
  }
  return Ledger.parse(lines.join('\n'));
}
