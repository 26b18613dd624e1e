/** What `pio86 bench` understands, and how its own kinds of values are read. */
import type { BenchJit } from '../../bench/engine.ts';
import { usageError } from '../cli-error.ts';

/** The options of `pio86 bench`, parsed. */
export interface BenchCommandOptions {
  readonly samples: number;
  readonly seconds: number;
  readonly clock: 'wall' | 'cpu';
  readonly jit: BenchJit;
  readonly filter?: string;
  readonly peers?: boolean;
  readonly peer?: readonly string[];
  readonly baseline?: string;
  readonly maxSlowdown?: number;
  /** Ends in `.svg` or `.html`. */
  readonly chart?: string;
  readonly json?: boolean;
}

/** Parses a number with or without a decimal point. @throws CliError (usage) naming `what`. */
export function parseDecimal(what: string, text: string, min: number, max: number): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw usageError(`${what}: '${text}' is not a number from ${min} to ${max}`);
}

/** Parses the name of a chart. @throws CliError (usage) for another ending than .svg and .html. */
export function chartPath(text: string): string {
  if (/\.(svg|html)$/i.test(text)) return text;
  throw usageError(`--chart: '${text}' ends neither in .svg nor in .html`);
}
