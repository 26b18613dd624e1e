/**
 * What can be fuzzed, as the engine sees it: a target makes case number `run` of a seed, runs it against its oracle and
 * says what differs. Everything else (how many, where, how long) is the engine's.
 */

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
  /** A reproducer in another form. @throws EmulatorError `E_ARGUMENT` for a form that the target does not have. */
  export(text: string, format: ExportFormat): readonly string[];
}
