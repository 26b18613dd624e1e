/**
 * How many cases a shard of a new campaign has: about a second of one core, so that the messages cost nothing and a killed worker
 * loses little.
 */
import type { FuzzTarget } from '../../fuzz/engine/fuzz-target.ts';
import { MAX_SHARDS } from './shard-bits.ts';

/** How long the target is watched. */
const WATCH_MS = 300;
/** The cases of string-io come in families of this many. */
const SMALLEST = 64;
const LARGEST = 65_536;
/** A small campaign has at least this many shards, so that there is something to share. */
const SHARES = 64;

/** @returns a power of two. */
export function shardSize(target: FuzzTarget, seed: number, runs: number, now: () => number): number {
  const begun = now();
  let done = 0;
  while (now() - begun < WATCH_MS && done < runs) target.run(seed, done++);
  const perSecond = (done * 1000) / Math.max(now() - begun, 1);
  const wanted = Math.min(perSecond, runs / SHARES, LARGEST);
  return powerOfTwo(Math.max(wanted, SMALLEST, runs / MAX_SHARDS));
}

/** The next one that is not below. */
function powerOfTwo(n: number): number {
  return 2 ** Math.ceil(Math.log2(n));
}
