/**
 * BMI1 with VEX prefixes: ANDN BEXTR BLSR BLSMSK BLSI. Protected mode only: elsewhere the bytes C4H and C5H are LES and LDS,
 * which have no register form. TZCNT, the sixth of them, is in bit-byte.ts.
 *
 * Intel SDM vol. 1, “Bit and Byte Instructions”; vol. 2 for the pseudo-code. AF and PF are undefined: clear and of the result.
 */
import type { Insn } from '../decoder/insn.ts';
import { type Cpu, FAULT_NONE } from './cpu.ts';
import { setFlagsLogic, setFlagsResult, setStatusFlags } from './flags.ts';
import { readSrc } from './operand.ts';
import { X86_EFLAGS_ZF } from './registers.ts';
import { COLD_NEXT } from './status.ts';

/** DEST ← (NOT SRC1) AND SRC2; SF and ZF of the result, OF CF ← 0 */
export function andn(cpu: Cpu, insn: Insn): number {
  const src = readSrc(cpu, insn, 4);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  const result = ~cpu.gpr[insn.imm2] & src;
  cpu.gpr[insn.dst] = result;
  setFlagsLogic(cpu.lazy, result, 4);
  return COLD_NEXT;
}

/** START ← SRC2[7:0]; LEN ← SRC2[15:8]; DEST ← SRC1[START+LEN−1:START]; ZF of the result, OF CF ← 0 (SF undefined: 0) */
export function bextr(cpu: Cpu, insn: Insn): number {
  const src = readSrc(cpu, insn, 4);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  const start = cpu.gpr[insn.imm2] & 0xff;
  const len = (cpu.gpr[insn.imm2] >>> 8) & 0xff;
  const shifted = start > 31 ? 0 : src >>> start;
  const result = len > 31 ? shifted : shifted & ((1 << len) - 1);
  cpu.gpr[insn.dst] = result;
  setStatusFlags(cpu.lazy, result === 0 ? X86_EFLAGS_ZF : 0);
  return COLD_NEXT;
}

/** `sub`: 1 BLSR, 2 BLSMSK, 3 BLSI. */
function lowestBit(sub: number, src: number): number {
  return sub === 1 ? (src - 1) & src : sub === 2 ? (src - 1) ^ src : -src & src;
}

/**
 *     BLSR:   DEST ← (SRC−1) AND SRC; CF ← (SRC = 0)
 *     BLSMSK: DEST ← (SRC−1) XOR SRC; CF ← (SRC = 0); ZF ← 0
 *     BLSI:   DEST ← (−SRC) AND SRC;  CF ← (SRC ≠ 0)
 *     SF and ZF of the result; OF ← 0
 */
export function bls(cpu: Cpu, insn: Insn): number {
  const src = readSrc(cpu, insn, 4);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  const result = lowestBit(insn.sub, src);
  cpu.gpr[insn.dst] = result;
  const isZero = src === 0 ? 1 : 0;
  setFlagsResult(cpu.lazy, result, 4, insn.sub === 3 ? isZero ^ 1 : isZero, 0);
  return COLD_NEXT;
}
