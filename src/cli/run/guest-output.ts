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

/** Lines of a trace, made bytes block by block: a million strings that wait cost more than they are long. */
export class TextLines implements TextSink, Gathered {
  readonly stream: OutputStream;
  #full: Uint8Array[] = [];
  #fullBytes = 0;
  #text = '';

  constructor(stream: OutputStream) {
    this.stream = stream;
  }

  get pending(): number {
    return this.#fullBytes + this.#text.length;
  }

  write(text: string): void {
    this.#text += text;
    if (this.#text.length >= BLOCK_CHARS) this.#encode();
  }

  handOn(): void {
    this.#encode();
    const full = this.#full;
    this.#full = [];
    this.#fullBytes = 0;
    for (const block of full) this.stream.write(block);
    this.stream.throwIfFailed();
  }

  #encode(): void {
    const block = Buffer.from(this.#text);
    this.#text = '';
    this.#full.push(block);
    this.#fullBytes += block.length;
  }
}
