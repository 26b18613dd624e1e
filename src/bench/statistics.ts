/** Median and spread of a few samples. */

/** What `pio86 bench` prints of one row; rates in units a second. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** @param samples at least one. */
export function spreadOf(samples: readonly number[]): Spread {
  const sorted = [...samples].sort((a, b) => a - b);
  const mid = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[mid] : (sorted[mid - 1] + sorted[mid]) / 2;
  return { median, min: sorted[0], max: sorted[sorted.length - 1] };
}
