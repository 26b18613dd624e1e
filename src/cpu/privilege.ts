/**
 * Privilege: which level the code runs at, and what that level may do.
 *
 * Intel SDM vol. 3A, “Privilege Levels”, “Privileged Instructions”; vol. 1, “I/O Privilege Level”.
 */
import { SEG_SS } from '../decoder/insn.ts';
import { raise } from './access.ts';
import type { Cpu } from './cpu.ts';
import {
  AR_DPL_SHIFT,
  GP_VECTOR,
  X86_CR0_AM,
  X86_CR0_PE,
  X86_EFLAGS_AC,
  X86_EFLAGS_IOPL,
  X86_EFLAGS_VM,
} from './registers.ts';

const IOPL_SHIFT = 12;

/** Current privilege level: 0 in real mode, 3 in virtual-8086 mode, else that of SS. */
export function cpl(cpu: Cpu): number {
  if ((cpu.cr0 & X86_CR0_PE) === 0) return 0;
  if ((cpu.sysFlags & X86_EFLAGS_VM) !== 0) return 3;
  return (cpu.segAttr[SEG_SS] >> AR_DPL_SHIFT) & 3;
}

/** I/O privilege level. */
export function iopl(cpu: Cpu): number {
  return (cpu.sysFlags & X86_EFLAGS_IOPL) >> IOPL_SHIFT;
}

/** For instructions that only level 0 may execute. @returns whether it may; #GP(0) otherwise. */
export function requirePrivilege(cpu: Cpu): boolean {
  if (cpl(cpu) === 0) return true;
  raise(cpu, GP_VECTOR, 0);
  return false;
}

/**
 * Everything that can change the privilege level (SS, EFLAGS.VM, CR0.PE) or arm alignment checks (CR0.AM, EFLAGS.AC) calls
 * this afterwards; the boundary does too, because the host can change them. What depends on the level is brought up to date
 * here and nowhere else.
 *
 * Alignment checks are on at level 3 with AM and AC. The fast bounds then refuse words and doublewords, so that every such
 * access takes the slow check (access.ts).
 */
export function privilegeChanged(cpu: Cpu): void {
  cpu.selectTlb();
  const armed = (cpu.cr0 & X86_CR0_AM) !== 0 && (cpu.sysFlags & X86_EFLAGS_AC) !== 0 && cpl(cpu) === 3;
  setAlignmentArmed(cpu, armed ? 1 : 0);
}

function setAlignmentArmed(cpu: Cpu, armed: number): void {
  if (armed === cpu.alignmentArmed) return;
  cpu.alignmentArmed = armed;
  for (let seg = 0; seg < 6; seg++) cpu.updateSegBound(seg);
}

/** Until the next boundary nothing is checked: KVM's instruction emulator does not know #AC. */
export function suspendAlignmentCheck(cpu: Cpu): void {
  setAlignmentArmed(cpu, 0);
}
