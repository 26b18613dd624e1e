/** Median and spread of a few samples. */

/** What `pio86 bench` says of one row, in its unit. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** First and third quartile: the median of each half. */
  readonly q1: number;
  readonly q3: number;
}

function middle(sorted: readonly number[]): number {
  const mid = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[mid] : (sorted[mid - 1] + sorted[mid]) / 2;
}

/** @param samples at least one. */
export function spreadOf(samples: readonly number[]): Spread {
  const sorted = [...samples].sort((a, b) => a - b);
  const half = (sorted.length + 1) >> 1; // an odd one in the middle belongs to both halves
  return {
    median: middle(sorted),
    min: sorted[0],
    max: sorted[sorted.length - 1],
    q1: middle(sorted.slice(0, half)),
    q3: middle(sorted.slice(sorted.length - half)),
  };
}
