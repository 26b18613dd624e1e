/**
 * The cases that covered something new, and the order in which they are changed: round after round through all of them, with most of
 * the work for favoured ones. Favoured are the smallest that have a feature (AFL's `cull_queue`); work grows with how rare the features
 * of a case are among the others, and shrinks for cases larger than most.
 */
import type { Prng } from '../prng.ts';

/** One case. */
export interface CorpusEntry<C> {
  readonly test: C;
  readonly text: string;
  readonly size: number;
  readonly features: readonly number[];
  /** Whether a second run of it covered the same. */
  readonly isStable: boolean;
}

interface Queued<C> extends CorpusEntry<C> {
  rounds: number;
  isFavoured: boolean;
  /** How many cases have the feature that the fewest have. */
  rarity: number;
}

/** Cases made of one entry before the next has its turn. */
const WORK = 16;
/** Of entries that are not favoured, one in so many has its turn in a round. */
const SKIP = 8;
/** Features of at most so many entries are rare. */
const RARE = 2;

/** Who is favoured is decided anew when one entry in so many is new; new ones are favoured until then. */
const CULL_SHARE = 16;

/** See the opening comment. */
export class Corpus<C> {
  readonly #entries: Queued<C>[] = [];
  readonly #smallest = new Map<number, Queued<C>>();
  readonly #owners = new Map<number, number>();
  #sizes = 0;
  /** Entries that have come since it was decided who is favoured. */
  #unculled = 0;
  #next = 0;
  #cycles = 0;

  get size(): number {
    return this.#entries.length;
  }

  /** Rounds through the whole corpus. */
  get cycles(): number {
    return this.#cycles;
  }

  get favoured(): number {
    if (this.#unculled > 0) this.#cull();
    return this.#entries.filter(({ isFavoured }) => isFavoured).length;
  }

  /** Entries whose second run covered the same. */
  get stable(): number {
    return this.#entries.filter(({ isStable }) => isStable).length;
  }

  add(entry: CorpusEntry<C>): void {
    const queued: Queued<C> = { ...entry, rounds: 0, isFavoured: true, rarity: 0 };
    this.#entries.push(queued);
    this.#sizes += entry.size;
    for (const feature of entry.features) {
      this.#owners.set(feature, (this.#owners.get(feature) ?? 0) + 1);
      const smallest = this.#smallest.get(feature);
      if (smallest === undefined || entry.size < smallest.size) this.#smallest.set(feature, queued);
    }
    this.#unculled++;
  }

  /** The next entry in turn, and how many cases to make of it. The corpus is not empty. */
  next(random: Prng): { readonly entry: CorpusEntry<C>; readonly work: number } {
    if (this.#unculled > this.#entries.length / CULL_SHARE) this.#cull();
    for (;;) {
      if (this.#next === this.#entries.length) {
        this.#next = 0;
        this.#cycles++;
      }
      const entry = this.#entries[this.#next++];
      if (!entry.isFavoured && this.#entries.length > SKIP && !random.oneIn(SKIP)) continue;
      const isFresh = entry.rounds++ === 0;
      const share = (entry.isFavoured ? 4 : 1) * (entry.rarity <= RARE ? 2 : 1) * (isFresh ? 2 : 1);
      const ease = Math.min(this.#sizes / this.#entries.length / Math.max(entry.size, 1), 1);
      return { entry, work: Math.ceil(WORK * share * ease) };
    }
  }

  /** Any entry, to take parts from. */
  any(random: Prng): CorpusEntry<C> {
    return random.pick(this.#entries);
  }

  /** Which entries are favoured and how rare they are, after some have come. */
  #cull(): void {
    this.#unculled = 0;
    for (const entry of this.#entries) {
      entry.isFavoured = false;
      entry.rarity = entry.features.reduce((least, f) => Math.min(least, this.#owners.get(f) ?? 0), Infinity);
    }
    const covered = new Set<number>();
    for (const [feature, entry] of this.#smallest) {
      if (covered.has(feature)) continue;
      entry.isFavoured = true;
      for (const f of entry.features) covered.add(f);
    }
  }
}
