/**
 * Guest bytes and trace lines on their way out: gathered while a slice runs, handed to a stream between slices.
 */
import type { TextSink } from '../../trace/kvm-trace-printer.ts';
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

/** Lines are made bytes in blocks of so many characters. */
const BLOCK_CHARS = 1 << 14;

/** UTF-8 of a character at most. */
const BYTES_PER_CHAR = 3;
const BUFFER_BYTES = 1 << 19;

/** Lines of a trace, made bytes block by block: a million strings that wait cost more than they are long. */
export class TextLines implements TextSink, Gathered {
  readonly stream: OutputStream;
  #full: Uint8Array[] = [];
  #fullBytes = 0;
  /** Blocks go behind each other: to make a buffer for each costs more than to encode it. */
  #buffer = Buffer.alloc(0);
  #length = 0;
  #text = '';

  constructor(stream: OutputStream) {
    this.stream = stream;
  }

  get pending(): number {
    return this.#fullBytes + this.#length + this.#text.length;
  }

  write(text: string): void {
    this.#text += text;
    if (this.#text.length >= BLOCK_CHARS) this.#encode();
  }

  handOn(): void {
    this.#encode();
    this.#cut();
    const full = this.#full;
    this.#full = [];
    this.#fullBytes = 0;
    for (const block of full) this.stream.write(block);
    this.stream.throwIfFailed();
  }

  /** What is encoded is the stream's from now on; the rest of the buffer is ours. */
  #cut(): void {
    if (this.#length === 0) return;
    this.#full.push(this.#buffer.subarray(0, this.#length));
    this.#fullBytes += this.#length;
    this.#buffer = this.#buffer.subarray(this.#length);
    this.#length = 0;
  }

  #encode(): void {
    const most = this.#text.length * BYTES_PER_CHAR;
    if (this.#length + most > this.#buffer.length) {
      this.#cut();
      if (most > this.#buffer.length) this.#buffer = Buffer.allocUnsafeSlow(Math.max(most, BUFFER_BYTES));
    }
    this.#length += this.#buffer.write(this.#text, this.#length);
    this.#text = '';
  }
}
