/**
 * Binary arithmetic that is not in the hot switch: INC/DEC of memory, NEG, NOT, MUL, IMUL, DIV, IDIV, ADCX, ADOX.
 *
 * Intel SDM vol. 1, “Binary Arithmetic Instructions”.
 */
import type { Insn } from '../decoder/insn.ts';
import { Op } from '../decoder/op.ts';
import { effectiveAddress, loadForUpdate, raise, storeSized } from './access.ts';
import { type Cpu, FAULT_NONE } from './cpu.ts';
import {
  getCf,
  getOf,
  setCf,
  setFlagsIncDec,
  setFlagsResult,
  setFlagsSub,
  setOf,
  signExtend,
} from './flags.ts';
import { readDst, readDstForUpdate, readSrc, writeDst, writeReg } from './operand.ts';
import { AL, AX, DE_VECTOR, DX, EAX, EDX } from './registers.ts';
import { COLD_NEXT } from './status.ts';

const HIGH = 0x1_0000_0000;

/** DEST ← DEST ± 1; CF unchanged. */
export function incDecMem(cpu: Cpu, insn: Insn): number {
  const step = insn.op >= Op.DecMem8 ? -1 : 1;
  const ea = effectiveAddress(cpu.gpr, insn);
  const a = loadForUpdate(cpu, insn.seg, ea, insn.size);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  const r = signExtend(a + step, insn.size);
  storeSized(cpu, insn.seg, ea, insn.size, r);
  if (cpu.fault === FAULT_NONE) setFlagsIncDec(cpu.lazy, r, step, insn.size);
  return COLD_NEXT;
}

/** CF ← (DEST ≠ 0); DEST ← −DEST. */
export function neg(cpu: Cpu, insn: Insn): number {
  const a = readDstForUpdate(cpu, insn, insn.size);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  const r = -a | 0;
  writeDst(cpu, insn, insn.size, r);
  if (cpu.fault === FAULT_NONE) setFlagsSub(cpu.lazy, 0, a, r, insn.size);
  return COLD_NEXT;
}

/** DEST ← NOT DEST; no flags. */
export function not(cpu: Cpu, insn: Insn): number {
  const a = readDstForUpdate(cpu, insn, insn.size);
  if (cpu.fault === FAULT_NONE) writeDst(cpu, insn, insn.size, ~a);
  return COLD_NEXT;
}

/** Upper 32 bits of the unsigned 64-bit product of two 32-bit values. */
function mulHigh(a: number, b: number): number {
  const a0 = a & 0xffff;
  const a1 = a >>> 16;
  const b0 = b & 0xffff;
  const b1 = b >>> 16;
  const mid = a1 * b0 + ((a0 * b0) >>> 16);
  const mid2 = a0 * b1 + (mid % 0x10000);
  return (a1 * b1 + Math.floor(mid / 0x10000) + Math.floor(mid2 / 0x10000)) | 0;
}

/** Upper 32 bits of the signed 64-bit product. */
function imulHigh(a: number, b: number): number {
  return (mulHigh(a, b) - (a < 0 ? b : 0) - (b < 0 ? a : 0)) | 0;
}

/** AX ← AL · SRC; DX:AX ← AX · SRC; EDX:EAX ← EAX · SRC. CF = OF = (upper half ≠ 0). */
export function mul(cpu: Cpu, insn: Insn): number {
  const b = readDst(cpu, insn, insn.size);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  let low: number;
  let high: number;
  if (insn.size === 1) {
    low = cpu.r8[AL] * b;
    high = low >>> 8;
    cpu.r16[AX] = low;
  } else if (insn.size === 2) {
    low = Math.imul(cpu.r16[AX], b);
    high = low >>> 16;
    cpu.r16[AX] = low;
    cpu.r16[DX] = high;
  } else {
    high = mulHigh(cpu.gpr[EAX], b);
    low = Math.imul(cpu.gpr[EAX], b);
    cpu.gpr[EAX] = low;
    cpu.gpr[EDX] = high;
  }
  const over = high !== 0 ? 1 : 0;
  setFlagsResult(cpu.lazy, low, insn.size, over, over);
  return COLD_NEXT;
}

/** One-operand IMUL. CF = OF = (the result does not fit the lower half). */
export function imul(cpu: Cpu, insn: Insn): number {
  const b = signExtend(readDst(cpu, insn, insn.size), insn.size);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  let low: number;
  let over: number;
  if (insn.size === 1) {
    low = signExtend(cpu.r8[AL], 1) * b;
    over = low !== signExtend(low, 1) ? 1 : 0;
    cpu.r16[AX] = low;
  } else if (insn.size === 2) {
    low = signExtend(cpu.r16[AX], 2) * b;
    over = low !== signExtend(low, 2) ? 1 : 0;
    cpu.r16[AX] = low;
    cpu.r16[DX] = low >> 16;
  } else {
    const a = cpu.gpr[EAX];
    low = Math.imul(a, b);
    const high = imulHigh(a, b);
    over = high !== low >> 31 ? 1 : 0;
    cpu.gpr[EAX] = low;
    cpu.gpr[EDX] = high;
  }
  setFlagsResult(cpu.lazy, low, insn.size, over, over);
  return COLD_NEXT;
}

/** Two- and three-operand IMUL: `imm2` = 1 when the third operand is the immediate. */
export function imul2(cpu: Cpu, insn: Insn): number {
  const size = insn.size;
  const b = signExtend(readSrc(cpu, insn, size), size);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  const a = signExtend(insn.imm2 !== 0 ? insn.imm : size === 4 ? cpu.gpr[insn.dst] : cpu.r16[insn.dst], size);
  const low = Math.imul(a, b);
  const over = size === 4 ? (imulHigh(a, b) !== low >> 31 ? 1 : 0) : low !== signExtend(low, 2) ? 1 : 0;
  writeReg(cpu, insn.dst, size, low);
  setFlagsResult(cpu.lazy, low, size, over, over);
  return COLD_NEXT;
}

/**
 * Unsigned 64 ÷ 32 bits. Quotient and remainder are left in {@link quotient}, {@link remainder}. The caller has checked
 * that high < divisor, so that the quotient fits.
 */
function divide64(high: number, low: number, divisor: number): void {
  // Long division with 16-bit digits: (high·2^16 + digit) stays below 2^48.
  const t1 = high * 0x10000 + Math.floor(low / 0x10000);
  const q1 = Math.floor(t1 / divisor);
  const t2 = (t1 - q1 * divisor) * 0x10000 + (low % 0x10000);
  const q2 = Math.floor(t2 / divisor);
  quotient = q1 * 0x10000 + q2;
  remainder = t2 - q2 * divisor;
}
let quotient = 0;
let remainder = 0;

/** Unsigned division; #DE when the divisor is 0 or the quotient too large. Flags are undefined: left alone. */
export function div(cpu: Cpu, insn: Insn): number {
  const divisor = readDst(cpu, insn, insn.size) >>> 0;
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  if (insn.size === 4) {
    const high = cpu.gpr[EDX] >>> 0;
    if (high >= divisor) {
      raise(cpu, DE_VECTOR, 0);
      return COLD_NEXT;
    }
    divide64(high, cpu.gpr[EAX] >>> 0, divisor);
    cpu.gpr[EAX] = quotient;
    cpu.gpr[EDX] = remainder;
    return COLD_NEXT;
  }
  const dividend = insn.size === 1 ? cpu.r16[AX] : cpu.r16[DX] * 0x10000 + cpu.r16[AX];
  const q = divisor === 0 ? HIGH : Math.floor(dividend / divisor);
  if (q > (insn.size === 1 ? 0xff : 0xffff)) {
    raise(cpu, DE_VECTOR, 0);
    return COLD_NEXT;
  }
  storeQuotient(cpu, insn.size, q, dividend - q * divisor);
  return COLD_NEXT;
}

function storeQuotient(cpu: Cpu, size: number, q: number, rest: number): void {
  if (size === 1) cpu.r16[AX] = (q & 0xff) | ((rest & 0xff) << 8);
  else {
    cpu.r16[AX] = q;
    cpu.r16[DX] = rest;
  }
}

/** Signed division; #DE when the divisor is 0 or the quotient does not fit. */
export function idiv(cpu: Cpu, insn: Insn): number {
  const divisor = signExtend(readDst(cpu, insn, insn.size), insn.size);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  if (insn.size === 4) {
    idiv32(cpu, divisor);
    return COLD_NEXT;
  }
  const dividend = insn.size === 1 ? signExtend(cpu.r16[AX], 2) : (cpu.r16[DX] << 16) | cpu.r16[AX];
  const q = divisor === 0 ? HIGH : Math.trunc(dividend / divisor);
  if (q !== signExtend(q, insn.size)) {
    raise(cpu, DE_VECTOR, 0);
    return COLD_NEXT;
  }
  storeQuotient(cpu, insn.size, q, dividend - q * divisor);
  return COLD_NEXT;
}

function idiv32(cpu: Cpu, divisor: number): void {
  let high = cpu.gpr[EDX];
  let low = cpu.gpr[EAX];
  const negative = high < 0;
  if (negative) {
    low = -low | 0;
    high = (~high + (low === 0 ? 1 : 0)) | 0;
  }
  const magnitude = Math.abs(divisor);
  if (high >>> 0 >= magnitude) {
    raise(cpu, DE_VECTOR, 0);
    return;
  }
  divide64(high >>> 0, low >>> 0, magnitude);
  const q = negative !== divisor < 0 ? -quotient : quotient;
  if (q > 0x7fffffff || q < -0x80000000) {
    raise(cpu, DE_VECTOR, 0);
    return;
  }
  cpu.gpr[EAX] = q;
  cpu.gpr[EDX] = negative ? -remainder : remainder;
}

/** Unsigned addition with CF (ADCX) or OF (ADOX) as carry in and out; no other flag changes. */
export function adcx(cpu: Cpu, insn: Insn): number {
  const b = readSrc(cpu, insn, 4);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  const a = cpu.gpr[insn.dst];
  const overflow = insn.op === Op.Adox;
  const sum = (a >>> 0) + (b >>> 0) + (overflow ? getOf(cpu.lazy) : getCf(cpu.lazy));
  cpu.gpr[insn.dst] = sum;
  const carry = sum >= HIGH ? 1 : 0;
  if (overflow) setOf(cpu.lazy, carry);
  else setCf(cpu.lazy, carry);
  return COLD_NEXT;
}
