/**
 * Where a run's output goes: guest bytes to standard output (standard error under `--json`) or a file, the trace to
 * standard error or a file.
 */
import { createWriteStream, openSync } from 'node:fs';
import { usageError } from '../cli-error.ts';
import type { CommandContext } from '../command.ts';
import { OutputStream } from '../output-stream.ts';
import { fileErrorText } from '../read-input.ts';
import { type Gathered, GuestBytes, TraceLines } from './guest-output.ts';
import type { RunOptions } from './run-options.ts';

/** So much may wait for the disk before the guest does. */
const WAITING_BYTES = 1 << 22;

function openOutput(option: string, path: string): OutputStream {
  try {
    const file = createWriteStream(path, { fd: openSync(path, 'w'), highWaterMark: WAITING_BYTES });
    return new OutputStream(file, `${option}: ${path}`);
  } catch (error) {
    throw usageError(`${option}: cannot write ${path}: ${fileErrorText(error)}`);
  }
}

/** The outputs of one run. */
export interface RunOutputs {
  /** null: thrown away. */
  readonly serial: GuestBytes | null;
  readonly debug: GuestBytes;
  /** null: no trace. */
  readonly trace: TraceLines | null;
  readonly all: readonly Gathered[];
  /** Closes the files. */
  end(): Promise<void>;
}

/**
 * Opens what the options ask for.
 *
 * @throws CliError (usage) when a file cannot be written.
 */
export function openOutputs({ out, err }: CommandContext, options: RunOptions): RunOutputs {
  const files: OutputStream[] = [];
  const open = (option: string, path: string): OutputStream => {
    const stream = openOutput(option, path);
    files.push(stream);
    return stream;
  };
  const console = new GuestBytes(options.json === true ? err : out);
  const all: Gathered[] = [console];
  let serial: GuestBytes | null = options.serial.kind === 'stdio' ? console : null;
  if (options.serial.kind === 'file') {
    serial = new GuestBytes(open('--serial', options.serial.path));
    all.push(serial);
  }
  let trace: TraceLines | null = null;
  if (options.trace !== undefined || options.traceFile !== undefined) {
    trace = new TraceLines(options.traceFile === undefined ? err : open('--trace-file', options.traceFile));
    all.push(trace);
  }
  return {
    serial,
    debug: console,
    trace,
    all,
    async end() {
      for (const file of files) await file.end();
    },
  };
}
