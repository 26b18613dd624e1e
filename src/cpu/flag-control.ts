/**
 * Flag control: CLC STC CMC CLD STD CLI STI LAHF SAHF PUSHF POPF SALC.
 *
 * Intel SDM vol. 1, “Flag Control (EFLAG) Instructions”.
 */
import type { Insn } from '../decoder/insn.ts';
import { raise } from './access.ts';
import { type Cpu, FAULT_NONE, KVM_X86_SHADOW_INT_STI } from './cpu.ts';
import { getCf, getEflags, getStatusFlags, setCf, setEflags, setStatusFlags } from './flags.ts';
import { cpl, iopl } from './privilege.ts';
import {
  AH,
  AL,
  GP_VECTOR,
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
import { drop, peek, push } from './stack.ts';
import { COLD_NEXT } from './status.ts';
import {
  FLAG_REAL,
  FLAG_VIRTUAL,
  interruptFlagKind,
  loadVirtualFlags,
  virtualFlags,
  virtualFlagsAllowed,
} from './virtual-8086.ts';

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
/** With a 32-bit operand also these. VM, VIF and VIP keep their values; RF is 0 afterwards. */
const POPF32 = POPF16 | X86_EFLAGS_AC | X86_EFLAGS_ID;
/** IRETD loads RF too: the instruction it returns to is not to break again. */
const IRET32 = POPF32 | X86_EFLAGS_RF;

/** CF ← 0 */
export function clc(cpu: Cpu, _insn: Insn): number {
  setCf(cpu.lazy, 0);
  return COLD_NEXT;
}

/** CF ← 1 */
export function stc(cpu: Cpu, _insn: Insn): number {
  setCf(cpu.lazy, 1);
  return COLD_NEXT;
}

/** CF ← NOT CF */
export function cmc(cpu: Cpu, _insn: Insn): number {
  setCf(cpu.lazy, getCf(cpu.lazy) ^ 1);
  return COLD_NEXT;
}

/** DF ← 0 */
export function cld(cpu: Cpu, _insn: Insn): number {
  cpu.sysFlags &= ~X86_EFLAGS_DF;
  return COLD_NEXT;
}

/** DF ← 1 */
export function std(cpu: Cpu, _insn: Insn): number {
  cpu.sysFlags |= X86_EFLAGS_DF;
  return COLD_NEXT;
}

/** IF ← 0 where CPL ≤ IOPL; VIF ← 0 with VME or PVI; else #GP(0) */
export function cli(cpu: Cpu, _insn: Insn): number {
  const kind = interruptFlagKind(cpu);
  if (kind === FLAG_REAL) cpu.sysFlags &= ~X86_EFLAGS_IF;
  else if (kind === FLAG_VIRTUAL) cpu.sysFlags &= ~X86_EFLAGS_VIF;
  else raise(cpu, GP_VECTOR, 0);
  return COLD_NEXT;
}

/**
 * IF ← 1 where CPL ≤ IOPL: when IF was 0, interrupts stay held back for one more instruction. VIF ← 1 with VME or PVI,
 * #GP(0) when VIP = 1; else #GP(0).
 */
export function sti(cpu: Cpu, _insn: Insn): number {
  const kind = interruptFlagKind(cpu);
  if (kind !== FLAG_REAL) {
    const isPending = (cpu.sysFlags & X86_EFLAGS_VIP) !== 0;
    if (kind === FLAG_VIRTUAL && !isPending) cpu.sysFlags |= X86_EFLAGS_VIF;
    else raise(cpu, GP_VECTOR, 0);
    return COLD_NEXT;
  }
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

/** Virtual-8086 mode with IOPL below 3. */
function isVirtualised(cpu: Cpu): boolean {
  return (cpu.sysFlags & X86_EFLAGS_VM) !== 0 && iopl(cpu) < 3;
}

/** Push(EFLAGS) with VM and RF clear in the image. */
export function pushf(cpu: Cpu, insn: Insn): number {
  if (isVirtualised(cpu)) {
    if (virtualFlagsAllowed(cpu, insn.opSize)) push(cpu, 2, virtualFlags(cpu));
    return COLD_NEXT;
  }
  push(cpu, insn.opSize, getEflags(cpu) & ~(X86_EFLAGS_RF | X86_EFLAGS_VM));
  return COLD_NEXT;
}

/** Replaces the bits of `wanted` in EFLAGS: IOPL only at level 0, IF only where CPL does not exceed IOPL. */
function mergeEflags(cpu: Cpu, image: number, wanted: number): void {
  let mask = wanted;
  const level = cpl(cpu);
  if (level > 0) mask &= ~X86_EFLAGS_IOPL;
  if (level > iopl(cpu)) mask &= ~X86_EFLAGS_IF;
  setEflags(cpu, (getEflags(cpu) & ~mask) | (image & mask));
}

/** Loads the image that IRET has popped; at level 0 a 32-bit one has VIF and VIP too. */
export function loadIretFlags(cpu: Cpu, image: number, size: number): void {
  const virtual = size === 4 && cpu.isProtected && cpl(cpu) === 0 ? X86_EFLAGS_VIF | X86_EFLAGS_VIP : 0;
  mergeEflags(cpu, image, size === 4 ? IRET32 | virtual : POPF16);
}

/** EFLAGS ← Pop(); IOPL, IF, VIF by level and mode */
export function popf(cpu: Cpu, insn: Insn): number {
  const size = insn.opSize;
  const isVirtual = isVirtualised(cpu);
  if (isVirtual && !virtualFlagsAllowed(cpu, size)) return COLD_NEXT;
  const image = peek(cpu, size, 0);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  if (!isVirtual) mergeEflags(cpu, image, size === 4 ? POPF32 : POPF16);
  else if (!loadVirtualFlags(cpu, image)) return COLD_NEXT;
  drop(cpu, size);
  return COLD_NEXT;
}

/** AL ← CF ? FFH : 0 (undocumented opcode D6) */
export function salc(cpu: Cpu, _insn: Insn): number {
  cpu.r8[AL] = -getCf(cpu.lazy);
  return COLD_NEXT;
}
