/**
 * The page walk: 32-bit paging with 4 KiB and 4 MiB pages (PSE, PSE-36), PAE paging with 4 KiB and 2 MiB pages.
 *
 * Intel SDM vol. 3A, “32-Bit Paging”, “PAE Paging”, “Access Rights”, “Page-Fault Exceptions”, “Accessed and Dirty Flags”.
 *
 * Physical addresses are 36 bits wide (no CPUID leaf 80000008H says otherwise). Memory ends at 4 GiB: what lies above leads
 * nowhere, and a paging structure up there, or in any other hole, reads as not present (KVM's walker, `walk_addr_generic`).
 * KVM: accessed flags are set once the access is known to be allowed, not level by level.
 */
import type { Cpu } from './cpu.ts';
import { EFER_NX, X86_CR0_WP, X86_CR4_PAE, X86_CR4_PGE, X86_CR4_PSE } from './registers.ts';
import { TLB_GLOBAL, TLB_LARGE, TLB_NO_EXEC, TLB_NO_WRITE } from './tlb.ts';

/** Page-fault error code. What an access is (write, user, fetch) is told with the same bits. */
export const PFERR_PRESENT_MASK = 1 << 0;
export const PFERR_WRITE_MASK = 1 << 1;
export const PFERR_USER_MASK = 1 << 2;
export const PFERR_RSVD_MASK = 1 << 3;
export const PFERR_FETCH_MASK = 1 << 4;

/** Bits of paging-structure entries. */
const PT_PRESENT = 1 << 0;
const PT_WRITABLE = 1 << 1;
const PT_USER = 1 << 2;
const PT_ACCESSED = 1 << 5;
const PT_DIRTY = 1 << 6;
const PT_PAGE_SIZE = 1 << 7;
const PT_GLOBAL = 1 << 8;
const RIGHTS = PT_WRITABLE | PT_USER;
/** Bit 63 of a PAE entry, in its upper half. */
const PT_NX = 1 << 31;

/** 4 MiB page: bits 16:13 are physical address bits 35:32, bits 21:17 are reserved. */
const PDE_4M_RESERVED = 0x3e_0000;
const PDE_4M_HIGH_SHIFT = 13;
/** 2 MiB page: bits 20:13 are reserved. */
const PDE_2M_RESERVED = 0x1f_e000;
/** Upper half of a PAE entry: physical address bits 35:32; bits 62:36 are reserved. */
const PAE_HIGH_ADDRESS = 0xf;
const PAE_HIGH_RESERVED = 0x7fff_fff0;
/** PDPTE: bits 2:1 and 8:5 are reserved, and everything from bit 36 on. */
const PDPTE_RESERVED = 0x1e6;
const PDPTE_HIGH_RESERVED = ~0xf;
const FRAME = ~0xfff;

/** What the last successful walk found beside the page: TLB_NO_WRITE, TLB_NO_EXEC, TLB_GLOBAL, TLB_LARGE. */
export let walkFlags = 0;
/** Error code of the last walk that failed. */
export let walkErrorCode = 0;

/** The walk fails. @returns −1. */
function fail(cpu: Cpu, access: number, what: number): number {
  walkErrorCode = what | (access & (PFERR_WRITE_MASK | PFERR_USER_MASK));
  // The fetch bit exists only where execute-disable does.
  if ((cpu.cr4 & X86_CR4_PAE) !== 0 && (cpu.efer & EFER_NX) !== 0) walkErrorCode |= access & PFERR_FETCH_MASK;
  return -1;
}

/** Whether stores are allowed: the supervisor's always are with CR0.WP = 0. */
function mayWrite(cpu: Cpu, access: number, rights: number): boolean {
  if ((rights & PT_WRITABLE) !== 0) return true;
  return (access & PFERR_USER_MASK) === 0 && (cpu.cr0 & X86_CR0_WP) === 0;
}

/** Whether the access is allowed by the rights of all levels together. */
function isAllowed(cpu: Cpu, access: number, rights: number, noExec: boolean): boolean {
  if ((access & PFERR_USER_MASK) !== 0 && (rights & PT_USER) === 0) return false;
  if ((access & PFERR_FETCH_MASK) !== 0 && noExec) return false;
  return (access & PFERR_WRITE_MASK) === 0 || mayWrite(cpu, access, rights);
}

/** Sets flags of an entry that are not yet set. */
function mark(cpu: Cpu, at: number, entry: number, flags: number): void {
  if ((entry & flags) !== flags) cpu.mem.writeDoubleword(at, entry | flags);
}

/** The walk is done: accessed and dirty flags of the last level, and what the TLB wants to know. */
function finish(
  cpu: Cpu,
  access: number,
  at: number,
  entry: number,
  rights: number,
  noExec: boolean,
  large: number,
  isQuiet: boolean,
): void {
  const isWrite = (access & PFERR_WRITE_MASK) !== 0;
  if (!isQuiet) mark(cpu, at, entry, isWrite ? PT_ACCESSED | PT_DIRTY : PT_ACCESSED);
  const isDirty = isWrite || (entry & PT_DIRTY) !== 0;
  walkFlags = large;
  if (!isDirty || !mayWrite(cpu, access, rights)) walkFlags |= TLB_NO_WRITE;
  if (noExec) walkFlags |= TLB_NO_EXEC;
  if ((entry & PT_GLOBAL) !== 0 && (cpu.cr4 & X86_CR4_PGE) !== 0) walkFlags |= TLB_GLOBAL;
}

/** 32-bit paging. */
function walk32(cpu: Cpu, linear: number, access: number, isQuiet: boolean): number {
  const { mem } = cpu;
  const a20 = cpu.a20Mask;
  const pdeAt = ((cpu.cr3 & FRAME) | ((linear >>> 20) & 0xffc)) & a20;
  const pde = mem.readDoubleword(pdeAt);
  if ((pde & PT_PRESENT) === 0) return fail(cpu, access, 0);
  if ((pde & PT_PAGE_SIZE) !== 0 && (cpu.cr4 & X86_CR4_PSE) !== 0) {
    if ((pde & PDE_4M_RESERVED) !== 0) return fail(cpu, access, PFERR_PRESENT_MASK | PFERR_RSVD_MASK);
    if (!isAllowed(cpu, access, pde, false)) return fail(cpu, access, PFERR_PRESENT_MASK);
    finish(cpu, access, pdeAt, pde, pde & RIGHTS, false, TLB_LARGE, isQuiet);
    const high = (pde >> PDE_4M_HIGH_SHIFT) & PAE_HIGH_ADDRESS;
    return (high << 20) | ((pde >>> 22) << 10) | ((linear >>> 12) & 0x3ff);
  }
  const pteAt = ((pde & FRAME) | ((linear >>> 10) & 0xffc)) & a20;
  const pte = mem.readDoubleword(pteAt);
  if ((pte & PT_PRESENT) === 0) return fail(cpu, access, 0);
  const rights = pde & pte & RIGHTS;
  if (!isAllowed(cpu, access, rights, false)) return fail(cpu, access, PFERR_PRESENT_MASK);
  if (!isQuiet) mark(cpu, pdeAt, pde, PT_ACCESSED);
  finish(cpu, access, pteAt, pte, rights, false, 0, isQuiet);
  return pte >>> 12;
}

/** Whether an upper half has a bit that must be 0. */
function isReservedPae(cpu: Cpu, high: number): boolean {
  return (high & ((cpu.efer & EFER_NX) !== 0 ? PAE_HIGH_RESERVED : PAE_HIGH_RESERVED | PT_NX)) !== 0;
}

/** PAE paging. The four page-directory pointers are registers, loaded with CR3. */
function walkPae(cpu: Cpu, linear: number, access: number, isQuiet: boolean): number {
  const { mem, pdptes } = cpu;
  const a20 = cpu.a20Mask;
  const index = (linear >>> 30) * 2;
  const pdpte = pdptes[index];
  if ((pdpte & PT_PRESENT) === 0 || pdptes[index + 1] !== 0) return fail(cpu, access, 0);

  const pdeAt = ((pdpte & FRAME) | ((linear >>> 18) & 0xff8)) & a20;
  const pde = mem.readDoubleword(pdeAt);
  const pdeHigh = mem.readDoubleword(pdeAt + 4);
  if ((pde & PT_PRESENT) === 0) return fail(cpu, access, 0);
  if (isReservedPae(cpu, pdeHigh)) return fail(cpu, access, PFERR_PRESENT_MASK | PFERR_RSVD_MASK);
  if ((pde & PT_PAGE_SIZE) !== 0) {
    if ((pde & PDE_2M_RESERVED) !== 0) return fail(cpu, access, PFERR_PRESENT_MASK | PFERR_RSVD_MASK);
    const noExec = pdeHigh < 0;
    if (!isAllowed(cpu, access, pde, noExec)) return fail(cpu, access, PFERR_PRESENT_MASK);
    finish(cpu, access, pdeAt, pde, pde & RIGHTS, noExec, TLB_LARGE, isQuiet);
    return ((pdeHigh & PAE_HIGH_ADDRESS) << 20) | ((pde >>> 21) << 9) | ((linear >>> 12) & 0x1ff);
  }

  // A page table above 4 GiB is in a hole.
  if ((pdeHigh & PAE_HIGH_ADDRESS) !== 0) return fail(cpu, access, 0);
  const pteAt = ((pde & FRAME) | ((linear >>> 9) & 0xff8)) & a20;
  const pte = mem.readDoubleword(pteAt);
  const pteHigh = mem.readDoubleword(pteAt + 4);
  if ((pte & PT_PRESENT) === 0) return fail(cpu, access, 0);
  if (isReservedPae(cpu, pteHigh)) return fail(cpu, access, PFERR_PRESENT_MASK | PFERR_RSVD_MASK);
  const rights = pde & pte & RIGHTS;
  const noExec = (pdeHigh | pteHigh) < 0;
  if (!isAllowed(cpu, access, rights, noExec)) return fail(cpu, access, PFERR_PRESENT_MASK);
  if (!isQuiet) mark(cpu, pdeAt, pde, PT_ACCESSED);
  finish(cpu, access, pteAt, pte, rights, noExec, 0, isQuiet);
  return ((pteHigh & PAE_HIGH_ADDRESS) << 20) | (pte >>> 12);
}

/**
 * Walks the paging structures (CR0.PG = 1).
 *
 * @param access PFERR_WRITE_MASK, PFERR_USER_MASK, PFERR_FETCH_MASK: what the access is.
 * @param isQuiet leaves accessed and dirty flags alone (debuggers).
 * @returns the physical page, 24 bits, with {@link walkFlags}; or −1 with {@link walkErrorCode}.
 */
export function walk(cpu: Cpu, linear: number, access: number, isQuiet: boolean): number {
  return (cpu.cr4 & X86_CR4_PAE) !== 0
    ? walkPae(cpu, linear, access, isQuiet)
    : walk32(cpu, linear, access, isQuiet);
}

const loaded = new Int32Array(8);

/**
 * Loads the page-directory-pointer registers from the table that `cr3` names. On a failure they keep what they hold.
 *
 * @returns false when a present entry has a reserved bit set, or the table is not in memory: #GP(0).
 * @kvm load_pdptrs(vcpu, cr3) arch/x86/kvm/x86.c
 */
export function loadPdptrs(cpu: Cpu, cr3: number): boolean {
  const table = cr3 & ~31 & cpu.a20Mask;
  if (!cpu.mem.isMemory(table)) return false;
  for (let i = 0; i < 8; i += 2) {
    loaded[i] = cpu.mem.readDoubleword(table + i * 4);
    loaded[i + 1] = cpu.mem.readDoubleword(table + i * 4 + 4);
    if ((loaded[i] & PT_PRESENT) === 0) continue;
    if ((loaded[i] & PDPTE_RESERVED) !== 0 || (loaded[i + 1] & PDPTE_HIGH_RESERVED) !== 0) return false;
  }
  cpu.pdptes.set(loaded);
  return true;
}
