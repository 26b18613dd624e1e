/**
 * The reference model's linear memory. Without paging it is the RAM; with paging each access goes page by page through the walk.
 *
 * KVM (`emulator_read_write`): what lies across the end of a page is done in two pieces, the first one before the second page is
 * looked at. A fault there leaves the first page's bytes stored.
 */
import { PAGING_BASE } from './case-layout.ts';
import { type ReferencePaging, ReferenceWalk } from './reference-walk.ts';
import type { UndoRam } from './undo-ram.ts';

const PAGE = 4096;

/** See the opening comment. Linear addresses are cut to 32 bits. */
export class ReferenceMemory {
  readonly ram: UndoRam;
  /** Address and error code of the page fault that the last failed access met. */
  faultAddress = 0;
  errorCode = 0;
  /** Something led to where no RAM is, or stored over the page tables, of which a processor may hold copies. */
  hasLeftModel = false;
  #paging: ReferencePaging | null = null;
  readonly #walk: ReferenceWalk;

  constructor(ram: UndoRam) {
    this.ram = ram;
    this.#walk = new ReferenceWalk(ram);
  }

  get isPaged(): boolean {
    return this.#paging !== null;
  }

  begin(paging: ReferencePaging | null): void {
    this.#paging = paging;
    this.hasLeftModel = false;
  }

  /** Little-endian, unsigned; −1 for a page fault. */
  read(linear: number, size: number, isUser: boolean): number {
    if (this.#paging === null) return bytesToNumber(this.ram.bytes, linear >>> 0, size);
    let value = 0;
    for (let i = 0; i < size; ) {
      const physical = this.#translate(this.#paging, linear + i, false, isUser);
      if (physical < 0) return -1;
      const inPage = Math.min(size - i, PAGE - (physical % PAGE));
      for (let j = 0; j < inPage; j++, i++) value |= (this.ram.bytes[physical + j] ?? 0) << (8 * i);
    }
    return value >>> 0;
  }

  /** @returns false for a page fault. */
  write(linear: number, size: number, value: number, isUser: boolean): boolean {
    const bytes = WORD;
    numberToBytes(value, bytes, 0, size);
    return this.writeBytes(linear, bytes, 0, size, isUser);
  }

  /** Stores `bytes[from … from+length−1]`. @returns false for a page fault. */
  writeBytes(linear: number, bytes: Uint8Array, from: number, length: number, isUser: boolean): boolean {
    const { ram } = this;
    if (this.#paging === null) {
      for (let i = 0; i < length; i++) ram.write(linear + i, bytes[from + i]);
      return true;
    }
    for (let i = 0; i < length; ) {
      const physical = this.#translate(this.#paging, linear + i, true, isUser);
      if (physical < 0) return false;
      if (physical >= PAGING_BASE) this.hasLeftModel = true;
      const inPage = Math.min(length - i, PAGE - (physical % PAGE));
      for (let j = 0; j < inPage && !this.hasLeftModel; j++) ram.write(physical + j, bytes[from + i + j]);
      i += inPage;
    }
    return true;
  }

  #translate(paging: ReferencePaging, address: number, isWrite: boolean, isUser: boolean): number {
    const linear = address >>> 0;
    const physical = this.#walk.translate(paging, linear, isWrite, isUser);
    if (physical < 0) {
      this.faultAddress = linear;
      this.errorCode = this.#walk.errorCode;
    } else if (physical >= this.ram.bytes.length) this.hasLeftModel = true;
    return physical;
  }
}

/** What {@link ReferenceMemory.write} stores. */
const WORD = new Uint8Array(4);

/** Little-endian, unsigned. */
export function bytesToNumber(bytes: Uint8Array, at: number, size: number): number {
  if (size === 1) return bytes[at];
  const half = bytes[at] | (bytes[at + 1] << 8);
  return size === 2 ? half : (half | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}

/** Little-endian. */
export function numberToBytes(value: number, bytes: Uint8Array, at: number, size: number): void {
  for (let i = 0; i < size; i++) bytes[at + i] = value >>> (8 * i);
}
