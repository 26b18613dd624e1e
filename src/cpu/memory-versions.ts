/**
 * Versions of guest memory: what a snapshot keeps of it, at the cost of the pages that were written.
 *
 * There is one live array of bytes. A version does not copy it: it keeps the pages in which it differs from its *next*
 * version, and the last in the chain differs from the live memory (Baker, “Shallow Binding Makes Functional Arrays Fast”,
 * SIGPLAN Notices 26(8), 1991). Only the version that the live memory has developed from (`#base`) grows: the first store
 * to a page since then keeps what the page held.
 *
 *     older ──▶ newer ──▶ base ──▶ live          restore(older):   newer ──▶ older = live, base ──▶ newer
 *
 * To go back, the pages on the way change places with those in the live memory and the arrows turn round, so that every
 * version stays reachable from wherever the live memory stands. Pages of one step are put back last first: two slots that
 * share memory need no special care then.
 */
import { EmulatorError } from '../errors.ts';
import { type GuestMemory, PAGE_CLEAN, PAGE_HAS_CODE, PAGE_SIZE, PAGES } from './memory.ts';

/** One state of the memory. Opaque to everyone but {@link MemoryVersions}. */
export class MemoryVersion {
  readonly owner: MemoryVersions;
  /** Which slots there were: see {@link MemoryVersions.forget}. */
  readonly layout: number;
  /** Towards the live memory; null where this version is the base. */
  next: MemoryVersion | null = null;
  /** Physical page numbers, and what they hold here and not in `next`. */
  pages: number[] = [];
  contents: Uint8Array[] = [];

  constructor(owner: MemoryVersions, layout: number) {
    this.owner = owner;
    this.layout = layout;
  }
}

/** The versions of one guest's memory. */
export class MemoryVersions {
  readonly #memory: GuestMemory;
  #layout = 0;
  /** What the live memory has developed from; null while nobody has asked for a version. */
  #base: MemoryVersion | null = null;
  /** 1: what the page held in `#base` is kept. Made with the first version. */
  #isKept: Uint8Array = new Uint8Array(0);
  /** Pages to use again. */
  readonly #free: Uint8Array[] = [];

  constructor(memory: GuestMemory) {
    this.#memory = memory;
  }

  /** Those of `memory`, made when it has none yet. */
  static of(memory: GuestMemory): MemoryVersions {
    memory.versions ??= new MemoryVersions(memory);
    return memory.versions;
  }

  /** Pages written since the last {@link take} or {@link restore}. */
  get dirtyPages(): number {
    return this.#base === null ? 0 : this.#base.pages.length;
  }

  /** The memory as it is now. Costs the pages written since the last version (the first one: a flag a page). */
  take(): MemoryVersion {
    const memory = this.#memory;
    const version = new MemoryVersion(this, this.#layout);
    if (this.#base === null) {
      if (this.#isKept.length === 0) this.#isKept = new Uint8Array(PAGES);
      for (const { gpa, mem } of memory.slots)
        memory.restrict(gpa / PAGE_SIZE, mem.length / PAGE_SIZE, PAGE_CLEAN);
    } else {
      this.#base.next = version;
      this.#markClean(this.#base.pages);
    }
    this.#base = version;
    return version;
  }

  /** The first store to a page since it was marked clean is about to come: keeps what it holds. */
  keep(page: number): void {
    const base = this.#base;
    if (base === null || this.#isKept[page] !== 0) return;
    const slot = this.#memory.slotAt(page * PAGE_SIZE);
    if (slot === null) return;
    this.#isKept[page] = 1;
    const at = page * PAGE_SIZE - slot.gpa;
    const content = this.#free.pop() ?? new Uint8Array(PAGE_SIZE);
    content.set(slot.mem.subarray(at, at + PAGE_SIZE));
    base.pages.push(page);
    base.contents.push(content);
  }

  /**
   * Makes the live memory what `version` is: one of this memory, or of another with the same slots.
   *
   * @throws EmulatorError `E_STATE` when slots have come or gone since the version was taken, `E_ARGUMENT` when those of
   * the other memory differ.
   */
  restore(version: MemoryVersion): void {
    version.owner.#checkLayout(version);
    if (version.owner !== this) {
      this.#copyFrom(version);
      return;
    }
    const base = this.#base;
    if (base === null) return; // #checkLayout: a version of this layout implies a base
    this.#undo(base);
    if (version === base) return;
    const path: MemoryVersion[] = [];
    for (let v: MemoryVersion | null = version; v !== null; v = v.next) path.push(v);
    for (let i = path.length - 2; i >= 0; i--) this.#step(path[i + 1], path[i]);
    this.#base = version;
  }

  /** Slots have come or gone: the versions so far cannot be restored any more. */
  forget(): void {
    this.#layout++;
    if (this.#base === null) return;
    for (const page of this.#base.pages) this.#isKept[page] = 0;
    this.#base = null;
  }

  #checkLayout(version: MemoryVersion): void {
    if (version.layout === this.#layout) return;
    throw new EmulatorError('E_STATE', 'snapshot: memory slots have come or gone since it was taken');
  }

  /** Takes back what was written since `base`. */
  #undo(base: MemoryVersion): void {
    const { pages, contents } = base;
    for (let i = pages.length - 1; i >= 0; i--) {
      this.#put(pages[i], contents[i]);
      this.#free.push(contents[i]);
    }
    this.#markClean(pages);
    pages.length = 0;
    contents.length = 0;
  }

  /** The live memory is `from`, unwritten; makes it `to`, whose next version is `from`. */
  #step(from: MemoryVersion, to: MemoryVersion): void {
    const { pages, contents } = to;
    for (let i = pages.length - 1; i >= 0; i--) contents[i] = this.#swap(pages[i], contents[i]);
    this.#markClean(pages);
    from.next = to;
    from.pages = pages.reverse();
    from.contents = contents.reverse();
    to.next = null;
    to.pages = [];
    to.contents = [];
  }

  /** Puts `content` into a page. @returns what the page held. */
  #swap(page: number, content: Uint8Array): Uint8Array {
    const old = this.#free.pop() ?? new Uint8Array(PAGE_SIZE);
    old.set(this.#bytesOf(page));
    this.#put(page, content);
    this.#free.push(content);
    return old;
  }

  #put(page: number, content: Uint8Array): void {
    const bytes = this.#bytesOf(page);
    if ((this.#memory.pageFlags[page] & PAGE_HAS_CODE) !== 0) this.#dropCode(page, bytes, content);
    bytes.set(content);
  }

  /** Where there is code only the bytes that differ count, as one run: instructions elsewhere in the page stay. */
  #dropCode(page: number, bytes: Uint8Array, content: Uint8Array): void {
    let first = 0;
    while (first < PAGE_SIZE && bytes[first] === content[first]) first++;
    if (first === PAGE_SIZE) return;
    let last = PAGE_SIZE - 1;
    while (bytes[last] === content[last]) last--;
    this.#memory.code?.invalidate(page * PAGE_SIZE + first, last - first + 1);
  }

  #bytesOf(page: number): Uint8Array {
    const slot = this.#memory.slotAt(page * PAGE_SIZE);
    if (slot === null) return new Uint8Array(PAGE_SIZE); // no version holds a page outside the slots
    const at = page * PAGE_SIZE - slot.gpa;
    return slot.mem.subarray(at, at + PAGE_SIZE);
  }

  #markClean(pages: readonly number[]): void {
    const memory = this.#memory;
    for (const page of pages) {
      this.#isKept[page] = 0;
      memory.restrict(page, 1, PAGE_CLEAN);
    }
  }

  /** Another memory's version: that memory shows it for a moment, and every page that differs is written here. */
  #copyFrom(version: MemoryVersion): void {
    const { owner } = version;
    const from = owner.#memory;
    this.#checkSlots(from);
    const now = owner.take();
    owner.restore(version);
    for (const [i, { gpa, mem }] of from.slots.entries()) {
      const own = this.#memory.slots[i].mem;
      for (let at = 0; at < mem.length; at += PAGE_SIZE) {
        const content = mem.subarray(at, at + PAGE_SIZE);
        if (content.every((byte, offset) => byte === own[at + offset])) continue;
        const page = (gpa + at) / PAGE_SIZE;
        this.keep(page);
        this.#put(page, content);
      }
    }
    owner.restore(now);
  }

  #checkSlots(from: GuestMemory): void {
    const own = this.#memory.slots;
    const fits =
      own.length === from.slots.length &&
      from.slots.every(
        (s, i) => s.slot === own[i].slot && s.gpa === own[i].gpa && s.mem.length === own[i].mem.length,
      );
    if (fits) return;
    throw new EmulatorError(
      'E_ARGUMENT',
      `snapshot: memory is ${slotsText(from)}, the machine's is ${slotsText(this.#memory)}`,
    );
  }
}

function slotsText(memory: GuestMemory): string {
  const hex = (n: number): string => `0x${n.toString(16)}`;
  const slots = memory.slots.map(({ slot, gpa, mem }) => `slot ${slot} at ${hex(gpa)}+${hex(mem.length)}`);
  return slots.length === 0 ? 'empty' : slots.join(', ');
}
