/**
 * What a format of test vectors is to the judge: how its files are recognised by content, and how one case is run.
 * One file a format; formats.ts lists them.
 */
import type { Cpu } from '../cpu/cpu.ts';
import type { JitOptions } from '../jit/engine.ts';
import type { CaseDiff } from './case-diff.ts';
import type { JsonObject } from './json-fields.ts';

/** Runs the cases of one file. */
export interface Replayer {
  /** Why this case is left out: its tags, or what it needs that is not built (`needs protected mode`); none to run it. */
  exclusions(test: JsonObject): readonly string[];
  /** The case as the set names it, for reports and `--filter`. */
  idOf(test: JsonObject): string;
  /** The instruction bytes of the case with a word about them, or the empty string. */
  describe(test: JsonObject): string;
  /**
   * Runs one case and writes what disagrees into `diff`.
   * @throws EmulatorError `E_VECTOR` when the case is malformed.
   */
  replay(test: JsonObject, diff: CaseDiff): void;
  /** The processor of the case that ran last; null before. */
  readonly cpu: Cpu | null;
  /** After the last case: disagreements that belong to no single case. */
  finish(diff: CaseDiff): void;
}

/** One format of vector files. */
export interface VectorFormat {
  readonly name: string;
  /** Whether the first object of a file is of this format. */
  detect(first: JsonObject): boolean;
  /**
   * @param folder where the file lies: sets may bring files of their own, such as flag masks.
   * @param jit when code is generated; false: never.
   */
  open(first: JsonObject, folder: string, jit: JitOptions | false): Replayer;
}
