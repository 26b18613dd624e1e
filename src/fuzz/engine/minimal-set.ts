/**
 * The fewest and smallest cases that still cover everything: greedy set cover, as afl-cmin and libFuzzer's -merge do it. Rare features
 * first: what only one case covers decides nothing.
 */

/** A case, as far as this is concerned. */
export interface CoveringCase {
  readonly features: readonly number[];
  readonly size: number;
}

/** @returns cases that cover together what all of them do, in their order. */
export function minimalSet<T extends CoveringCase>(cases: readonly T[]): T[] {
  const owners = new Map<number, T[]>();
  for (const test of cases) {
    for (const feature of test.features) {
      const list = owners.get(feature);
      if (list === undefined) owners.set(feature, [test]);
      else list.push(test);
    }
  }
  const covered = new Set<number>();
  const chosen = new Set<T>();
  const rareFirst = [...owners].sort((a, b) => a[1].length - b[1].length || a[0] - b[0]);
  for (const [feature, candidates] of rareFirst) {
    if (covered.has(feature)) continue;
    const gain = ({ features }: T): number => features.reduce((sum, f) => sum + (covered.has(f) ? 0 : 1), 0);
    // Of those that have it the one that gives most; of equals the smallest.
    let best = candidates[0];
    let bestGain = gain(best);
    for (const candidate of candidates.slice(1)) {
      const its = gain(candidate);
      if (its < bestGain || (its === bestGain && candidate.size >= best.size)) continue;
      best = candidate;
      bestGain = its;
    }
    chosen.add(best);
    for (const f of best.features) covered.add(f);
  }
  return cases.filter((test) => chosen.has(test));
}
