/**
 * Guest RAM and the reference model's RAM, side by side: set up alike, compared after a case, and put back, touching
 * only what was written.
 */
import { setDirtyLogging } from '../cpu/dirty-log.ts';
import { type GuestMemory, PAGE_CLEAN, PAGE_HAS_CODE, PAGE_SHIFT, PAGE_SIZE } from '../cpu/memory.ts';
import { UndoRam } from './undo-ram.ts';

/** One byte that the two sides disagree about. */
export interface MemoryDifference {
  readonly addr: number;
  readonly expected: number;
  readonly got: number;
}

/** Pages in a word of a dirty log. */
const LOG_SHIFT = 5;
const LOG_MASK = 31;

/** See the opening comment. */
export class TwinMemory {
  /** The model's side. */
  readonly model: UndoRam;
  readonly #guest: GuestMemory;
  readonly #ram: Buffer;
  readonly #modelBuffer: Buffer;
  /** The guest's dirty log, which a case adds the model's pages to: a bit a page. */
  readonly #log: Int32Array;
  /** What the setup has replaced: address, byte… */
  #setup: number[] = [];
  /** Pages that either side wrote, each once. */
  readonly #dirty: Int32Array;
  #dirtyCount = 0;

  /** Both sides start from what the guest's RAM holds now. */
  constructor(guest: GuestMemory) {
    this.#guest = guest;
    const { ram } = guest;
    this.model = new UndoRam(ram.slice());
    this.#ram = Buffer.from(ram.buffer, ram.byteOffset, ram.length);
    this.#modelBuffer = Buffer.from(this.model.bytes.buffer);
    this.#dirty = new Int32Array(ram.length >>> PAGE_SHIFT);
    const [slot] = guest.slots;
    setDirtyLogging(guest, slot, true);
    const bits = slot.dirtyBitmap ?? new Uint8Array(0);
    this.#log = new Int32Array(bits.buffer, bits.byteOffset, bits.length >> 2);
  }

  /** Puts bytes (address, byte, address, byte…) into both sides, in place of those of the setup before. */
  setUp(bytes: readonly number[]): void {
    const old = this.#setup;
    for (let i = old.length - 2; i >= 0; i -= 2) this.#poke(old[i], old[i + 1]);
    this.#setup = [];
    for (let i = 0; i < bytes.length; i += 2) {
      this.#setup.push(bytes[i], this.model.bytes[bytes[i]]);
      this.#poke(bytes[i], bytes[i + 1]);
    }
  }

  /** The first difference in any page that either side wrote, or null. */
  compare(): MemoryDifference | null {
    this.#findDirty();
    for (let i = 0; i < this.#dirtyCount; i++) {
      const start = this.#dirty[i] << PAGE_SHIFT;
      const end = start + PAGE_SIZE;
      if (this.#ram.compare(this.#modelBuffer, start, end, start, end) === 0) continue;
      for (let addr = start; addr < end; addr++) {
        const [expected, got] = [this.model.bytes[addr], this.#ram[addr]];
        if (expected !== got) return { addr, expected, got };
      }
    }
    return null;
  }

  /** Takes back what both sides stored. `areEqual`: they were compared and hold the same. */
  restore(areEqual: boolean): void {
    if (!areEqual) this.#findDirty();
    const pages = this.#dirtyCount;
    if (pages === 0) return;
    const { model } = this;
    const stores = model.count;
    model.undo();
    // Where both sides were the same, what the model stored is all that anybody stored.
    if (areEqual) for (let i = 0; i < stores; ) i = this.#copyRun(i, stores);
    for (let i = 0; i < pages; i++) {
      const page = this.#dirty[i];
      if (!areEqual) this.#copyPage(page);
      this.#guest.restrict(page, 1, PAGE_CLEAN);
      this.#log[page >>> LOG_SHIFT] = 0;
    }
    this.#dirtyCount = 0;
  }

  /** Puts back what the model's stores from number `first` on have replaced, as far as their addresses follow one another. */
  #copyRun(first: number, stores: number): number {
    const { model } = this;
    const start = model.address(first);
    let i = first;
    let end = start;
    do {
      this.#ram[end] = model.bytes[end];
      i++;
      end++;
    } while (i < stores && model.address(i) === end);
    const { pageFlags, code } = this.#guest;
    const flags = pageFlags[start >>> PAGE_SHIFT] | pageFlags[(end - 1) >>> PAGE_SHIFT];
    if ((flags & PAGE_HAS_CODE) !== 0) code?.invalidate(start, end - start);
    return i;
  }

  #copyPage(page: number): void {
    const start = page << PAGE_SHIFT;
    this.#ram.set(this.model.bytes.subarray(start, start + PAGE_SIZE), start);
    this.#guest.code?.invalidate(start, PAGE_SIZE);
  }

  #poke(addr: number, value: number): void {
    this.model.bytes[addr] = value;
    this.#pokeGuest(addr, value);
  }

  #pokeGuest(addr: number, value: number): void {
    if (this.#ram[addr] === value) return;
    this.#ram[addr] = value;
    if ((this.#guest.pageFlags[addr >>> PAGE_SHIFT] & PAGE_HAS_CODE) !== 0)
      this.#guest.code?.invalidate(addr, 1);
  }

  /** Looks through the log, to which the pages of the model's stores are added first. */
  #findDirty(): void {
    const log = this.#log;
    const { model } = this;
    const stores = model.count;
    for (let i = 0; i < stores; i++) {
      const page = model.address(i) >>> PAGE_SHIFT;
      log[page >>> LOG_SHIFT] |= 1 << (page & LOG_MASK);
    }
    let count = 0;
    for (let at = 0; at < log.length; at++) {
      for (let bits = log[at]; bits !== 0; bits &= bits - 1) {
        this.#dirty[count++] = (at << LOG_SHIFT) + 31 - Math.clz32(bits & -bits);
      }
    }
    this.#dirtyCount = count;
  }
}
