/**
 * The page tables of a string-io case. Linear addresses are physical ones by pages of 4 KiB, except where the case says otherwise;
 * everything lies in one page table, and further entries of the page directory can name pages of 4 MiB (PAE: 2 MiB).
 *
 * Intel SDM vol. 3A, “32-Bit Paging”, “PAE Paging”.
 */
import { CASE_RAM_BYTES, PAGING_BASE, TSS_BASE } from './case-layout.ts';

/** An entry of the page directory. */
export interface CaseDirectoryEntry {
  readonly index: number;
  /** First page of a large page; without {@link PAGE_LARGE} the entry leads to the page table. */
  readonly frame: number;
  /** The lower 12 bits. */
  readonly flags: number;
}

/** An entry of the page table. */
export interface CasePage {
  /** Linear page number. */
  readonly page: number;
  /** Physical page number. */
  readonly frame: number;
  /** The lower 12 bits, without {@link PAGE_LARGE}. */
  readonly flags: number;
}

/** See the opening comment. Of several entries for one place the last one counts. */
export interface CasePaging {
  readonly format: PagingFormat;
  /** CR4.PSE. */
  readonly pse: boolean;
  /** CR0.WP. */
  readonly wp: boolean;
  /** Lower 12 bits of all entries that are not listed. */
  readonly flags: number;
  readonly directory: readonly CaseDirectoryEntry[];
  readonly pages: readonly CasePage[];
}

/** 32-bit paging, or PAE. */
export type PagingFormat = '32bit' | 'pae';
/** Both; the simpler one first, for shrinking. */
export const PAGING_FORMATS: readonly PagingFormat[] = ['32bit', 'pae'];

export const PAGE_PRESENT = 1;
export const PAGE_WRITABLE = 2;
export const PAGE_USER = 4;
export const PAGE_ACCESSED = 0x20;
export const PAGE_DIRTY = 0x40;
/** Of a page-directory entry; of a page-table entry it would be PAT. */
export const PAGE_LARGE = 0x80;

/** Physical addresses of the structures. */
const DIRECTORY = PAGING_BASE;
const TABLE = PAGING_BASE + 0x1000;
const POINTERS = PAGING_BASE + 0x2000;
const PAGE_SHIFT = 12;
const MAX_FLAGS = 0xfff;
const MAX_FRAME = 0xf_ffff;
/** Present, accessed and written to before: what the processor itself uses. */
const SYSTEM_FLAGS = PAGE_PRESENT | PAGE_WRITABLE | PAGE_ACCESSED | PAGE_DIRTY;
const MAX_LISTED = 64;

/** Pages that the segments of a case reach without paging. */
export const CASE_PAGES = CASE_RAM_BYTES >> PAGE_SHIFT;
const FIRST_TSS_PAGE = TSS_BASE >> PAGE_SHIFT;
/** The page tables themselves have no linear address in the page table. */
const MAPPED_PAGES = PAGING_BASE >> PAGE_SHIFT;

/** Control registers of a case with paging, beside CR0.PE. */
export interface PagingRegisters {
  readonly isWriteProtected: boolean;
  readonly isPae: boolean;
  readonly hasPse: boolean;
  /** What CR3 holds. */
  readonly root: number;
}

/** @returns CR0.WP, CR4 and CR3. */
export function pagingRegisters({ format, pse, wp }: CasePaging): PagingRegisters {
  const isPae = format === 'pae';
  return { isWriteProtected: wp, isPae, hasPse: pse, root: isPae ? POINTERS : DIRECTORY };
}

/** Whether a page may be listed: what the case's segments reach, and the part of the TSS that holds only its bit map. */
function mayList(page: number): boolean {
  return page < CASE_PAGES || (page > FIRST_TSS_PAGE && page < MAPPED_PAGES);
}

/** What the types cannot say, or null. */
export function pagingProblem({ format, flags, directory, pages }: CasePaging): string | null {
  const entries = format === 'pae' ? 512 : 1024;
  if (flags > MAX_FLAGS || (flags & PAGE_LARGE) !== 0) return 'the flags of pages are bits 0 to 11 without 7';
  if (directory.length > MAX_LISTED || pages.length > MAX_LISTED) return `more than ${MAX_LISTED} entries`;
  for (const { index, frame, flags: own } of directory) {
    if (index >= entries || frame > MAX_FRAME || own > MAX_FLAGS) return 'no entry of a page directory';
  }
  for (const { page, frame, flags: own } of pages) {
    if (!mayList(page)) return `page 0x${page.toString(16)} is not the case's`;
    if (frame >= CASE_PAGES || own > MAX_FLAGS || (own & PAGE_LARGE) !== 0)
      return 'no entry of the page table';
  }
  return null;
}

/** The bytes of the structures that are not zero, as address, byte, address, byte… */
export function pagingBytes({ format, pse, flags, directory, pages }: CasePaging): number[] {
  const isPae = format === 'pae';
  const entryBytes = isPae ? 8 : 4;
  const lower: number[] = [];
  for (let page = 0; page < MAPPED_PAGES; page++) {
    lower.push((page << PAGE_SHIFT) | (page < CASE_PAGES ? flags : SYSTEM_FLAGS));
  }
  for (const { page, frame, flags: own } of pages) lower[page] = (frame << PAGE_SHIFT) | own;
  const upper = new Map([[0, TABLE | PAGE_PRESENT | PAGE_WRITABLE | PAGE_USER]]);
  for (const { index, frame, flags: own } of directory) {
    const isLarge = (own & PAGE_LARGE) !== 0 && (isPae || pse);
    upper.set(index, ((isLarge ? frame << PAGE_SHIFT : TABLE) | own) >>> 0);
  }
  const bytes: number[] = [];
  if (isPae) pushEntry(bytes, POINTERS, DIRECTORY | PAGE_PRESENT);
  for (const [index, entry] of upper) pushEntry(bytes, DIRECTORY + entryBytes * index, entry);
  for (const [page, entry] of lower.entries()) pushEntry(bytes, TABLE + entryBytes * page, entry);
  return bytes;
}

function pushEntry(bytes: number[], at: number, entry: number): void {
  for (let i = 0; i < 4; i++) {
    const byte = (entry >>> (8 * i)) & 0xff;
    if (byte !== 0) bytes.push(at + i, byte);
  }
}

/** Bytes of a large page. */
export function largePageBytes(format: PagingFormat): number {
  return format === 'pae' ? 0x20_0000 : 0x40_0000;
}
