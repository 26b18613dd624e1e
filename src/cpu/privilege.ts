/**
 * Privilege: which level the code runs at, and what that level may do.
 *
 * Intel SDM vol. 3A, “Privilege Levels”, “Privileged Instructions”; vol. 1, “I/O Privilege Level”.
 */
import { SEG_SS } from '../decoder/insn.ts';
import { raise } from './access.ts';
import { type Cpu, FAULT_INTERNAL } from './cpu.ts';
import { AR_DPL_SHIFT, GP_VECTOR, X86_CR0_PE, X86_EFLAGS_IOPL, X86_EFLAGS_VM } from './registers.ts';

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

/** For CLI and STI. @returns whether CPL does not exceed IOPL; #GP(0) otherwise. */
export function requireIopl(cpu: Cpu): boolean {
  if (cpl(cpu) <= iopl(cpu)) return true;
  raise(cpu, GP_VECTOR, 0);
  return false;
}

/** For PUSHF, POPF, IRET and INT n in virtual-8086 mode. @returns whether IOPL allows it; #GP(0) otherwise. */
export function requireIopl3InV86(cpu: Cpu): boolean {
  if ((cpu.sysFlags & X86_EFLAGS_VM) === 0 || iopl(cpu) === 3) return true;
  raise(cpu, GP_VECTOR, 0);
  return false;
}

/**
 * What protected mode does not have yet: the run ends with an internal error that names it.
 *
 * @returns false in protected mode.
 */
export function realOrV86Only(cpu: Cpu, what: string): boolean {
  if (!cpu.isProtected) return true;
  cpu.fault = FAULT_INTERNAL;
  cpu.internalError = `${what} in protected mode is not built yet`;
  return false;
}
