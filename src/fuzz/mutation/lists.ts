/**
 * Changed lists: an element or a run of them taken out, doubled, moved, changed, or taken from another list.
 */
import type { Prng } from '../prng.ts';

/** Elements that are moved or copied at once, at most. */
const LONGEST_RUN = 8;

/** What a list is made of. */
export interface ListMutation<T> {
  /** A list gets no longer than this by mutation. */
  readonly maxLength: number;
  /** An element changed. */
  change(element: T, random: Prng): T;
  /** A new element. */
  create(random: Prng): T;
}

/** @param other a list to take parts from. @returns a changed copy with at least one element. */
export function mutateList<T>(
  list: readonly T[],
  other: readonly T[],
  random: Prng,
  { maxLength, change, create }: ListMutation<T>,
): readonly T[] {
  if (list.length === 0) return [create(random)];
  const at = random.below(list.length);
  const run = 1 + random.below(Math.min(LONGEST_RUN, list.length - at));
  const put = (elements: readonly T[], where: number): readonly T[] =>
    list.length + elements.length > maxLength
      ? list.toSpliced(where, elements.length, ...elements).slice(0, maxLength)
      : list.toSpliced(where, 0, ...elements);
  switch (random.below(9)) {
    case 0:
      return list.length > run ? list.toSpliced(at, run) : list.with(at, change(list[at], random));
    case 1:
      return put(list.slice(at, at + run), random.below(list.length + 1));
    case 2: {
      const rest = list.toSpliced(at, run);
      return rest.toSpliced(random.below(rest.length + 1), 0, ...list.slice(at, at + run));
    }
    case 3:
      return put([create(random)], random.below(list.length + 1));
    case 4:
      return put(piece(other, random), random.below(list.length + 1));
    case 5:
      // The head of one and the tail of the other.
      return crossed(list, at, other, random).slice(0, maxLength);
    default:
      return list.with(at, change(list[at], random));
  }
}

function piece<T>(other: readonly T[], random: Prng): readonly T[] {
  const at = random.below(other.length);
  return other.slice(at, at + 1 + random.below(LONGEST_RUN));
}

function crossed<T>(list: readonly T[], at: number, other: readonly T[], random: Prng): readonly T[] {
  return [...list.slice(0, at + 1), ...other.slice(random.below(other.length + 1))];
}
