/**
 * Decimal arithmetic: DAA DAS AAA AAS AAM AAD.
 *
 * Intel SDM vol. 1, “Decimal Arithmetic Instructions”; pseudo-code of vol. 2.
 */
import type { Insn } from '../decoder/insn.ts';
import { raise } from './access.ts';
import type { Cpu } from './cpu.ts';
import { getAf, getCf, getStatusFlags, setFlagsResult, setStatusFlags } from './flags.ts';
import { AH, AL, AX, DE_VECTOR, X86_EFLAGS_AF, X86_EFLAGS_CF } from './registers.ts';
import { COLD_NEXT } from './status.ts';

/** SF, ZF, PF from AL; CF and AF as given; OF (undefined) clear. */
function decimalFlags(cpu: Cpu, cf: number, af: number): void {
  setFlagsResult(cpu.lazy, cpu.r8[AL], 1, cf, 0);
  const flags = getStatusFlags(cpu.lazy) & ~X86_EFLAGS_AF;
  setStatusFlags(cpu.lazy, flags | (af !== 0 ? X86_EFLAGS_AF : 0));
}

/**
 *     IF (AL AND 0FH) > 9 or AF = 1 THEN AL ← AL + 6; CF ← old_CF or carry; AF ← 1
 *     IF old_AL > 99H or old_CF = 1 THEN AL ← AL + 60H; CF ← 1 ELSE CF ← 0
 */
export function daa(cpu: Cpu, _insn: Insn): number {
  const oldAl = cpu.r8[AL];
  const oldCf = getCf(cpu.lazy);
  let al = oldAl;
  let af = 0;
  if ((al & 15) > 9 || getAf(cpu.lazy) !== 0) {
    al += 6;
    af = 1;
  }
  let cf = 0;
  if (oldAl > 0x99 || oldCf !== 0) {
    al += 0x60;
    cf = 1;
  }
  cpu.r8[AL] = al;
  decimalFlags(cpu, cf, af);
  return COLD_NEXT;
}

/**
 *     IF (AL AND 0FH) > 9 or AF = 1 THEN AL ← AL − 6; CF ← old_CF or borrow; AF ← 1
 *     IF old_AL > 99H or old_CF = 1 THEN AL ← AL − 60H; CF ← 1
 */
export function das(cpu: Cpu, _insn: Insn): number {
  const oldAl = cpu.r8[AL];
  const oldCf = getCf(cpu.lazy);
  let al = oldAl;
  let af = 0;
  let cf = 0;
  if ((al & 15) > 9 || getAf(cpu.lazy) !== 0) {
    cf = oldCf | (al < 6 ? 1 : 0);
    al -= 6;
    af = 1;
  }
  if (oldAl > 0x99 || oldCf !== 0) {
    al -= 0x60;
    cf = 1;
  }
  cpu.r8[AL] = al;
  decimalFlags(cpu, cf, af);
  return COLD_NEXT;
}

function asciiAdjust(cpu: Cpu, step: number): number {
  const adjust = (cpu.r8[AL] & 15) > 9 || getAf(cpu.lazy) !== 0;
  if (adjust) cpu.r16[AX] = cpu.r16[AX] + step;
  cpu.r8[AL] &= 15;
  const flag = adjust ? X86_EFLAGS_AF | X86_EFLAGS_CF : 0;
  setFlagsResult(cpu.lazy, cpu.r8[AL], 1, 0, 0);
  setStatusFlags(cpu.lazy, getStatusFlags(cpu.lazy) | flag);
  return COLD_NEXT;
}

/** IF (AL AND 0FH) > 9 or AF = 1 THEN AX ← AX + 106H; AF, CF ← 1; AL ← AL AND 0FH */
export function aaa(cpu: Cpu, _insn: Insn): number {
  return asciiAdjust(cpu, 0x106);
}

/** IF (AL AND 0FH) > 9 or AF = 1 THEN AX ← AX − 6; AH ← AH − 1; AF, CF ← 1; AL ← AL AND 0FH */
export function aas(cpu: Cpu, _insn: Insn): number {
  return asciiAdjust(cpu, -0x106);
}

/** AH ← AL / imm8; AL ← AL MOD imm8; #DE when imm8 is 0. */
export function aam(cpu: Cpu, insn: Insn): number {
  const base = insn.imm & 0xff;
  if (base === 0) {
    raise(cpu, DE_VECTOR, 0);
    return COLD_NEXT;
  }
  const al = cpu.r8[AL];
  cpu.r8[AH] = Math.floor(al / base);
  cpu.r8[AL] = al % base;
  setFlagsResult(cpu.lazy, cpu.r8[AL], 1, 0, 0);
  return COLD_NEXT;
}

/** AL ← AL + AH · imm8; AH ← 0 */
export function aad(cpu: Cpu, insn: Insn): number {
  const al = (cpu.r8[AL] + cpu.r8[AH] * (insn.imm & 0xff)) & 0xff;
  cpu.r16[AX] = al;
  setFlagsResult(cpu.lazy, al, 1, 0, 0);
  return COLD_NEXT;
}
