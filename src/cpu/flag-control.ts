/**
 * Flag control: CLC STC CMC CLD STD CLI STI LAHF SAHF PUSHF POPF SALC.
 *
 * Intel SDM vol. 1, “Flag Control (EFLAG) Instructions”.
 */
import type { Insn } from '../decoder/insn.ts';
import { type Cpu, FAULT_NONE, KVM_X86_SHADOW_INT_STI } from './cpu.ts';
import { getCf, getEflags, getStatusFlags, setCf, setEflags, setStatusFlags } from './flags.ts';
import {
  AH,
  AL,
  X86_EFLAGS_AC,
  X86_EFLAGS_AF,
  X86_EFLAGS_CF,
  X86_EFLAGS_DF,
  X86_EFLAGS_ID,
  X86_EFLAGS_IF,
  X86_EFLAGS_IOPL,
  X86_EFLAGS_NT,
  X86_EFLAGS_OF,
  X86_EFLAGS_PF,
  X86_EFLAGS_RF,
  X86_EFLAGS_SF,
  X86_EFLAGS_TF,
  X86_EFLAGS_VIF,
  X86_EFLAGS_VIP,
  X86_EFLAGS_VM,
  X86_EFLAGS_ZF,
} from './registers.ts';
import { pop, push } from './stack.ts';
import { COLD_NEXT } from './status.ts';

const SAHF_FLAGS = X86_EFLAGS_SF | X86_EFLAGS_ZF | X86_EFLAGS_AF | X86_EFLAGS_PF | X86_EFLAGS_CF;

/** What POPF can change at privilege level 0 (and in real mode) with a 16-bit operand. */
const POPF16 =
  SAHF_FLAGS |
  X86_EFLAGS_OF |
  X86_EFLAGS_DF |
  X86_EFLAGS_IF |
  X86_EFLAGS_TF |
  X86_EFLAGS_IOPL |
  X86_EFLAGS_NT;
/** With a 32-bit operand also these. VIF and VIP are cleared, VM keeps its value, RF is cleared. */
const POPF32 = POPF16 | X86_EFLAGS_AC | X86_EFLAGS_ID;

export function clc(cpu: Cpu, _insn: Insn): number {
  setCf(cpu.lazy, 0);
  return COLD_NEXT;
}

export function stc(cpu: Cpu, _insn: Insn): number {
  setCf(cpu.lazy, 1);
  return COLD_NEXT;
}

export function cmc(cpu: Cpu, _insn: Insn): number {
  setCf(cpu.lazy, getCf(cpu.lazy) ^ 1);
  return COLD_NEXT;
}

export function cld(cpu: Cpu, _insn: Insn): number {
  cpu.sysFlags &= ~X86_EFLAGS_DF;
  return COLD_NEXT;
}

export function std(cpu: Cpu, _insn: Insn): number {
  cpu.sysFlags |= X86_EFLAGS_DF;
  return COLD_NEXT;
}

export function cli(cpu: Cpu, _insn: Insn): number {
  cpu.sysFlags &= ~X86_EFLAGS_IF;
  return COLD_NEXT;
}

/** IF ← 1; when IF was 0, interrupts stay held back for one more instruction. */
export function sti(cpu: Cpu, _insn: Insn): number {
  if ((cpu.sysFlags & X86_EFLAGS_IF) !== 0) return COLD_NEXT;
  cpu.sysFlags |= X86_EFLAGS_IF;
  cpu.interruptShadow = KVM_X86_SHADOW_INT_STI;
  cpu.attention = 1;
  return COLD_NEXT;
}

/** AH ← SF:ZF:0:AF:0:PF:1:CF */
export function lahf(cpu: Cpu, _insn: Insn): number {
  cpu.r8[AH] = getEflags(cpu) & 0xff;
  return COLD_NEXT;
}

/** SF ZF AF PF CF ← AH; OF unchanged */
export function sahf(cpu: Cpu, _insn: Insn): number {
  setStatusFlags(cpu.lazy, (getStatusFlags(cpu.lazy) & ~SAHF_FLAGS) | (cpu.r8[AH] & SAHF_FLAGS));
  return COLD_NEXT;
}

/** Push(EFLAGS) with VM and RF clear in the image. */
export function pushf(cpu: Cpu, insn: Insn): number {
  push(cpu, insn.opSize, getEflags(cpu) & ~(X86_EFLAGS_RF | X86_EFLAGS_VM));
  return COLD_NEXT;
}

/** Merges a popped image into EFLAGS as real mode and CPL 0 do. */
export function loadEflags(cpu: Cpu, image: number, size: number): void {
  const mask = size === 4 ? POPF32 : POPF16;
  let keep = getEflags(cpu) & ~mask;
  if (size === 4) keep &= ~(X86_EFLAGS_RF | X86_EFLAGS_VIF | X86_EFLAGS_VIP);
  setEflags(cpu, keep | (image & mask));
}

export function popf(cpu: Cpu, insn: Insn): number {
  const image = pop(cpu, insn.opSize);
  if (cpu.fault === FAULT_NONE) loadEflags(cpu, image, insn.opSize);
  return COLD_NEXT;
}

/** AL ← CF ? FFH : 0 (undocumented opcode D6) */
export function salc(cpu: Cpu, _insn: Insn): number {
  cpu.r8[AL] = -getCf(cpu.lazy);
  return COLD_NEXT;
}
