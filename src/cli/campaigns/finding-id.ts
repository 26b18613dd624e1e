/**
 * When two findings are one: their small cases are the same text, whatever seed and case they came from.
 */
import { createHash } from 'node:crypto';
import type { Finding } from '../../fuzz/engine/shard.ts';

/** A finding as Redis keeps it. */
export interface StoredFinding extends Finding {
  readonly id: string;
}

const ID_DIGITS = 16;

/** Hash of the case without comments, `seed=` and `run=`. */
export function findingId({ lines }: Pick<Finding, 'lines'>): string {
  const text = lines.filter((line) => !/^(#|seed=|run=|\s*$)/.test(line)).join('\n');
  return createHash('sha256').update(text).digest('hex').slice(0, ID_DIGITS);
}
