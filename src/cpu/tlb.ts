/**
 * Translation look-aside buffer: one entry a linear page, so that an access costs one load.
 *
 * There are two, for supervisor and for user accesses, and `Cpu.tlb` is the one of the present privilege level: a change of
 * level costs nothing, and an entry holds only what its own accesses need to know. With paging off the supervisor's serves all,
 * with the identity (and the A20 gate) in it.
 *
 * An entry is (physical page − linear page) in bits 31:12 and flags below: linear + (entry AND FFFFF000H) is the physical
 * address. The flags of the physical page (PAGE_*) are copied into it, so the same load tells plain RAM from everything else. An
 * entry may be *more* restrictive than the page has become; whoever makes a page more restrictive must have it forgotten
 * (`GuestMemory.restrict`). All zero is “not cached”: a new table needs no filling, and the host gives it memory page by page.
 *
 * Intel SDM vol. 3A, “Caching Translation Information”, “Invalidation of TLBs and Paging-Structure Caches”.
 */
import {
  PAGE_CLEAN,
  PAGE_HAS_CODE,
  PAGE_READ_ONLY,
  PAGE_READ_SLOW,
  PAGE_SHIFT,
  PAGE_WATCHED,
  type TranslationCache,
} from './memory.ts';

/** The entry holds a translation. */
export const TLB_VALID = 1 << 6;
/** A store must walk first: not writable here, or the dirty flag is not yet set. */
export const TLB_NO_WRITE = 1 << 7;
/** Execute-disable. */
export const TLB_NO_EXEC = 1 << 8;
/** Global page with CR4.PGE: a load of CR3 leaves it. */
export const TLB_GLOBAL = 1 << 9;
/** Part of a page larger than 4 KiB. */
export const TLB_LARGE = 1 << 10;

/** A data breakpoint lies in this linear page: every access takes the slow path. */
export const TLB_WATCHED = 1 << 11;

/** The PAGE_* flags in an entry. */
export const TLB_PAGE_FLAGS = PAGE_HAS_CODE | PAGE_CLEAN | PAGE_WATCHED | PAGE_READ_ONLY | PAGE_READ_SLOW;
/** A load is plain RAM when `(entry & TLB_READ_MASK) === TLB_VALID`. */
export const TLB_READ_MASK = TLB_VALID | TLB_WATCHED | PAGE_READ_SLOW;
/** A store is plain RAM when `(entry & TLB_WRITE_MASK) === TLB_VALID`. */
export const TLB_WRITE_MASK = TLB_VALID | TLB_WATCHED | TLB_NO_WRITE | TLB_PAGE_FLAGS;
/** A load before a store is plain RAM when `(entry & TLB_UPDATE_MASK) === TLB_VALID`: the store may still have to be told. */
export const TLB_UPDATE_MASK = TLB_VALID | TLB_WATCHED | TLB_NO_WRITE | PAGE_READ_SLOW;
/** A store is plain but for decoded code that it may hit when `(entry & TLB_CODE_STORE_MASK) === TLB_VALID`. */
export const TLB_CODE_STORE_MASK = TLB_WRITE_MASK & ~PAGE_HAS_CODE;
/** What is added to the linear address. */
export const TLB_DELTA = ~0xfff;

const PAGES = 1 << 20;
/** Entries in use at once: beyond it the table starts over, so that a flush and a search stay short. */
const MAX_FILLED = 1 << 16;
/** Pages of 4 KiB in the span of a page-directory entry. */
const SPAN_PAGES = 1 << 10;
const SPAN_SHIFT = 10;
/** Above this many pages or entries it is cheaper to forget all than to search. */
const SEARCH_LIMIT = 4096;

/** Entries for one kind of access. */
export class Tlb {
  /** Whether these are user accesses. */
  readonly isUser: boolean;
  /** By linear page. */
  readonly entries = new Int32Array(PAGES);
  /** Linear pages that were filled since the last flush; a page that was forgotten in between may be there twice. */
  readonly #filled = new Int32Array(MAX_FILLED);
  #count = 0;
  /** Whether an entry since the last flush leads to another page than its own: not without paging, nor with an identity map. */
  #leadsElsewhere = false;
  /** 1 for each span of 4 MiB in which a large page was entered. */
  readonly #hasLarge = new Uint8Array(PAGES / SPAN_PAGES);

  constructor(isUser: boolean) {
    this.isUser = isUser;
  }

  /** Enters linear page → physical page (below 4 GiB) with TLB_* and PAGE_* flags. */
  enter(page: number, physicalPage: number, flags: number): void {
    if (this.entries[page] === 0) {
      if (this.#count === MAX_FILLED) this.flush(false);
      this.#filled[this.#count++] = page;
    }
    this.entries[page] = ((physicalPage - page) << PAGE_SHIFT) | TLB_VALID | flags;
    if (physicalPage !== page) this.#leadsElsewhere = true;
    if ((flags & TLB_LARGE) !== 0) this.#hasLarge[page >> SPAN_SHIFT] = 1;
  }

  /** Forgets everything, or all that is not global. */
  flush(keepGlobal: boolean): void {
    const { entries } = this;
    let kept = 0;
    for (let i = 0; i < this.#count; i++) {
      const page = this.#filled[i];
      if (keepGlobal && (entries[page] & TLB_GLOBAL) !== 0) this.#filled[kept++] = page;
      else entries[page] = 0;
    }
    this.#count = kept;
    if (kept !== 0) return;
    this.#leadsElsewhere = false;
    this.#hasLarge.fill(0);
  }

  /** Forgets the page of a linear address, whatever its size. */
  forgetLinear(linear: number): void {
    const page = linear >>> PAGE_SHIFT;
    const span = page >> SPAN_SHIFT;
    if (this.#hasLarge[span] === 0) this.entries[page] = 0;
    else this.entries.fill(0, span << SPAN_SHIFT, (span + 1) << SPAN_SHIFT);
  }

  /** Forgets what leads to `count` physical pages from `first` on. */
  forgetPhysical(first: number, count: number): void {
    if (this.#count > SEARCH_LIMIT || count > SEARCH_LIMIT) {
      this.flush(false);
      return;
    }
    const { entries } = this;
    if (!this.#leadsElsewhere) {
      for (let page = first; page < first + count; page++) entries[page] = 0;
      return;
    }
    for (let i = 0; i < this.#count; i++) {
      const page = this.#filled[i];
      const t = entries[page];
      const physical = (page + (t >> PAGE_SHIFT)) & (PAGES - 1);
      if (t !== 0 && physical >= first && physical < first + count) entries[page] = 0;
    }
  }
}

/** Both tables of one processor. */
export class Tlbs implements TranslationCache {
  readonly supervisor = new Tlb(false);
  readonly user = new Tlb(true);
  /** Counts whatever may have changed where a linear address leads. */
  epoch = 0;

  /** Forgets everything, or all that is not global. */
  flush(keepGlobal: boolean): void {
    this.epoch++;
    this.supervisor.flush(keepGlobal);
    this.user.flush(keepGlobal);
  }

  /** INVLPG: the page of a linear address, global or not. */
  forgetLinear(linear: number): void {
    this.epoch++;
    this.supervisor.forgetLinear(linear);
    this.user.forgetLinear(linear);
  }

  forgetPhysical(first: number, count: number): void {
    this.supervisor.forgetPhysical(first, count);
    this.user.forgetPhysical(first, count);
  }
}
