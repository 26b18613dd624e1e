/**
 * When output is coloured: NO_COLOR and FORCE_COLOR decide, then TERM, then whether a terminal reads it.
 */
import pc from 'picocolors';
import type { CliIo, TerminalWritable } from './io.ts';

/** Functions that colour a string, or leave it alone. */
export type Colors = ReturnType<typeof pc.createColors>;

/** Whether `stream` gets colours. */
export function wantsColor(env: CliIo['env'], stream: TerminalWritable): boolean {
  const off = env.NO_COLOR;
  if (off !== undefined && off !== '') return false;
  const force = env.FORCE_COLOR;
  if (force !== undefined && force !== '') return force !== '0' && force !== 'false';
  return stream.isTTY === true && env.TERM !== 'dumb';
}

/** The colour functions for `stream`. */
export function colorsFor(io: CliIo, stream: TerminalWritable): Colors {
  return pc.createColors(wantsColor(io.env, stream));
}
