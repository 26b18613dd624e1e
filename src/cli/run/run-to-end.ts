/**
 * A guest run to its end without a terminal: for commands that look at a machine instead of talking to it.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Board, DEFAULT_MEMORY_BYTES } from '../../boards/board.ts';
import { planImage } from '../../loaders/detect.ts';
import { loadImage } from '../../loaders/load.ts';
import { EXIT_OK } from '../exit-codes.ts';
import type { CliIo } from '../io.ts';
import type { OutputStream } from '../output-stream.ts';
import { readImage } from './read-image.ts';
import { endExitCode, endText, type RunEnd } from './run-end.ts';
import { StopSignals } from './stop-signals.ts';

const SLICE_TICKS = 1_000_000;

/** How to run. */
export interface RunToEnd {
  /** Limit of `vcpu.instructions`. */
  readonly maxInsns: number;
  /** Ticks of virtual time between two looks at the host; default 1 M. */
  readonly sliceTicks?: number;
  /** Where the command writes: the guest waits while a reader is slow, and ends when there is none. */
  readonly out: OutputStream;
  /** Asked between slices: true ends the run. */
  readonly isDone?: () => boolean;
}

/** Reads FILE and puts it into the board's memory. @throws CliError, EmulatorError (bad input). */
export async function loadFile(board: Board, file: string, io: CliIo): Promise<void> {
  loadImage(board, planImage(await readImage(file, io, DEFAULT_MEMORY_BYTES), 'auto'), []);
}

/** Says on standard error how a run ended. @returns its exit code. */
export function reportEnd(end: RunEnd | null, err: OutputStream): number {
  if (end === null) return EXIT_OK;
  err.write(`pio86: ${endText(end)}\n`);
  return endExitCode(end, false);
}

/**
 * Runs the board until the guest or a limit ends it; a guest's reset ends it too.
 *
 * @returns why it ended; null when {@link RunToEnd.isDone} said so.
 */
export async function runToEnd(board: Board, io: CliIo, control: RunToEnd): Promise<RunEnd | null> {
  const signals = new StopSignals(io);
  try {
    for (;;) {
      const left = control.maxInsns - board.vcpu.instructions;
      if (left <= 0) return { kind: 'max-insns' };
      const end = board.run(Math.min(left, control.sliceTicks ?? SLICE_TICKS));
      if (end.kind !== 'slice') return end;
      if (control.isDone?.() === true) return null;
      await control.out.drained();
      if (control.out.closed) return { kind: 'output-closed' };
      await nextTurn();
      if (signals.end !== null) return signals.end;
    }
  } finally {
    signals.close();
  }
}
