/**
 * Linear → physical, by way of the TLB: the slow half. (The fast half is one load in access.ts.)
 *
 * Who accesses is told by the table: `cpu.space` is the program at its privilege level, `cpu.tlbs.supervisor` is the processor
 * itself (descriptor tables, task-state segments), whatever the level: “implicit supervisor-mode accesses”.
 *
 * Intel SDM vol. 3A, “Determination of Access Rights”.
 */
import type { Cpu } from './cpu.ts';
import { raisePageFault } from './fault.ts';
import { PAGE_SHIFT } from './memory.ts';
import {
  PFERR_FETCH_MASK,
  PFERR_USER_MASK,
  PFERR_WRITE_MASK,
  walk,
  walkErrorCode,
  walkFlags,
} from './paging.ts';
import { X86_CR0_PG } from './registers.ts';
import { TLB_NO_EXEC, TLB_NO_WRITE, TLB_PAGE_FLAGS, TLB_VALID, TLB_WATCHED, type Tlb } from './tlb.ts';

/** What an access is. */
export const ACCESS_READ = 0;
export const ACCESS_WRITE = PFERR_WRITE_MASK;
export const ACCESS_FETCH = PFERR_FETCH_MASK;

const PAGES = 1 << 20;
/** Physical page numbers have 24 bits; the A20 gate knows nothing of the upper ones. */
const HIGH_PAGES = 0xf0_0000;

/** Physical page → the one behind the A20 gate. */
function behindA20(cpu: Cpu, page: number): number {
  return page & ((cpu.a20Mask >>> PAGE_SHIFT) | HIGH_PAGES);
}

/** Not in the TLB, or not for this access: finds out, and enters it. */
function fill(cpu: Cpu, tlb: Tlb, linear: number, access: number): number {
  const page = linear >>> PAGE_SHIFT;
  let physical = page;
  let flags = 0;
  if ((cpu.cr0 & X86_CR0_PG) !== 0) {
    physical = walk(cpu, linear, tlb.isUser ? access | PFERR_USER_MASK : access, false);
    if (physical < 0) {
      raisePageFault(cpu, linear, walkErrorCode);
      return -1;
    }
    flags = walkFlags;
  }
  if (cpu.debug.armed !== 0 && cpu.debug.hasDataBreakpoint(page)) flags |= TLB_WATCHED;
  physical = behindA20(cpu, physical);
  if (physical < PAGES) tlb.enter(page, physical, flags | cpu.mem.pageFlags[physical]);
  return physical;
}

/**
 * The physical page (24 bits; from 2^20 on there is no memory) of a linear address.
 *
 * @param access ACCESS_*.
 * @returns −1 with #PF raised.
 */
export function translate(cpu: Cpu, tlb: Tlb, linear: number, access: number): number {
  const page = linear >>> PAGE_SHIFT;
  const t = tlb.entries[page];
  const forbidden = access === ACCESS_WRITE ? TLB_NO_WRITE : access === ACCESS_FETCH ? TLB_NO_EXEC : 0;
  if ((t & (TLB_VALID | forbidden)) !== TLB_VALID) return fill(cpu, tlb, linear, access);
  const physical = (page + (t >> PAGE_SHIFT)) & (PAGES - 1);
  // The page may have become less restrictive since.
  const changed = (t ^ cpu.mem.pageFlags[physical]) & TLB_PAGE_FLAGS;
  if (changed !== 0) tlb.entries[page] = t ^ changed;
  return physical;
}

/** As {@link translate}, for somebody who only looks (traces, debuggers): nothing changes. @returns −1 where nothing is mapped. */
export function translateQuietly(cpu: Cpu, linear: number): number {
  const page = (cpu.cr0 & X86_CR0_PG) === 0 ? linear >>> PAGE_SHIFT : walk(cpu, linear, ACCESS_READ, true);
  return page < 0 ? -1 : behindA20(cpu, page);
}
