/**
 * What the parent asks of its child, plain data on the child's command line, and the one thing the child answers.
 */
import type { BoardName } from '../create-board.ts';
import type { FuzzCommandOptions } from '../fuzz/fuzz-options.ts';
import type { RunOptions } from '../run/run-options.ts';

/** `pio86 run --engine kvm` */
export interface RunRequest {
  readonly command: 'run';
  readonly file?: string;
  readonly options: RunOptions;
}

/** The options of `pio86 diff`, parsed. */
export interface DiffOptions {
  readonly probe?: boolean;
  readonly random?: number;
  readonly seed?: number;
  readonly first: number;
  readonly format: RunOptions['format'];
  readonly board: BoardName;
  readonly device?: RunOptions['device'];
  readonly memory: number;
  readonly input?: string;
  readonly maxExits: number;
  /** Seconds of the host. */
  readonly timeout: number;
  readonly json?: boolean;
}

/** `pio86 diff` */
export interface DiffRequest {
  readonly command: 'diff';
  readonly files: readonly string[];
  readonly options: DiffOptions;
}

/** `pio86 fuzz --oracle kvm` */
export interface FuzzRequest {
  readonly command: 'fuzz';
  readonly target: string;
  readonly options: FuzzCommandOptions;
}

/** One piece of work. */
export type HostRequest = RunRequest | DiffRequest | FuzzRequest;

/** In the child: from here on its deadline counts. */
export function sayStarted(): void {
  process.send?.('started');
}
