/**
 * Coverage guidance on one thread: changes cases that are known to reach something, and keeps what reaches more. The same seed and the
 * same cases to begin with give the same work, whatever it is cut into.
 */
import type { Prng } from '../prng.ts';
import { Corpus, type CorpusEntry } from './corpus.ts';
import { CoverageMap, FeatureSet } from './coverage-map.ts';
import type { EdgeCounters } from './edge-counters.ts';
import type { CaseOperations, ReplayVerdict } from './fuzz-target.ts';

/** Random cases before the first is changed. */
const FIRST_CASES = 64;
/** One case in so many is a random one, not a changed one. */
const RANDOM_SHARE = 8;
/** Changes of one case: 1, 2 or 4. */
const STACKS = 3;
/** Cases in a row of which all but the first are variations of it. */
const FAMILY = 8;

/** What a slice of work came to. */
export interface GuidedSlice<C> {
  /** Cases that were run, the one that differs included; second runs of new cases do not count. */
  readonly runs: number;
  readonly added: readonly CorpusEntry<C>[];
  /** A case that differs: the slice ends with it. */
  readonly finding: C | null;
}

/** See the opening comment. */
export class GuidedFuzzer<C> {
  readonly corpus = new Corpus<C>();
  readonly #cases: CaseOperations<C>;
  readonly #random: Prng;
  readonly #map: CoverageMap;
  readonly #covered = new FeatureSet();
  #parent: C | null = null;
  /** The case that the next ones vary. */
  #head: C | null = null;
  #variations = 0;
  #work = 0;
  #started = 0;
  #finding: { readonly test: C } | null = null;

  /** @param counters with the modules of the target loaded. */
  constructor(cases: CaseOperations<C>, counters: EdgeCounters, random: Prng) {
    this.#cases = cases;
    this.#random = random;
    this.#map = new CoverageMap(counters);
  }

  /** What the corpus covers. */
  get covered(): FeatureSet {
    return this.#covered;
  }

  /** Edges that there are. */
  get edges(): number {
    return this.#map.edges;
  }

  /**
   * A case from outside: a file of the corpus, or what another worker found. @returns the entry, or null when it covers nothing new, or
   * differs (see {@link takeFinding}).
   * @throws EmulatorError `E_ARGUMENT` for text that is no case of the target.
   */
  take(text: string): CorpusEntry<C> | null {
    return this.#keep(this.#cases.fromText(text));
  }

  /** What a case covers by itself; null for one that differs. @throws EmulatorError for text that is no case. */
  measure(text: string): { readonly features: readonly number[]; readonly size: number } | null {
    const test = this.#cases.fromText(text);
    const features = this.#own(test);
    return features === null ? null : { features, size: this.#cases.size(test) };
  }

  /** A case that differed since the last call. */
  takeFinding(): C | null {
    const found = this.#finding;
    this.#finding = null;
    return found === null ? null : found.test;
  }

  /** Runs `count` new cases; fewer when one differs. */
  run(count: number): GuidedSlice<C> {
    const added: CorpusEntry<C>[] = [];
    for (let runs = 1; runs <= count; runs++) {
      const test = this.#nextCase();
      const { differences } = this.#measure(test);
      if (differences.length > 0) this.#finding ??= { test };
      else if (this.#map.isNew()) {
        const entry = this.#keep(this.#cases.fromText(this.#text(test)));
        if (entry !== null) added.push(entry);
      }
      if (this.#finding !== null) return { runs, added, finding: this.takeFinding() };
    }
    return { runs: count, added, finding: null };
  }

  #nextCase(): C {
    const { vary } = this.#cases;
    if (vary !== undefined && this.#head !== null && this.#variations > 0) {
      this.#variations--;
      return vary(this.#head, this.#random);
    }
    this.#variations = FAMILY - 1;
    this.#head = this.#newCase();
    return this.#head;
  }

  #newCase(): C {
    const random = this.#random;
    if (this.#started < FIRST_CASES || this.corpus.size === 0 || random.oneIn(RANDOM_SHARE)) {
      this.#started++;
      return this.#cases.generate(random);
    }
    if (this.#parent === null || this.#work === 0) {
      const { entry, work } = this.corpus.next(random);
      this.#parent = entry.test;
      this.#work = work;
    }
    this.#work--;
    let test = this.#parent;
    for (let left = 1 << random.below(STACKS); left > 0; left--) {
      test = this.#cases.mutate(test, this.corpus.any(random).test, random);
    }
    return test;
  }

  /** Keeps a case that covers more, or one that differs. */
  #keep(test: C): CorpusEntry<C> | null {
    const features = this.#own(test);
    if (features === null) {
      this.#finding ??= { test };
      return null;
    }
    if (features.every((feature) => this.#covered.has(feature))) return null;
    const text = this.#text(test);
    const again = this.#own(this.#cases.fromText(text));
    const isStable =
      again?.length === features.length && again.every((feature, i) => feature === features[i]);
    const entry = { test, text, size: this.#cases.size(test), features, isStable };
    this.#covered.add(features);
    this.corpus.add(entry);
    return entry;
  }

  /** What a case covers by itself: what ran before it is itself, and nothing of that is kept. Null when it differs. */
  #own(test: C): number[] | null {
    if (this.#cases.judge(test).differences.length > 0) return null;
    this.#cases.forget?.();
    if (this.#measure(test).differences.length > 0) return null;
    this.#map.isNew();
    return this.#map.features();
  }

  #measure(test: C): ReplayVerdict {
    this.#map.clear();
    return this.#cases.judge(test);
  }

  #text(test: C): string {
    return `${this.#cases.toText(test).join('\n')}\n`;
  }
}
