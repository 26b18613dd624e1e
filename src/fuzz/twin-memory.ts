/**
 * Guest RAM and the reference model's RAM, side by side: loaded alike, compared after a case, and put back, touching
 * only the pages that were written.
 */
import { type GuestMemory, PAGE_CLEAN, PAGE_SHIFT, PAGE_SIZE } from '../cpu/memory.ts';
import { UndoRam } from './undo-ram.ts';

/** One byte that the two sides disagree about. */
export interface MemoryDifference {
  readonly addr: number;
  readonly expected: number;
  readonly got: number;
}

/** See the opening comment. */
export class TwinMemory {
  /** The model's side. */
  readonly model: UndoRam;
  readonly #guest: GuestMemory;
  readonly #pages: number;

  /** Both sides start from what the guest's RAM holds now. */
  constructor(guest: GuestMemory) {
    this.#guest = guest;
    this.model = new UndoRam(guest.ram.slice());
    this.#pages = guest.ram.length >>> PAGE_SHIFT;
  }

  /** Stores setup bytes on both sides. */
  load(addr: number, bytes: readonly number[]): void {
    for (const [i, byte] of bytes.entries()) {
      this.model.write(addr + i, byte);
      this.#guest.writeByte(addr + i, byte);
    }
  }

  /** From here on the guest's stores are seen. */
  arm(): void {
    this.#guest.restrict(0, this.#pages, PAGE_CLEAN);
  }

  /** The first difference in any page that either side wrote, or null. */
  compare(): MemoryDifference | null {
    const { ram } = this.#guest;
    const { bytes } = this.model;
    for (const page of this.#writtenPages()) {
      const start = page << PAGE_SHIFT;
      const end = start + PAGE_SIZE;
      if (Buffer.compare(ram.subarray(start, end), bytes.subarray(start, end)) === 0) continue;
      for (let addr = start; addr < end; addr++) {
        if (ram[addr] !== bytes[addr]) return { addr, expected: bytes[addr], got: ram[addr] };
      }
    }
    return null;
  }

  /** Takes back what both sides stored. */
  restore(): void {
    const pages = this.#writtenPages();
    this.model.undo();
    for (const page of pages) {
      const start = page << PAGE_SHIFT;
      this.#guest.ram.set(this.model.bytes.subarray(start, start + PAGE_SIZE), start);
      this.#guest.code?.invalidate(start, PAGE_SIZE);
    }
  }

  #writtenPages(): Set<number> {
    const pages = new Set<number>();
    for (const addr of this.model.written) pages.add(addr >>> PAGE_SHIFT);
    for (let page = 0; page < this.#pages; page++) {
      if ((this.#guest.pageFlags[page] & PAGE_CLEAN) === 0) pages.add(page);
    }
    return pages;
  }
}
