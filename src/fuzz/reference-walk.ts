/**
 * The reference model's page walk: 32-bit paging with 4 KiB and 4 MiB pages, PAE paging with 4 KiB and 2 MiB pages. It shares
 * nothing with cpu/paging.
 *
 * Intel SDM vol. 3A, “32-Bit Paging”, “PAE Paging”, “Access Rights”, “Page-Fault Exceptions”, “Accessed and Dirty Flags”.
 * KVM (`walk_addr_generic`): an access that is refused leaves the accessed flags of all levels as they were.
 *
 * The upper halves of PAE entries are 0 in all cases: no execute-disable, no memory above 4 GiB.
 */
import type { UndoRam } from './undo-ram.ts';

/** CR0.WP, CR3 and CR4 of a case. */
export interface ReferencePaging {
  readonly isPae: boolean;
  /** CR4.PSE, without which bit 7 of a 32-bit page-directory entry means nothing. */
  readonly hasPse: boolean;
  readonly isWriteProtected: boolean;
  /** Physical address of the page directory, or of the four pointers of PAE paging. */
  readonly root: number;
}

const PRESENT = 1;
const WRITABLE = 2;
const USER = 4;
const ACCESSED = 0x20;
const DIRTY = 0x40;
const LARGE = 0x80;
/** Bits of the error code: the page was there; a store; at level 3; a reserved bit was set. */
const ERROR_PROTECTION = 1;
const ERROR_WRITE = 2;
const ERROR_USER = 4;
const ERROR_RESERVED = 8;
/** Reserved in an entry for a page of 4 MiB (above its address bits 35:32) and of 2 MiB. */
const RESERVED_4M = 0x3e_0000;
const RESERVED_2M = 0x1f_e000;
const FOUR_GIB = 2 ** 32;

/** See the opening comment. */
export class ReferenceWalk {
  /** Error code of the last walk that failed. */
  errorCode = 0;
  readonly #ram: UndoRam;

  constructor(ram: UndoRam) {
    this.#ram = ram;
  }

  /** @returns the physical address, −1 for a page fault. Sets the accessed and dirty flags of an access that is allowed. */
  translate(paging: ReferencePaging, linear: number, isWrite: boolean, isUser: boolean): number {
    const { isPae } = paging;
    const entryBytes = isPae ? 8 : 4;
    const access = (isWrite ? ERROR_WRITE : 0) | (isUser ? ERROR_USER : 0);
    let directory = paging.root;
    if (isPae) {
      const pointer = this.#read(directory + 8 * (linear >>> 30));
      if ((pointer & PRESENT) === 0) return this.#fail(access);
      directory = tableAddress(pointer);
    }
    const shift = isPae ? 21 : 22;
    const indexMask = isPae ? 0x1ff : 0x3ff;
    const directoryAt = directory + entryBytes * ((linear >>> shift) & indexMask);
    const upper = this.#read(directoryAt);
    if ((upper & PRESENT) === 0) return this.#fail(access);
    if ((upper & LARGE) !== 0 && (isPae || paging.hasPse)) {
      if ((upper & (isPae ? RESERVED_2M : RESERVED_4M)) !== 0)
        return this.#fail(access | ERROR_PROTECTION | ERROR_RESERVED);
      if (!isAllowed(paging, upper, isWrite, isUser)) return this.#fail(access | ERROR_PROTECTION);
      this.#mark(directoryAt, upper, isWrite ? ACCESSED | DIRTY : ACCESSED);
      const inside = linear & ((1 << shift) - 1);
      // Bits 16:13 of an entry for 4 MiB are address bits 35:32.
      const high = isPae ? 0 : (upper >>> 13) & 0xf;
      return high * FOUR_GIB + (((upper >>> shift) << shift) >>> 0) + inside;
    }
    const tableAt = tableAddress(upper) + entryBytes * ((linear >>> 12) & indexMask);
    const lower = this.#read(tableAt);
    if ((lower & PRESENT) === 0) return this.#fail(access);
    // The rights of a page are those that both levels give.
    if (!isAllowed(paging, upper & lower, isWrite, isUser)) return this.#fail(access | ERROR_PROTECTION);
    this.#mark(directoryAt, upper, ACCESSED);
    this.#mark(tableAt, lower, isWrite ? ACCESSED | DIRTY : ACCESSED);
    return tableAddress(lower) + (linear & 0xfff);
  }

  #fail(errorCode: number): number {
    this.errorCode = errorCode;
    return -1;
  }

  /** The lower half of an entry. */
  #read(at: number): number {
    const { bytes } = this.#ram;
    return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
  }

  #mark(at: number, entry: number, flags: number): void {
    if ((entry & flags) !== flags) this.#ram.write(at, (entry | flags) & 0xff);
  }
}

function tableAddress(entry: number): number {
  return (entry & 0xffff_f000) >>> 0;
}

/** A program at level 3 needs the user flag; a store needs the writable flag, one of the supervisor only with CR0.WP. */
function isAllowed(paging: ReferencePaging, rights: number, isWrite: boolean, isUser: boolean): boolean {
  if (isUser && (rights & USER) === 0) return false;
  if (!isWrite || (rights & WRITABLE) !== 0) return true;
  return !isUser && !paging.isWriteProtected;
}
