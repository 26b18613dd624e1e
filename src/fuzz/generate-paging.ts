/**
 * Random page tables for `pio86 fuzz string-io`, aimed at the pages that the case's strings touch: not there, read-only, the
 * supervisor's, somewhere else, looked at and written to before or not; large pages; a bit map in a page that is not there.
 */
import { CASE_RAM_BYTES, PAGING_BASE, TSS_BASE } from './case-layout.ts';
import {
  CASE_PAGES,
  type CaseDirectoryEntry,
  type CasePage,
  type CasePaging,
  largePageBytes,
  PAGE_ACCESSED,
  PAGE_DIRTY,
  PAGE_LARGE,
  PAGE_PRESENT,
  PAGE_USER,
  PAGE_WRITABLE,
} from './case-paging.ts';
import type { Prng } from './prng.ts';
import type { CaseSegment, StringIoCase } from './string-io-case.ts';

type Segments = StringIoCase['segments'];

const ALL = PAGE_PRESENT | PAGE_WRITABLE | PAGE_USER;
const NO_LIMIT = 0xffff_ffff;
/** Offsets of string elements lie mostly below 64 KiB: 16 pages, and one more where the base is none's start. */
const SEGMENT_PAGES = 17;
const STRING_SEGMENTS = ['es', 'ds', 'es', 'fs', 'gs', 'cs', 'ss'] as const;
/** Reserved in an entry for a large page of either format: bit 20. */
const RESERVED_FRAME = 0x100;

/** A large page that leads to the RAM from elsewhere. */
export interface PagingAlias {
  /** Its first linear address. */
  readonly linear: number;
}

/** What {@link generatePaging} makes. */
export interface GeneratedPaging {
  readonly paging: CasePaging;
  readonly alias: PagingAlias | null;
  /** ES and DS without limit now and then: else nothing reaches the alias. */
  readonly segments: Segments;
}

/** @param eip where the code is; its page stays mostly as it is. */
export function generatePaging(random: Prng, given: Segments, eip: number, isV86: boolean): GeneratedPaging {
  const format = random.oneIn(3) ? 'pae' : '32bit';
  const directory: CaseDirectoryEntry[] = [];
  let alias: PagingAlias | null = null;
  if (random.oneIn(6)) directory.push({ index: 0, frame: 0, flags: upperFlags(random) });
  if (random.oneIn(3)) {
    const index = 1 + random.below(500);
    const frame = random.oneIn(12) ? RESERVED_FRAME : 0;
    directory.push({ index, frame, flags: upperFlags(random) | PAGE_LARGE });
    alias = { linear: index * largePageBytes(format) };
  }
  const pages: CasePage[] = [];
  const codePage = (given.cs.selector * 16 + eip) >> 12;
  for (let i = random.below(24); i > 0; i--) {
    const { selector } = given[random.pick(STRING_SEGMENTS)];
    const page = (selector >> 8) + random.below(SEGMENT_PAGES);
    const isCode = page === codePage || page === codePage + 1;
    if (page < CASE_PAGES && (!isCode || random.oneIn(16))) pages.push(casePage(random, page));
  }
  if (random.oneIn(4)) {
    const page = (TSS_BASE >> 12) + 1 + random.below((PAGING_BASE - TSS_BASE - 0x1000) >> 12);
    pages.push({ page, frame: random.below(CASE_PAGES), flags: pageFlags(random) });
  }
  const isFlat = !isV86 && alias !== null;
  return {
    paging: {
      format,
      pse: !random.oneIn(4),
      wp: random.oneIn(2),
      flags: defaultFlags(random),
      directory,
      pages,
    },
    alias: isFlat ? alias : null,
    segments: isFlat ? { ...given, ds: withoutLimit(given.ds), es: withoutLimit(given.es) } : given,
  };
}

/** An offset in `segment` that leads through the alias to the end of a page, or to anywhere in RAM. */
export function aliasOffset(random: Prng, { linear }: PagingAlias, segment: CaseSegment): number {
  const pages = CASE_RAM_BYTES >> 12;
  const physical = random.oneIn(2)
    ? random.below(CASE_RAM_BYTES - 0x1000)
    : random.below(pages - 1) * 0x1000 + 0xff8 + random.below(8);
  return (linear + physical - segment.selector * 16) >>> 0;
}

/** An offset in `segment` that leads to the ends of a listed page; −1 when none is listed or it lies outside 64 KiB. */
export function listedPageOffset(random: Prng, { pages }: CasePaging, segment: CaseSegment): number {
  if (pages.length === 0) return -1;
  const end = (random.pick(pages).page + random.below(2)) * 0x1000;
  const offset = end - 6 + random.below(9) - segment.selector * 16;
  return offset >= 0 && offset <= 0xffff ? offset : -1;
}

function withoutLimit(segment: CaseSegment): CaseSegment {
  return { ...segment, limit: NO_LIMIT };
}

function casePage(random: Prng, page: number): CasePage {
  return { page, frame: random.oneIn(4) ? random.below(CASE_PAGES) : page, flags: pageFlags(random) };
}

/** Mostly with one right less. */
function pageFlags(random: Prng): number {
  const used = random.below(4) * PAGE_ACCESSED;
  switch (random.below(8)) {
    case 0:
    case 1:
    case 2:
      return (ALL & ~PAGE_PRESENT) | used;
    case 3:
    case 4:
      return (ALL & ~PAGE_WRITABLE) | used;
    case 5:
      return (ALL & ~PAGE_USER) | used;
    case 6:
      return random.below(8) | used;
    default:
      return ALL | used;
  }
}

function upperFlags(random: Prng): number {
  const large = random.oneIn(3) ? PAGE_LARGE : 0;
  return (random.oneIn(3) ? pageFlags(random) : ALL) | large | (random.below(4) * PAGE_ACCESSED);
}

function defaultFlags(random: Prng): number {
  const rights = random.oneIn(16) ? pageFlags(random) : ALL;
  return rights | (random.oneIn(2) ? 0 : random.pick([PAGE_ACCESSED, PAGE_ACCESSED | PAGE_DIRTY]));
}
