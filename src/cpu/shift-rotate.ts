/**
 * Shifts and rotates, single and double.
 *
 * Intel SDM vol. 1, “Shift and Rotate Instructions”. Counts are taken modulo 32; a count of 0 changes no flag. Undefined
 * flags (OF for counts above 1) follow the rule for count 1 on the last step, as processors do.
 */
import type { Insn } from '../decoder/insn.ts';
import type { Cpu } from './cpu.ts';
import { FAULT_NONE } from './cpu.ts';
import { getCf, setCf, setFlagsResult, setOf } from './flags.ts';
import { readDstForUpdate, writeDst } from './operand.ts';
import { CL } from './registers.ts';
import { COLD_NEXT } from './status.ts';

const ROL = 0;
const ROR = 1;
const RCL = 2;
const SHL = 4;
const SHR = 5;

/** Result, CF and OF of the last {@link rotate} or {@link shift}. */
let result = 0;
let carry = 0;
let overflow = 0;

/** a · 2^count or a / 2^count on unsigned values below 2^33, where int32 shifts would wrap. */
function rotateWide(a: number, count: number, width: number): number {
  const right = width - count;
  return ((a * 2 ** count) % 2 ** width) + Math.floor(a / 2 ** right);
}

/** Rotates the unsigned `a` of `bits` bits. */
function rotate(kind: number, a: number, count: number, bits: number, cf: number): void {
  if (kind === ROL || kind === ROR) {
    const n = count % bits;
    result = n === 0 ? a : rotateWide(a, kind === ROL ? n : bits - n, bits);
    const msb = Math.floor(result / 2 ** (bits - 1)) & 1;
    if (kind === ROL) {
      carry = result & 1;
      overflow = msb ^ carry;
    } else {
      carry = msb;
      overflow = msb ^ (Math.floor(result / 2 ** (bits - 2)) & 1);
    }
    return;
  }
  // Through carry: a rotation of bits + 1.
  const width = bits + 1;
  const n = count % width;
  const wide = a + cf * 2 ** bits;
  const rotated = n === 0 ? wide : rotateWide(wide, kind === RCL ? n : width - n, width);
  carry = rotated >= 2 ** bits ? 1 : 0;
  result = rotated - carry * 2 ** bits;
  const msb = Math.floor(result / 2 ** (bits - 1)) & 1;
  overflow = kind === RCL ? msb ^ carry : msb ^ (Math.floor(result / 2 ** (bits - 2)) & 1);
}

/** Shifts the unsigned `a` of `bits` bits by 1 … 31. */
function shift(kind: number, a: number, count: number, bits: number): void {
  const size = 2 ** bits;
  const top = size / 2;
  if (kind === SHL) {
    carry = count <= bits ? Math.floor(a / 2 ** (bits - count)) & 1 : 0;
    result = (a * 2 ** count) % size;
    overflow = (result >= top ? 1 : 0) ^ carry;
    return;
  }
  if (kind === SHR) {
    carry = Math.floor(a / 2 ** (count - 1)) & 1;
    result = Math.floor(a / 2 ** count);
    overflow = count === 1 && a >= top ? 1 : 0;
    return;
  }
  const signed = a >= top ? a - size : a;
  carry = Math.floor(signed / 2 ** (count - 1)) & 1;
  result = Math.floor(signed / 2 ** count);
  overflow = 0;
}

/** ROL ROR RCL RCR SHL SHR SAR: `sub` is the ModRM reg field. */
export function shiftRotate(cpu: Cpu, insn: Insn): number {
  const count = (cpu.r8[insn.src] + insn.imm) & 31;
  const a = readDstForUpdate(cpu, insn, insn.size) >>> 0;
  if (cpu.fault !== FAULT_NONE || count === 0) return COLD_NEXT;
  const bits = insn.size * 8;
  const kind = insn.sub;
  if (kind < SHL) {
    rotate(kind, a, count, bits, getCf(cpu.lazy));
    writeDst(cpu, insn, insn.size, result);
    if (cpu.fault === FAULT_NONE) {
      setCf(cpu.lazy, carry);
      setOf(cpu.lazy, overflow);
    }
    return COLD_NEXT;
  }
  shift(kind, a, count, bits);
  writeDst(cpu, insn, insn.size, result);
  if (cpu.fault === FAULT_NONE) setFlagsResult(cpu.lazy, result, insn.size, carry, overflow);
  return COLD_NEXT;
}

/** Count of SHLD and SHRD: CL when `imm2` is 1. */
function doubleCount(cpu: Cpu, insn: Insn): number {
  return (insn.imm2 !== 0 ? cpu.r8[CL] : insn.imm) & 31;
}

/**
 * SHLD: DEST shifted left, the low bits filled from the top of SRC. With 16 bits and a count above 16 the result is
 * undefined: bits then come from DEST again, as Intel processors do.
 */
export function shld(cpu: Cpu, insn: Insn): number {
  const count = doubleCount(cpu, insn);
  const a = readDstForUpdate(cpu, insn, insn.size) >>> 0;
  if (cpu.fault !== FAULT_NONE || count === 0) return COLD_NEXT;
  let r: number;
  let cf: number;
  if (insn.size === 4) {
    const b = cpu.gpr[insn.src] >>> 0;
    r = (a << count) | (b >>> (32 - count));
    cf = (a >>> (32 - count)) & 1;
  } else {
    const b = cpu.r16[insn.src];
    // DEST:SRC:DEST as one 48-bit value, cut to the 16 bits that end up on top.
    const wide = a * 2 ** 32 + b * 2 ** 16 + a;
    r = Math.floor(wide / 2 ** (32 - count)) & 0xffff;
    cf = Math.floor(wide / 2 ** (48 - count)) & 1;
  }
  const top = insn.size * 8 - 1;
  writeDst(cpu, insn, insn.size, r);
  if (cpu.fault === FAULT_NONE) setFlagsResult(cpu.lazy, r, insn.size, cf, ((r >>> top) ^ (a >>> top)) & 1);
  return COLD_NEXT;
}

/** SHRD: DEST shifted right, the high bits filled from the bottom of SRC. */
export function shrd(cpu: Cpu, insn: Insn): number {
  const count = doubleCount(cpu, insn);
  const a = readDstForUpdate(cpu, insn, insn.size) >>> 0;
  if (cpu.fault !== FAULT_NONE || count === 0) return COLD_NEXT;
  let r: number;
  let cf: number;
  if (insn.size === 4) {
    const b = cpu.gpr[insn.src] >>> 0;
    r = (a >>> count) | (b << (32 - count));
    cf = (a >>> (count - 1)) & 1;
  } else {
    const b = cpu.r16[insn.src];
    const wide = a * 2 ** 32 + b * 2 ** 16 + a;
    r = Math.floor(wide / 2 ** count) & 0xffff;
    cf = Math.floor(wide / 2 ** (count - 1)) & 1;
  }
  const top = insn.size * 8 - 1;
  writeDst(cpu, insn, insn.size, r);
  if (cpu.fault === FAULT_NONE) setFlagsResult(cpu.lazy, r, insn.size, cf, ((r >>> top) ^ (a >>> top)) & 1);
  return COLD_NEXT;
}
