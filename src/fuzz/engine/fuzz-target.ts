/**
 * What can be fuzzed, as the engine sees it: a target makes case number `run` of a seed, runs it against its oracle and
 * says what differs. Everything else (how many, where, how long) is the engine's.
 */

import type { Prng } from '../prng.ts';

/** A case that differs, small and readable. */
export interface Reproducer {
  /** Text that {@link FuzzTarget.replay} runs again. */
  readonly lines: readonly string[];
  readonly differences: readonly string[];
}

/** What a replayed text came to. */
export interface ReplayVerdict {
  readonly differences: readonly string[];
  /** False when the oracle does not know what the case runs into: it says nothing. */
  readonly isJudged: boolean;
}

/** Forms in which a reproducer can be printed for other tools. */
export type ExportFormat = 'vitest' | 'c' | 'qtest';
/** All of them. */
export const EXPORT_FORMATS: readonly ExportFormat[] = ['vitest', 'c', 'qtest'];

/** Cases as values: what coverage guidance needs. `C` is the target's own; a case is never changed once it is made. */
export interface CaseOperations<C> {
  /** A random case. */
  generate(random: Prng): C;
  /** Runs a case. It is counted as one of {@link FuzzTarget.run}'s. */
  judge(test: C): ReplayVerdict;
  /** A changed case; `other` is one to take parts from. */
  mutate(test: C, other: C, random: Prng): C;
  /** A case that differs from one in what is cheap to change: for targets where it is worth to run a few of them in a row. */
  vary?(test: C, random: Prng): C;
  /** Drops what is kept from case to case for speed (caches): what the next one covers is its own. */
  forget?(): void;
  /** Text that {@link fromText} and {@link FuzzTarget.replay} read; the same for equal cases. */
  toText(test: C): readonly string[];
  /** @throws EmulatorError `E_ARGUMENT` for text that is no case. */
  fromText(text: string): C;
  /** How much there is to a case: of two that reach the same the smaller is kept. */
  size(test: C): number;
  /** Makes a case that differs small. */
  reproduce(test: C): Promise<Reproducer>;
}

/** See the opening comment. Any case is a function of the seed and its number alone. */
export interface FuzzTarget {
  readonly name: string;
  /** Runs one case. @returns what differs from the oracle, empty when nothing does. */
  run(seed: number, run: number): readonly string[];
  /** What the cases since the last call did, by name: a fuzzer that tests nothing is seen. */
  takeCounts(): Readonly<Record<string, number>>;
  /** Makes a case that differs small. */
  reproduce(seed: number, run: number): Promise<Reproducer>;
  /** Runs a reproducer. @throws EmulatorError `E_ARGUMENT` for text that is none. */
  replay(text: string): ReplayVerdict;
  /** For coverage guidance; without it the target has random cases only. */
  readonly cases?: CaseOperations<unknown>;
  /** A reproducer in another form. @throws EmulatorError `E_ARGUMENT` for a form that the target does not have. */
  export(text: string, format: ExportFormat): readonly string[];
}
