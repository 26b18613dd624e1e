/**
 * Commands as data: options, examples and an action in one plain object, so that parsing, help and documentation
 * come from the same place.
 */
import type { Colors } from './colors.ts';
import type { CliIo } from './io.ts';
import type { OutputStream } from './output-stream.ts';

/** What every action gets. */
export interface CommandContext {
  readonly io: CliIo;
  readonly out: OutputStream;
  readonly err: OutputStream;
  /** Colours for stdout; plain functions when it is no terminal. */
  readonly colors: Colors;
}

/** One option. */
export interface OptionSpec {
  /** As commander reads them: `--memory <size>`, `--trace [events]`. */
  readonly flags: string;
  readonly description: string;
  readonly choices?: readonly string[];
  readonly default?: unknown;
  /** How the default reads in the help, when it is not the value itself. */
  readonly defaultText?: string;
  /** Value of an option that may stand without one. */
  readonly preset?: string;
  /** Turns the text into the value; `previous` collects repeatable options. @throws CliError (usage). */
  parse?(text: string, previous: unknown): unknown;
}

/** One argument. */
export interface ArgumentSpec {
  /** `<file>`, `[file]`, `<paths...>`. */
  readonly name: string;
  readonly description: string;
  readonly choices?: readonly string[];
}

/** One command; `O` is what its options parse to. */
export interface CommandSpec<O = unknown> {
  readonly name: string;
  readonly summary: string;
  /** Longer text below the usage line. */
  readonly description?: string;
  /** Command lines that work; the help starts with them. */
  readonly examples: readonly string[];
  readonly arguments?: readonly ArgumentSpec[];
  readonly options: readonly OptionSpec[];
  /** @returns the exit code. */
  action(context: CommandContext, args: readonly string[], options: O): Promise<number>;
}

/** A `parse` that appends to a list: for options that may be repeated. */
export function collect<T>(parse: (text: string) => T): (text: string, previous: unknown) => T[] {
  return (text, previous) => [...(Array.isArray(previous) ? (previous as T[]) : []), parse(text)];
}
