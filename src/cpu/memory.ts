/**
 * Guest-physical memory: slots as in KVM, and one flags byte a physical page that answers every access in one load.
 *
 * The slot at physical address 0 is the *direct window*: the CPU indexes it with the physical address itself.
 * Everything else (ROM below 4 GiB, further slots) is reached through the slow path.
 */
import { EmulatorError } from '../errors.ts';
import type { MemoryVersions } from './memory-versions.ts';

/** Pages of 4 KiB. */
export const PAGE_SHIFT = 12;
export const PAGE_SIZE = 1 << PAGE_SHIFT;
export const PAGE_MASK = PAGE_SIZE - 1;
/** Pages of a 32-bit physical address space. */
export const PAGES = 1 << 20;

/** Page flags. A page whose byte is 0 is plain RAM in the direct window. */
export const PAGE_HAS_CODE = 1 << 0;
/** Not yet written since the last dirty-log clear or snapshot; the first store reports it. */
export const PAGE_CLEAN = 1 << 1;
/** Somebody watches stores to this page. */
export const PAGE_WATCHED = 1 << 2;
/** Stores do not reach memory (ROM): they leave as MMIO. */
export const PAGE_READ_ONLY = 1 << 3;
/** Backed by a slot outside the direct window. */
export const PAGE_INDIRECT = 1 << 4;
/** No memory here: MMIO or a hole. */
export const PAGE_MMIO = 1 << 5;
/** Reads cannot use the direct window. */
export const PAGE_READ_SLOW = PAGE_INDIRECT | PAGE_MMIO;

/** Told of every store to a page that holds decoded code. */
export interface CodeInvalidator {
  /** Bytes `pa … pa+len−1` changed. */
  invalidate(pa: number, len: number): void;
  /** What the pages of this range are has changed (a slot came or went). */
  invalidatePages(pa: number, len: number): void;
}

/** One memory slot. */
export interface MemorySlot {
  readonly slot: number;
  /** First guest-physical address, page-aligned. */
  readonly gpa: number;
  /** The memory itself; its length is a whole number of pages. */
  readonly mem: Uint8Array;
  readonly readOnly: boolean;
  /**
   * KVM_MEM_LOG_DIRTY_PAGES: one bit a page that the guest has written since the last KVM_GET_DIRTY_LOG (see
   * dirty-log.ts); null while nothing is logged.
   */
  dirtyBitmap: Uint8Array | null;
}

/** Guest-physical address space of one VM. Physical addresses are 32 bits (int32 or unsigned: both work). */
export class GuestMemory {
  /** The direct window: RAM from physical address 0. Empty until a slot at 0 exists. */
  ram: Uint8Array = new Uint8Array(0);
  /** The same bytes, for unaligned 16- and 32-bit accesses. */
  view: DataView = new DataView(this.ram.buffer);
  /** One byte a physical page, see PAGE_*. */
  readonly pageFlags: Uint8Array = new Uint8Array(PAGES).fill(PAGE_MMIO);
  readonly slots: MemorySlot[] = [];
  /** The decode cache, once there is one. */
  code: CodeInvalidator | null = null;
  /** What snapshots keep of the memory, once there is one. */
  versions: MemoryVersions | null = null;

  /**
   * Adds a slot.
   * @throws EmulatorError `E_MEMORY` for a misaligned, empty or overlapping range or a slot number in use.
   */
  addSlot(slot: number, gpa: number, mem: Uint8Array, readOnly: boolean): void {
    const end = gpa + mem.length;
    if (
      gpa % PAGE_SIZE !== 0 ||
      mem.length % PAGE_SIZE !== 0 ||
      mem.length === 0 ||
      gpa < 0 ||
      end > 0x1_0000_0000
    ) {
      throw new EmulatorError(
        'E_MEMORY',
        `memory slot ${slot}: 0x${gpa.toString(16)}+0x${mem.length.toString(16)} is not a whole number of 4 KiB pages below 4 GiB`,
      );
    }
    for (const other of this.slots) {
      if (other.slot === slot) throw new EmulatorError('E_EXISTS', `memory slot ${slot}: already in use`);
      if (gpa < other.gpa + other.mem.length && other.gpa < end) {
        throw new EmulatorError(
          'E_EXISTS',
          `memory slot ${slot}: 0x${gpa.toString(16)} overlaps slot ${other.slot} at 0x${other.gpa.toString(16)}`,
        );
      }
    }
    this.slots.push({ slot, gpa, mem, readOnly, dirtyBitmap: null });
    let flags = readOnly ? PAGE_READ_ONLY : 0;
    if (gpa === 0) {
      this.ram = mem;
      this.view = new DataView(mem.buffer, mem.byteOffset, mem.length);
    } else {
      flags |= PAGE_INDIRECT;
    }
    this.pageFlags.fill(flags, gpa / PAGE_SIZE, end / PAGE_SIZE);
    this.versions?.forget();
    this.code?.invalidatePages(gpa, mem.length);
  }

  /** Removes a slot; its addresses become a hole. @returns whether there was one. */
  removeSlot(slot: number): boolean {
    const at = this.slots.findIndex((s) => s.slot === slot);
    const old = this.slots[at];
    if (old === undefined) return false;
    this.slots.splice(at, 1);
    if (old.gpa === 0) {
      this.ram = new Uint8Array(0);
      this.view = new DataView(this.ram.buffer);
    }
    this.pageFlags.fill(PAGE_MMIO, old.gpa / PAGE_SIZE, (old.gpa + old.mem.length) / PAGE_SIZE);
    this.versions?.forget();
    this.code?.invalidatePages(old.gpa, old.mem.length);
    return true;
  }

  /**
   * Makes pages of existing slots read-only (ROM that lies in RAM): the guest's stores leave as MMIO, the host still
   * writes. Only removing the slot ends it.
   *
   * @throws EmulatorError `E_MEMORY` for a range that is not whole pages or leaves memory.
   */
  protectRange(gpa: number, len: number): void {
    const isWhole = gpa % PAGE_SIZE === 0 && len % PAGE_SIZE === 0 && len > 0;
    for (let at = gpa; at < gpa + len; at += PAGE_SIZE) {
      if (isWhole && this.slotAt(at) !== null) continue;
      throw new EmulatorError(
        'E_MEMORY',
        `memory: 0x${gpa.toString(16)}+0x${len.toString(16)} is not a whole number of 4 KiB pages of memory`,
      );
    }
    for (let at = gpa; at < gpa + len; at += PAGE_SIZE) this.pageFlags[at / PAGE_SIZE] |= PAGE_READ_ONLY;
    this.code?.invalidatePages(gpa, len);
  }

  /** Sets flags of `count` pages from page number `first` on (PAGE_HAS_CODE, PAGE_CLEAN, PAGE_WATCHED, PAGE_READ_ONLY). */
  restrict(first: number, count: number, flags: number): void {
    for (let page = first; page < first + count; page++) this.pageFlags[page] |= flags;
  }

  /** The guest is about to store to a page with PAGE_CLEAN. */
  pageBecomesDirty(page: number): void {
    this.pageFlags[page] &= ~PAGE_CLEAN;
    this.versions?.keep(page);
    const slot = this.slotAt(page * PAGE_SIZE);
    if (slot !== null) this.markPageDirtyInSlot(slot, page);
  }

  /**
   * Notes in the slot's log that the guest has written a page.
   *
   * @param gfn number of the physical page.
   * @kvm mark_page_dirty_in_slot(kvm, memslot, gfn) virt/kvm/kvm_main.c
   */
  markPageDirtyInSlot(slot: MemorySlot, gfn: number): void {
    if (slot.dirtyBitmap === null) return;
    const relGfn = gfn - slot.gpa / PAGE_SIZE;
    slot.dirtyBitmap[relGfn >> 3] |= 1 << (relGfn & 7);
  }

  /** The slot that holds physical address `pa` (unsigned), or null for a hole. */
  slotAt(pa: number): MemorySlot | null {
    for (const s of this.slots) if (pa >= s.gpa && pa < s.gpa + s.mem.length) return s;
    return null;
  }

  /** One byte for the slow path; −1 where no memory is. */
  readByte(pa: number): number {
    const at = pa >>> 0;
    if ((this.pageFlags[at >>> PAGE_SHIFT] & PAGE_READ_SLOW) === 0) return this.ram[at];
    const s = this.slotAt(at);
    return s === null ? -1 : s.mem[at - s.gpa];
  }

  /**
   * A guest store of one byte on the slow path: drops decoded code, marks the page dirty.
   * The caller has already sorted out read-only and MMIO pages.
   */
  writeByte(pa: number, value: number): void {
    const at = pa >>> 0;
    const page = at >>> PAGE_SHIFT;
    const flags = this.pageFlags[page];
    if ((flags & PAGE_HAS_CODE) !== 0) this.code?.invalidate(at, 1);
    if ((flags & PAGE_CLEAN) !== 0) this.pageBecomesDirty(page);
    this.#store(at, value);
  }

  #store(at: number, value: number): void {
    const flags = this.pageFlags[at >>> PAGE_SHIFT];
    if ((flags & PAGE_READ_SLOW) === 0) {
      this.ram[at] = value;
      return;
    }
    const s = this.slotAt(at);
    if (s !== null) s.mem[at - s.gpa] = value;
  }

  /** Host read (loaders, debuggers): holes read as 0xff. */
  read(pa: number, len: number): Uint8Array {
    const out = new Uint8Array(len);
    for (let i = 0; i < len; i++) {
      const byte = this.readByte(pa + i);
      out[i] = byte < 0 ? 0xff : byte;
    }
    return out;
  }

  /**
   * Host write (loaders, DMA, debuggers): also into read-only slots, drops decoded code as a guest store does. Snapshots
   * see it, the dirty log does not: KVM knows nothing of what userspace does to its own memory.
   *
   * @throws EmulatorError `E_MEMORY` when a byte falls into a hole; nothing is written then.
   */
  write(pa: number, bytes: Uint8Array): void {
    for (let at = pa; at < pa + bytes.length; ) {
      const s = this.slotAt(at);
      if (s === null) {
        throw new EmulatorError(
          'E_MEMORY',
          `memory: no RAM at 0x${at.toString(16)} (write of 0x${bytes.length.toString(16)} bytes at 0x${pa.toString(16)})`,
        );
      }
      at = s.gpa + s.mem.length;
    }
    for (let i = 0; i < bytes.length; i++) this.#hostWriteByte(pa + i, bytes[i]);
  }

  #hostWriteByte(at: number, value: number): void {
    const page = at >>> PAGE_SHIFT;
    const flags = this.pageFlags[page];
    if ((flags & PAGE_HAS_CODE) !== 0) this.code?.invalidate(at, 1);
    // The page stays clean: the guest's first store is still to come.
    if ((flags & PAGE_CLEAN) !== 0) this.versions?.keep(page);
    this.#store(at, value);
  }
}
