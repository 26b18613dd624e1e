/**
 * Guest RAM and the reference model's RAM, side by side: set up alike, compared after a case, and put back, touching
 * only what was written.
 */
import { type GuestMemory, PAGE_CLEAN, PAGE_HAS_CODE, PAGE_SHIFT, PAGE_SIZE } from '../cpu/memory.ts';
import { UndoRam } from './undo-ram.ts';

/** One byte that the two sides disagree about. */
export interface MemoryDifference {
  readonly addr: number;
  readonly expected: number;
  readonly got: number;
}

/** The page flags of four clean pages as one number. */
const FOUR_CLEAN = PAGE_CLEAN * 0x0101_0101;

/** See the opening comment. */
export class TwinMemory {
  /** The model's side. */
  readonly model: UndoRam;
  readonly #guest: GuestMemory;
  readonly #ram: Buffer;
  readonly #modelBuffer: Buffer;
  readonly #pages: number;
  /** The guest's page flags, four in a word. */
  readonly #flags: Uint32Array;
  /** What the setup has replaced: address, byte… */
  #setup: number[] = [];
  readonly #dirty: number[] = [];

  /** Both sides start from what the guest's RAM holds now. */
  constructor(guest: GuestMemory) {
    this.#guest = guest;
    const { ram } = guest;
    this.model = new UndoRam(ram.slice());
    this.#ram = Buffer.from(ram.buffer, ram.byteOffset, ram.length);
    this.#modelBuffer = Buffer.from(this.model.bytes.buffer);
    this.#pages = ram.length >>> PAGE_SHIFT;
    this.#flags = new Uint32Array(
      guest.pageFlags.buffer,
      guest.pageFlags.byteOffset,
      (this.#pages + 3) >>> 2,
    );
    guest.restrict(0, this.#pages, PAGE_CLEAN);
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
    for (const page of this.#dirty) {
      const start = page << PAGE_SHIFT;
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
    const { model } = this;
    if (areEqual && this.#dirty.length === 0 && model.count === 0) return;
    if (!areEqual) this.#findDirty();
    const count = model.count;
    model.undo();
    // Where both sides were the same, what the model stored is all that anybody stored.
    if (areEqual)
      for (let i = 0; i < count; i++) this.#pokeGuest(model.address(i), model.bytes[model.address(i)]);
    else for (const page of this.#dirty) this.#copyPage(page);
    for (const page of this.#dirty) this.#guest.restrict(page, 1, PAGE_CLEAN);
    this.#dirty.length = 0;
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

  /** The pages that either side wrote, each once. */
  #findDirty(): void {
    const dirty = this.#dirty;
    dirty.length = 0;
    const { pageFlags } = this.#guest;
    const flags = this.#flags;
    for (let word = 0; word < flags.length; word++) {
      if ((flags[word] & FOUR_CLEAN) === FOUR_CLEAN) continue;
      for (let page = word * 4; page < Math.min(word * 4 + 4, this.#pages); page++) {
        if ((pageFlags[page] & PAGE_CLEAN) === 0) dirty.push(page);
      }
    }
    let last = -1;
    for (let i = 0; i < this.model.count; i++) {
      const page = this.model.address(i) >>> PAGE_SHIFT;
      if (page !== last && !dirty.includes(page)) dirty.push(page);
      last = page;
    }
  }
}
