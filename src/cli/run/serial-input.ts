/**
 * Standard input on its way to the UART: raw bytes, read no faster than the guest takes them.
 */
import type { CliIo, InputStream } from '../io.ts';
import type { Wakeup } from './host-time.ts';

const CTRL_C = 3;
/** However the input ends, the guest sees its end. */
const ENDINGS = ['end', 'error', 'close'] as const;

/** Bytes for the serial line. */
export interface SerialInput {
  /** Bytes that wait. */
  readonly pending: number;
  /** Nothing will come any more. */
  readonly ended: boolean;
  /** What comes next comes soon: the run waits for it, so that it does not depend on the host's time. */
  readonly neverWaits: boolean;
  /** Hands bytes to `receive` until it refuses one. @returns how many it took. */
  feed(receive: (byte: number) => boolean): number;
  /** Gives the stream back. */
  close(): void;
}

/** A serial line without input. */
export const NO_INPUT: SerialInput = {
  pending: 0,
  ended: true,
  neverWaits: false,
  feed: () => 0,
  close() {},
};

/** Reads `stdin`; on a terminal every key goes to the guest but Ctrl-C, which calls `onInterrupt`. */
export class StdinInput implements SerialInput {
  readonly neverWaits: boolean;
  readonly #stdin: InputStream;
  readonly #wakeup: Wakeup;
  readonly #onInterrupt: () => void;
  readonly #isRaw: boolean;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #ended = false;

  constructor(io: Pick<CliIo, 'stdin' | 'stdinNeverWaits'>, wakeup: Wakeup, onInterrupt: () => void) {
    const { stdin } = io;
    this.neverWaits = io.stdinNeverWaits === true;
    this.#stdin = stdin;
    this.#wakeup = wakeup;
    this.#onInterrupt = onInterrupt;
    this.#isRaw = stdin.isTTY === true && stdin.setRawMode !== undefined;
    if (this.#isRaw) stdin.setRawMode?.(true);
    stdin.on('data', this.#onData);
    for (const event of ENDINGS) stdin.on(event, this.#onEnd);
    if (stdin.readableEnded) this.#ended = true;
  }

  get pending(): number {
    return this.#bytes.length - this.#at;
  }

  get ended(): boolean {
    return this.#ended;
  }

  feed(receive: (byte: number) => boolean): number {
    const from = this.#at;
    while (this.#at < this.#bytes.length && receive(this.#bytes[this.#at])) this.#at++;
    const taken = this.#at - from;
    if (taken > 0 && this.pending === 0) this.#stdin.resume();
    return taken;
  }

  close(): void {
    const stdin = this.#stdin;
    stdin.off('data', this.#onData);
    stdin.pause();
    if (this.#isRaw) stdin.setRawMode?.(false);
    // An open pipe must not keep the process alive.
    stdin.unref?.();
  }

  readonly #onData = (chunk: Uint8Array | string): void => {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    if (this.#isRaw && bytes.includes(CTRL_C)) this.#onInterrupt();
    const rest = this.#bytes.subarray(this.#at);
    this.#bytes = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    this.#at = 0;
    this.#stdin.pause();
    this.#wakeup.wake();
  };

  readonly #onEnd = (): void => {
    this.#ended = true;
    this.#wakeup.wake();
  };
}
