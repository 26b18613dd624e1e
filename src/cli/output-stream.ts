/**
 * A stream to write to without filling the host's memory: write, then await {@link OutputStream.drained} between
 * slices of work. A reader that went away (`| head`) is no error: what is written after that vanishes.
 */
import type { Writable } from 'node:stream';
import { type CliError, inputError } from './cli-error.ts';
import { fileErrorText } from './read-input.ts';

/** One output with backpressure and a quiet EPIPE. */
export class OutputStream {
  readonly #stream: Writable;
  readonly #name: string;
  #full = false;
  #closed = false;
  #error: CliError | null = null;
  #waiting: (() => void)[] = [];
  /** Called whenever the stream takes data again, or never will. */
  onResume: (() => void) | null = null;

  /** @param name what messages call the stream, for example `standard output`. */
  constructor(stream: Writable, name: string) {
    this.#stream = stream;
    this.#name = name;
    stream.on('drain', () => {
      this.#full = false;
      this.#resume();
    });
    stream.on('error', (error: NodeJS.ErrnoException) => {
      this.#fail(error);
      this.#resume();
    });
    stream.on('close', () => {
      this.#closed = true;
      this.#resume();
    });
  }

  /** The reader is gone: nothing more will arrive anywhere. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Data waits in the stream: better not write more. */
  get isFull(): boolean {
    return this.#full && !this.#closed;
  }

  /** @throws CliError that says what the stream failed with (disk full), but not EPIPE. */
  throwIfFailed(): void {
    if (this.#error !== null) throw this.#error;
  }

  /**
   * Hands `data` to the stream. Bytes are not copied: the caller must not change them before `written` is called, which never happens
   * where a stream is closed.
   */
  write(data: string | Uint8Array, written?: () => void): void {
    if (this.#closed || data.length === 0) return;
    try {
      if (!this.#stream.write(data, written)) this.#full = true;
    } catch (error) {
      this.#fail(error as NodeJS.ErrnoException); // standard output that is a file throws at once
    }
  }

  /**
   * Resolves when the stream takes more, at once if it does already.
   * @throws CliError that says what the stream failed with (disk full), but not EPIPE.
   */
  async drained(): Promise<void> {
    while (this.isFull) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
    this.throwIfFailed();
  }

  /** Ends a stream of our own (a file) and waits until its data is out. */
  async end(): Promise<void> {
    if (!this.#closed) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        this.#stream.end(() => resolve());
      });
    }
    this.throwIfFailed();
  }

  #fail(error: NodeJS.ErrnoException): void {
    this.#closed = true;
    if (error.code !== 'EPIPE') this.#error ??= inputError(`${this.#name}: ${fileErrorText(error)}`);
  }

  #resume(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
    this.onResume?.();
  }
}
