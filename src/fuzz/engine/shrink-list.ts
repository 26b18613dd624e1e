/**
 * Makes a failing list short: takes out runs of elements, longest first, while the rest still fails (delta debugging, Zeller
 * and Hildebrandt), then lets the caller simplify the elements that are left.
 */

/**
 * @param fails whether a list fails.
 * @param simpler simpler forms of an element, the simplest first.
 */
export function shrinkList<T>(
  list: readonly T[],
  fails: (candidate: readonly T[]) => boolean,
  simpler: (element: T) => readonly T[] = () => [],
): readonly T[] {
  let best = list;
  for (let length = best.length; length >= 1; ) {
    const shorter = withoutRun(best, length, fails);
    if (shorter === null) length = Math.min(length - 1, Math.floor(length / 2) || 0);
    else best = shorter;
  }
  for (let i = 0; i < best.length; i++) {
    for (const element of simpler(best[i])) {
      const candidate = best.with(i, element);
      if (!fails(candidate)) continue;
      best = candidate;
      break;
    }
  }
  return best;
}

function withoutRun<T>(
  list: readonly T[],
  length: number,
  fails: (candidate: readonly T[]) => boolean,
): readonly T[] | null {
  for (let at = 0; at + length <= list.length; at++) {
    const candidate = list.toSpliced(at, length);
    if (candidate.length > 0 && fails(candidate)) return candidate;
  }
  return null;
}
