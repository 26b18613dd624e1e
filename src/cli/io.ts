/**
 * What a command may touch of its process. Tests hand in their own streams; `main.ts` hands in Node's.
 */
import { fstatSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { isatty } from 'node:tty';

/** A readable that may be a terminal. */
export interface InputStream extends Readable {
  readonly isTTY?: boolean;
  setRawMode?(on: boolean): unknown;
  unref?(): unknown;
}

/** A writable that may be a terminal. */
export interface TerminalWritable extends Writable {
  readonly isTTY?: boolean;
}

/** Standard streams, environment and signals. */
export interface CliIo {
  readonly stdin: InputStream;
  /** Whether `stdin` never keeps anybody waiting: a file or /dev/null, not a terminal or a pipe. */
  readonly stdinNeverWaits?: boolean;
  readonly stdout: TerminalWritable;
  readonly stderr: TerminalWritable;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Calls `handler` on SIGINT. @returns what takes it off again. */
  onSigint(handler: () => void): () => void;
  /** The same for SIGTERM, which otherwise ends the process at once. */
  onSigterm(handler: () => void): () => void;
  /** The user's patience is at its end: the process ends soon, even if nobody takes the output that is left. */
  exitSoon(exitCode: number): void;
}

const LAST_WRITES_MS = 500;

const STDIN_FD = 0;

function neverWaits(fd: number): boolean {
  try {
    const stat = fstatSync(fd);
    return stat.isFile() || (stat.isCharacterDevice() && !isatty(fd));
  } catch {
    return false;
  }
}

/** The streams of this process. */
export function processIo(): CliIo {
  return {
    // Touching process.stdin opens it: only the commands that read it shall.
    get stdin() {
      return process.stdin;
    },
    get stdinNeverWaits() {
      return neverWaits(STDIN_FD);
    },
    get stdout() {
      return process.stdout;
    },
    get stderr() {
      return process.stderr;
    },
    env: process.env,
    onSigint(handler) {
      process.on('SIGINT', handler);
      return () => process.off('SIGINT', handler);
    },
    onSigterm(handler) {
      process.on('SIGTERM', handler);
      return () => process.off('SIGTERM', handler);
    },
    exitSoon(exitCode) {
      setTimeout(() => process.exit(exitCode), LAST_WRITES_MS).unref();
    },
  };
}
