/**
 * SYSENTER and SYSEXIT: flat segments without descriptors, from and to level 3.
 *
 * Intel SDM vol. 3A, “Performing Fast Calls to System Procedures with the SYSENTER and SYSEXIT Instructions”; vol. 2 for the
 * pseudo-code.
 */
import { type Insn, SEG_CS, SEG_SS } from '../decoder/insn.ts';
import { raise } from './access.ts';
import type { Cpu } from './cpu.ts';
import { SELECTOR_MASK } from './descriptor.ts';
import { cpl, privilegeChanged } from './privilege.ts';
import {
  AR_DB,
  AR_DPL_SHIFT,
  AR_G,
  AR_P,
  AR_S,
  AR_TYPE_ACCESSED,
  AR_TYPE_CODE,
  AR_TYPE_WRITABLE,
  ECX,
  EDX,
  ESP,
  GP_VECTOR,
  X86_CR0_PE,
  X86_EFLAGS_IF,
  X86_EFLAGS_VM,
} from './registers.ts';
import { COLD_JUMP, COLD_NEXT } from './status.ts';

const FLAT_DATA = AR_P | AR_S | AR_TYPE_WRITABLE | AR_TYPE_ACCESSED | AR_DB | AR_G;

/** Flat 32-bit code and stack at `selector` and `selector` + 8. */
function loadFlat(cpu: Cpu, selector: number, level: number): void {
  const rights = FLAT_DATA | (level << AR_DPL_SHIFT);
  cpu.setSegment(SEG_CS, selector | level, 0, 0xffffffff, rights | AR_TYPE_CODE);
  cpu.setSegment(SEG_SS, (selector + 8) | level, 0, 0xffffffff, rights);
  privilegeChanged(cpu);
  cpu.attention = 1;
}

/** IF CR0.PE = 0 or IA32_SYSENTER_CS is null THEN #GP(0) */
function isUsable(cpu: Cpu): boolean {
  if ((cpu.cr0 & X86_CR0_PE) !== 0 && (cpu.sysenterCs & SELECTOR_MASK) !== 0) return true;
  raise(cpu, GP_VECTOR, 0);
  return false;
}

/** EFLAGS.VM ← EFLAGS.IF ← 0; CS, SS flat at level 0; ESP ← IA32_SYSENTER_ESP; EIP ← IA32_SYSENTER_EIP */
export function sysenter(cpu: Cpu, _insn: Insn): number {
  if (!isUsable(cpu)) return COLD_NEXT;
  cpu.sysFlags &= ~(X86_EFLAGS_VM | X86_EFLAGS_IF);
  loadFlat(cpu, cpu.sysenterCs & SELECTOR_MASK, 0);
  cpu.gpr[ESP] = cpu.sysenterEsp;
  cpu.eip = cpu.sysenterEip;
  return COLD_JUMP;
}

/** IF CPL ≠ 0 THEN #GP(0); CS ← IA32_SYSENTER_CS + 16, SS ← + 24, flat at level 3; EIP ← EDX; ESP ← ECX */
export function sysexit(cpu: Cpu, _insn: Insn): number {
  if (!isUsable(cpu)) return COLD_NEXT;
  if (cpl(cpu) !== 0) {
    raise(cpu, GP_VECTOR, 0);
    return COLD_NEXT;
  }
  loadFlat(cpu, ((cpu.sysenterCs & SELECTOR_MASK) + 16) & 0xffff, 3);
  cpu.gpr[ESP] = cpu.gpr[ECX];
  cpu.eip = cpu.gpr[EDX];
  return COLD_JUMP;
}
