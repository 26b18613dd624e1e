/**
 * Guest bytes and trace lines on their way out: gathered while a slice runs, handed to a stream between slices.
 */
import type { LineSink } from '../../trace/kvm-trace-printer.ts';
import type { OutputStream } from '../output-stream.ts';

const CHUNK_BYTES = 0x10000;

/** Something that gathers output. */
export interface Gathered {
  /** Bytes or characters that wait. */
  readonly pending: number;
  readonly stream: OutputStream;
  /** Hands everything to the stream. @throws what the stream failed with. */
  handOn(): void;
}

/** Bytes of the UART or a debug console. */
export class GuestBytes implements Gathered {
  readonly stream: OutputStream;
  #full: Uint8Array[] = [];
  #chunk = new Uint8Array(CHUNK_BYTES);
  #length = 0;

  constructor(stream: OutputStream) {
    this.stream = stream;
  }

  get pending(): number {
    return this.#full.length * CHUNK_BYTES + this.#length;
  }

  write(byte: number): void {
    this.#chunk[this.#length++] = byte;
    if (this.#length === CHUNK_BYTES) {
      this.#full.push(this.#chunk);
      this.#chunk = new Uint8Array(CHUNK_BYTES);
      this.#length = 0;
    }
  }

  handOn(): void {
    const full = this.#full;
    this.#full = [];
    const rest = this.#chunk.slice(0, this.#length);
    this.#length = 0;
    for (const chunk of full) this.stream.write(chunk);
    this.stream.write(rest);
    this.stream.throwIfFailed();
  }
}

const BLOCK_BYTES = 1 << 19;
/** Fewer bytes than these are copied, and the block goes on: a guest that is traced a few lines at a time takes one block. */
const MIN_HANDED_BYTES = 1 << 14;
/** Blocks kept for what comes next. */
const MAX_FREE = 16;

/** Lines of a trace, gathered in blocks; a block that is written is used again, because fresh memory costs more than what is put there. */
export class TraceLines implements LineSink, Gathered {
  readonly stream: OutputStream;
  readonly #free: Uint8Array[] = [];
  #full: Uint8Array[] = [];
  #fullBytes = 0;
  #block: Uint8Array = new Uint8Array(0);
  #length = 0;

  constructor(stream: OutputStream) {
    this.stream = stream;
  }

  get pending(): number {
    return this.#fullBytes + this.#length;
  }

  writeLine(head: Uint8Array, text: Uint8Array): void {
    const length = head.length + text.length;
    if (this.#length + length > this.#block.length) this.#begin(length);
    // `set` copies a line in the time that a loop takes for ten bytes.
    this.#block.set(head, this.#length);
    this.#block.set(text, this.#length + head.length);
    this.#length += length;
  }

  handOn(): void {
    if (this.#full.length === 0 && this.#length < MIN_HANDED_BYTES) this.#handCopy();
    this.#cut();
    const full = this.#full;
    this.#full = [];
    this.#fullBytes = 0;
    for (const lines of full) {
      const block = new Uint8Array(lines.buffer);
      this.stream.write(lines, () => {
        if (this.#free.length < MAX_FREE) this.#free.push(block);
      });
    }
    this.stream.throwIfFailed();
  }

  #handCopy(): void {
    if (this.#length === 0) return;
    this.stream.write(this.#block.slice(0, this.#length));
    this.#length = 0;
  }

  /** The block is the stream's until it is written. */
  #cut(): void {
    if (this.#length === 0) return;
    this.#full.push(this.#block.subarray(0, this.#length));
    this.#fullBytes += this.#length;
    this.#block = new Uint8Array(0);
    this.#length = 0;
  }

  #begin(length: number): void {
    this.#cut();
    const block = this.#free.pop();
    this.#block =
      block !== undefined && length <= block.length ? block : new Uint8Array(Math.max(length, BLOCK_BYTES));
  }
}
