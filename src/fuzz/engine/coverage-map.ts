/**
 * What one run covered, as features: an edge with the class of its count, or a distance that a comparison had. A feature is a number.
 *
 * Counts fall into AFL's eight classes (1, 2, 3, 4–7, 8–15, 16–31, 32–127, more): a loop that turns once more is news, one that turns
 * ninety-one times instead of ninety is none. AFL: “Technical whitepaper for afl-fuzz”, “Coverage measurements”.
 */
import type { EdgeCounters } from './edge-counters.ts';

/** Number of the class of a count, 1 to 255. */
const CLASS_OF = Uint8Array.from({ length: 256 }, (_, count) =>
  count < 4 ? Math.max(count - 1, 0) : count < 8 ? 3 : count < 16 ? 4 : count < 32 ? 5 : count < 128 ? 6 : 7,
);
const CLASSES = 8;
/** Features from here on are distances. */
const FIRST_DISTANCE = 2 ** 24;

/** What is known to be covered: a set of features. */
export class FeatureSet {
  readonly #features = new Set<number>();
  readonly #edges = new Set<number>();

  get size(): number {
    return this.#features.size;
  }

  /** Edges among the features. */
  get edges(): number {
    return this.#edges.size;
  }

  has(feature: number): boolean {
    return this.#features.has(feature);
  }

  /** @returns how many were not known. */
  add(features: Iterable<number>): number {
    const before = this.#features.size;
    for (const feature of features) {
      this.#features.add(feature);
      if (feature < FIRST_DISTANCE) this.#edges.add(Math.floor(feature / CLASSES));
    }
    return this.#features.size - before;
  }
}

/** Reads the counters of one process. */
export class CoverageMap {
  readonly #source: EdgeCounters;
  readonly #counters: Uint8ClampedArray;
  /** The counters, four in a word. */
  readonly #words: Int32Array;
  /** Classes of each edge that some run has had, a bit a class. */
  readonly #met: Uint8Array;
  readonly #distancesMet = new Set<number>();
  /** Distances of the last run; empty unless the build reports them. */
  #distances: number[] = [];

  /** @param source with all modules under test loaded. */
  constructor(source: EdgeCounters) {
    this.#source = source;
    this.#counters = source.counters();
    const { buffer, byteOffset, length } = this.#counters;
    this.#words = new Int32Array(buffer, byteOffset, (length + 3) >>> 2);
    this.#met = new Uint8Array(this.#words.length * 4);
  }

  /** Edges that can be covered. */
  get edges(): number {
    return this.#counters.length;
  }

  /** Forgets what was counted: a run begins. */
  clear(): void {
    this.#counters.fill(0);
    this.#source.takeDistances(() => {});
    this.#distances = [];
  }

  /** Whether the run since {@link clear} had a feature that none before it had. Asked once a run; it is remembered. */
  isNew(): boolean {
    let isNew = false;
    const words = this.#words;
    for (let i = 0; i < words.length; i++) {
      if (words[i] !== 0 && this.#meet(i << 2)) isNew = true;
    }
    this.#source.takeDistances((place) => {
      this.#distances.push(FIRST_DISTANCE + place);
      if (this.#distancesMet.has(place)) return;
      this.#distancesMet.add(place);
      isNew = true;
    });
    return isNew;
  }

  #meet(first: number): boolean {
    let isNew = false;
    for (let edge = first; edge < first + 4; edge++) {
      const count = this.#counters[edge];
      if (count === 0) continue;
      const bit = 1 << CLASS_OF[count];
      if ((this.#met[edge] & bit) !== 0) continue;
      this.#met[edge] |= bit;
      isNew = true;
    }
    return isNew;
  }

  /** Features of the run that {@link isNew} was asked about, ascending. */
  features(): number[] {
    const features: number[] = [];
    this.#counters.forEach((count, edge) => {
      if (count !== 0) features.push(edge * CLASSES + CLASS_OF[count]);
    });
    return [...features, ...this.#distances.toSorted((a, b) => a - b)];
  }
}
