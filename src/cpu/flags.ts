/**
 * EFLAGS. The six status flags are lazy: an operation leaves its result and a carry vector, and a flag is worked
 * out when somebody asks. Only this file and the hot cases of interpreter.ts know the encoding:
 *
 * | word           | bits                                                                        |
 * | -------------- | --------------------------------------------------------------------------- |
 * | lazy[RESULT]   | the result, sign-extended to 32 bits: ZF = (it is 0)                        |
 * | lazy[AUX] 31   | CF                                                                          |
 * | lazy[AUX] 30   | carry into the sign bit: OF = bit 31 ^ bit 30                               |
 * | lazy[AUX] 15:8 | byte to XOR with the result's low byte before taking its parity             |
 * | lazy[AUX] 3    | AF                                                                          |
 * | lazy[AUX] 0    | SF = sign of the result ^ this bit                                          |
 *
 * The last two exceptions exist so that any combination (POPF, SAHF) has a representation.
 */
import type { Cpu } from './cpu.ts';
import {
  STATUS_FLAGS,
  X86_EFLAGS_AF,
  X86_EFLAGS_CF,
  X86_EFLAGS_FIXED,
  X86_EFLAGS_OF,
  X86_EFLAGS_PF,
  X86_EFLAGS_SF,
  X86_EFLAGS_ZF,
} from './registers.ts';

/** Index of the result in `Cpu.lazy`. */
export const LAZY_RESULT = 0;
/** Index of the carry vector in `Cpu.lazy`. */
export const LAZY_AUX = 1;

/** Bits of a 32-bit carry vector that the encoding keeps: 31, 30 and 3. */
export const AUX_MASK = 0xc0000008 | 0;
const AUX_HIGH = 0xc0000000 | 0;
const AUX_AF = 8;

const CF_BIT = 1 << 31;

/** By byte: 1 when it has an even number of ones. */
export const PARITY: Uint8Array = new Uint8Array(256);
for (let i = 0; i < 256; i++) {
  let ones = 0;
  for (let b = i; b !== 0; b &= b - 1) ones++;
  PARITY[i] = (ones & 1) ^ 1;
}

/** CF, 0 or 1. */
export function getCf(lazy: Int32Array): number {
  return lazy[LAZY_AUX] >>> 31;
}

/** PF, 0 or 1. */
export function getPf(lazy: Int32Array): number {
  return PARITY[(lazy[LAZY_RESULT] ^ (lazy[LAZY_AUX] >> 8)) & 0xff];
}

/** AF, 0 or 1. */
export function getAf(lazy: Int32Array): number {
  return (lazy[LAZY_AUX] >> 3) & 1;
}

/** ZF, 0 or 1. */
export function getZf(lazy: Int32Array): number {
  return lazy[LAZY_RESULT] === 0 ? 1 : 0;
}

/** SF, 0 or 1. */
export function getSf(lazy: Int32Array): number {
  return (lazy[LAZY_RESULT] >>> 31) ^ (lazy[LAZY_AUX] & 1);
}

/** OF, 0 or 1. */
export function getOf(lazy: Int32Array): number {
  return (lazy[LAZY_AUX] ^ (lazy[LAZY_AUX] << 1)) >>> 31;
}

/** The six status flags in their EFLAGS positions. */
export function getStatusFlags(lazy: Int32Array): number {
  return (
    getCf(lazy) |
    (getPf(lazy) << 2) |
    (getAf(lazy) << 4) |
    (getZf(lazy) << 6) |
    (getSf(lazy) << 7) |
    (getOf(lazy) << 11)
  );
}

/** Sets the six status flags from an EFLAGS image. */
export function setStatusFlags(lazy: Int32Array, eflags: number): void {
  const cf = eflags & X86_EFLAGS_CF;
  const of = (eflags & X86_EFLAGS_OF) >> 11;
  const zf = eflags & X86_EFLAGS_ZF;
  // Result 0 or 0x100: low byte 0 (even parity) and sign 0 in both.
  lazy[LAZY_RESULT] = zf !== 0 ? 0 : 0x100;
  lazy[LAZY_AUX] =
    (cf << 31) |
    ((cf ^ of) << 30) |
    ((eflags & X86_EFLAGS_PF) !== 0 ? 0 : 0x100) |
    ((eflags & X86_EFLAGS_AF) >> 1) |
    ((eflags & X86_EFLAGS_SF) >> 7);
}

/** The whole EFLAGS register, int32. */
export function getEflags(cpu: Cpu): number {
  return cpu.sysFlags | getStatusFlags(cpu.lazy);
}

/** Sets all of EFLAGS that the processor has (bit 1 is always set). Checks nothing. */
export function setEflags(cpu: Cpu, value: number): void {
  setStatusFlags(cpu.lazy, value);
  cpu.sysFlags = (value & cpu.model.eflagsMask & ~STATUS_FLAGS) | X86_EFLAGS_FIXED;
  cpu.repStarted = 0;
  cpu.attention = 1;
}

/** Sets CF and leaves the other status flags alone. */
export function setCf(lazy: Int32Array, cf: number): void {
  const of = getOf(lazy);
  lazy[LAZY_AUX] = (lazy[LAZY_AUX] & ~AUX_HIGH) | (cf << 31) | ((cf ^ of) << 30);
}

/** Sets OF and leaves the other status flags alone. */
export function setOf(lazy: Int32Array, of: number): void {
  const cf = lazy[LAZY_AUX] >>> 31;
  lazy[LAZY_AUX] = (lazy[LAZY_AUX] & ~(1 << 30)) | ((cf ^ of) << 30);
}

/** Sets ZF and leaves the other status flags alone. */
export function setZf(lazy: Int32Array, zf: number): void {
  const flags = getStatusFlags(lazy);
  setStatusFlags(lazy, zf !== 0 ? flags | X86_EFLAGS_ZF : flags & ~X86_EFLAGS_ZF);
}

/** Sign-extends `value` of `size` bytes to 32 bits. */
export function signExtend(value: number, size: number): number {
  return size === 4 ? value | 0 : size === 2 ? (value << 16) >> 16 : (value << 24) >> 24;
}

/** Leaves flags of an addition a + b (+ carry) = r of `size` bytes. */
export function setFlagsAdd(lazy: Int32Array, a: number, b: number, r: number, size: number): void {
  setFlagsCarries(lazy, (a & b) | ((a | b) & ~r), r, size);
}

/** Leaves flags of a subtraction a − b (− borrow) = r of `size` bytes. */
export function setFlagsSub(lazy: Int32Array, a: number, b: number, r: number, size: number): void {
  setFlagsCarries(lazy, (~a & b) | ((~a | b) & r), r, size);
}

function setFlagsCarries(lazy: Int32Array, carries: number, r: number, size: number): void {
  lazy[LAZY_RESULT] = signExtend(r, size);
  const high = size === 4 ? carries : size === 2 ? carries << 16 : carries << 24;
  lazy[LAZY_AUX] = (high & AUX_HIGH) | (carries & AUX_AF);
}

/** Leaves flags of AND, OR, XOR, TEST: CF and OF clear, AF (undefined) clear. */
export function setFlagsLogic(lazy: Int32Array, r: number, size: number): void {
  lazy[LAZY_RESULT] = signExtend(r, size);
  lazy[LAZY_AUX] = 0;
}

/** SF, ZF and PF from `r`, CF and OF as given, AF clear (undefined after shifts and multiplications). */
export function setFlagsResult(lazy: Int32Array, r: number, size: number, cf: number, of: number): void {
  lazy[LAZY_RESULT] = signExtend(r, size);
  lazy[LAZY_AUX] = (cf << 31) | ((cf ^ of) << 30);
}

/** Leaves flags of INC (`step` 1) or DEC (`step` −1): all but CF. `r` is the sign-extended result. */
export function setFlagsIncDec(lazy: Int32Array, r: number, step: number, size: number): void {
  const cf = lazy[LAZY_AUX] & CF_BIT;
  const edge = step > 0 ? 1 << (size * 8 - 1) : (1 << (size * 8 - 1)) - 1;
  const of = r === signExtend(edge, size) ? 1 : 0;
  const af = (r & 15) === (step > 0 ? 0 : 15) ? AUX_AF : 0;
  lazy[LAZY_RESULT] = r;
  lazy[LAZY_AUX] = cf | ((cf >>> 1) ^ (of << 30)) | af;
}

/** Whether condition `cc` (encoding order: O NO B AE E NE BE A S NS P NP L GE LE G) holds. */
export function testCondition(lazy: Int32Array, cc: number): boolean {
  let holds: number;
  switch (cc >> 1) {
    case 0:
      holds = getOf(lazy);
      break;
    case 1:
      holds = getCf(lazy);
      break;
    case 2:
      holds = getZf(lazy);
      break;
    case 3:
      holds = getCf(lazy) | getZf(lazy);
      break;
    case 4:
      holds = getSf(lazy);
      break;
    case 5:
      holds = getPf(lazy);
      break;
    case 6:
      holds = getSf(lazy) ^ getOf(lazy);
      break;
    default:
      holds = (getSf(lazy) ^ getOf(lazy)) | getZf(lazy);
  }
  return holds !== (cc & 1);
}
