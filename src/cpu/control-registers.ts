/**
 * CR0, CR3, CR4 and IA32_EFER: which values are allowed, and what hangs on them (segments' fast bounds, TLB, page-directory
 * pointers).
 *
 * Every setter returns false for a value that is #GP(0) in a MOV; nothing has changed then, and nothing is raised: KVM_SET_SREGS
 * and task switches come here too.
 *
 * Intel SDM vol. 3A, “Control Registers”, “Paging-Mode Enable”, “PDPTE Registers”, “Operations that Invalidate TLBs and
 * Paging-Structure Caches”.
 */
import { FEATURE_NX } from '../decoder/features.ts';
import type { Cpu } from './cpu.ts';
import { loadPdptrs } from './paging.ts';
import { privilegeChanged } from './privilege.ts';
import {
  EFER_NX,
  X86_CR0_CD,
  X86_CR0_ET,
  X86_CR0_NW,
  X86_CR0_PE,
  X86_CR0_PG,
  X86_CR0_WP,
  X86_CR4_PAE,
  X86_CR4_PGE,
  X86_CR4_PSE,
} from './registers.ts';

/** CR0 bits that exist: the others read as 0 (ET is always 1). */
const CR0_MASK = 0xe005003f | 0;
/** CR0 bits whose change reloads the PDPTEs (KVM: `kvm_set_cr0`), and those on which translations depend. */
const CR0_PDPTR_BITS = X86_CR0_CD | X86_CR0_NW | X86_CR0_PG;
const CR0_TLB_BITS = X86_CR0_PG | X86_CR0_WP | X86_CR0_PE;
/** The same of CR4. */
const CR4_TLB_BITS = X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PGE;

function isPae(cr0: number, cr4: number): boolean {
  return (cr0 & X86_CR0_PG) !== 0 && (cr4 & X86_CR4_PAE) !== 0;
}

/** Whether CR0 may have this value at all: no PG without PE, no NW without CD. */
export function isValidCr0(value: number): boolean {
  const pagingAlone = (value & X86_CR0_PG) !== 0 && (value & X86_CR0_PE) === 0;
  const notWriteThrough = (value & X86_CR0_NW) !== 0 && (value & X86_CR0_CD) === 0;
  return !pagingAlone && !notWriteThrough;
}

/** Whether CR4 has only bits that this processor has. */
export function isValidCr4(cpu: Cpu, value: number): boolean {
  return (value & ~cpu.model.cr4Mask) === 0;
}

/** Whether IA32_EFER may have this value: only NXE exists, and only on a processor with NX. */
export function isValidEfer(cpu: Cpu, value: number): boolean {
  return (value & ~((cpu.model.features & FEATURE_NX) !== 0 ? EFER_NX : 0)) === 0;
}

/** Loads CR0. @returns false for #GP(0). */
export function setCr0(cpu: Cpu, value: number): boolean {
  const old = cpu.cr0;
  const cr0 = (value & CR0_MASK) | X86_CR0_ET;
  if (!isValidCr0(cr0)) return false;
  const changed = old ^ cr0;
  if (isPae(cr0, cpu.cr4) && (changed & CR0_PDPTR_BITS) !== 0 && !loadPdptrs(cpu, cpu.cr3)) return false;
  cpu.cr0 = cr0;
  if ((changed & X86_CR0_PE) !== 0) for (let seg = 0; seg < 8; seg++) cpu.updateSegBound(seg);
  if ((changed & CR0_TLB_BITS) !== 0) cpu.flushTlb();
  privilegeChanged(cpu);
  return true;
}

/** Loads CR3: translations of pages that are not global are forgotten. @returns false for #GP(0). */
export function setCr3(cpu: Cpu, value: number): boolean {
  if (isPae(cpu.cr0, cpu.cr4) && !loadPdptrs(cpu, value)) return false;
  cpu.cr3 = value | 0;
  cpu.tlbs.flush((cpu.cr4 & X86_CR4_PGE) !== 0);
  cpu.attention = 1;
  return true;
}

/** Loads CR4. @returns false for #GP(0). */
export function setCr4(cpu: Cpu, value: number): boolean {
  if (!isValidCr4(cpu, value)) return false;
  const changed = (cpu.cr4 ^ value) & CR4_TLB_BITS;
  if (changed !== 0 && isPae(cpu.cr0, value) && !loadPdptrs(cpu, cpu.cr3)) return false;
  cpu.cr4 = value;
  if (changed !== 0) cpu.flushTlb();
  return true;
}

/** Loads IA32_EFER, of which only NXE exists. @returns false for #GP(0). */
export function setEfer(cpu: Cpu, low: number, high: number): boolean {
  if (!isValidEfer(cpu, low) || high !== 0) return false;
  if (cpu.efer !== low) {
    cpu.efer = low;
    cpu.flushTlb();
  }
  return true;
}

/** INVLPG: forgets the page of one linear address. */
export function invalidatePage(cpu: Cpu, linear: number): void {
  cpu.tlbs.forgetLinear(linear);
  cpu.attention = 1;
}
