/**
 * What instructions compute, written from the SDM's definitions with BigInt and bit strings: slow, plain and without
 * anything of `src/`.
 */
import { hex, type TestCpu } from './driver.ts';

export type Size = 1 | 2 | 4;

export const CF = 1;
export const PF = 4;
export const AF = 0x10;
export const ZF = 0x40;
export const SF = 0x80;
export const OF = 0x800;
export const STATUS = CF | PF | AF | ZF | SF | OF;

export const bitsOf = (size: Size): number => size * 8;

/** `value` modulo 2^bits as a string of 0 and 1, most significant first. */
export function toBits(value: bigint, bits: number): string {
  return BigInt.asUintN(bits, value).toString(2).padStart(bits, '0');
}

export const fromBits = (text: string): bigint => BigInt(`0b${text}`);

/** SF, ZF and PF of a result. */
export function resultFlags(result: bigint, size: Size): number {
  const text = toBits(result, bitsOf(size));
  const ones = [...text.slice(-8)].filter((bit) => bit === '1').length;
  return (text[0] === '1' ? SF : 0) | (/1/.test(text) ? 0 : ZF) | (ones % 2 === 0 ? PF : 0);
}

export interface Result {
  readonly value: bigint;
  readonly flags: number;
}

/** a + b + carry */
export function add(a: bigint, b: bigint, carry: number, size: Size): Result {
  const bits = bitsOf(size);
  const sum = a + b + BigInt(carry);
  const signed = BigInt.asIntN(bits, a) + BigInt.asIntN(bits, b) + BigInt(carry);
  const half = (a & 15n) + (b & 15n) + BigInt(carry);
  const value = BigInt.asUintN(bits, sum);
  const flags =
    resultFlags(value, size) |
    (sum !== value ? CF : 0) |
    (signed !== BigInt.asIntN(bits, signed) ? OF : 0) |
    (half > 15n ? AF : 0);
  return { value, flags };
}

/** a − b − borrow */
export function sub(a: bigint, b: bigint, borrow: number, size: Size): Result {
  const bits = bitsOf(size);
  const signed = BigInt.asIntN(bits, a) - BigInt.asIntN(bits, b) - BigInt(borrow);
  const value = BigInt.asUintN(bits, a - b - BigInt(borrow));
  const flags =
    resultFlags(value, size) |
    (a < b + BigInt(borrow) ? CF : 0) |
    (signed !== BigInt.asIntN(bits, signed) ? OF : 0) |
    ((a & 15n) < (b & 15n) + BigInt(borrow) ? AF : 0);
  return { value, flags };
}

/** One shift or rotate: new value, new CF; `defined` says which flags are. */
export interface Shifted extends Result {
  readonly defined: number;
}

/** The ModRM reg field: ROL ROR RCL RCR SHL SHR SHL SAR. One bit at a time. */
export function shift(kind: number, a: bigint, count: number, size: Size, flags: number): Shifted {
  const n = count & 31;
  const bits = bitsOf(size);
  if (n === 0) return { value: a, flags, defined: STATUS };
  let text = toBits(a, bits);
  let cf = (flags & CF) !== 0 ? '1' : '0';
  for (let i = 0; i < n; i++) {
    const top = text[0];
    const low = text[bits - 1];
    switch (kind) {
      case 0:
        text = text.slice(1) + top;
        cf = top;
        break;
      case 1:
        text = low + text.slice(0, -1);
        cf = low;
        break;
      case 2:
        text = text.slice(1) + cf;
        cf = top;
        break;
      case 3:
        text = cf + text.slice(0, -1);
        cf = low;
        break;
      case 5:
        text = `0${text.slice(0, -1)}`;
        cf = low;
        break;
      case 7:
        text = top + text.slice(0, -1);
        cf = low;
        break;
      default:
        text = `${text.slice(1)}0`;
        cf = top;
    }
  }
  const value = fromBits(text);
  const carry = cf === '1' ? CF : 0;
  const of = text[0] !== toBits(a, bits)[0] ? OF : 0;
  // OF is defined for a count of 1: the sign has changed (SAR: 0 either way).
  const ofDefined = n === 1 ? OF : 0;
  if (kind < 4) {
    return { value, flags: (flags & ~(CF | OF)) | carry | of, defined: (STATUS & ~OF) | ofDefined };
  }
  // SHL and SHR lose CF when all bits have gone.
  const cfDefined = n > bits && kind !== 7 ? 0 : CF;
  return {
    value,
    flags: resultFlags(value, size) | carry | of,
    defined: PF | ZF | SF | cfDefined | ofDefined,
  };
}

/** SHLD (`left`) and SHRD. */
export function doubleShift(
  left: boolean,
  a: bigint,
  b: bigint,
  count: number,
  size: Size,
  flags: number,
): Shifted | null {
  const n = count & 31;
  const bits = bitsOf(size);
  if (n === 0) return { value: a, flags, defined: STATUS };
  if (n > bits) return null;
  const [x, y] = [toBits(a, bits), toBits(b, bits)];
  const value = fromBits(left ? (x + y).slice(n, n + bits) : (y + x).slice(bits - n, 2 * bits - n));
  const out = left ? x[n - 1] : x[bits - n];
  const of = toBits(value, bits)[0] !== x[0] ? OF : 0;
  return {
    value,
    flags: resultFlags(value, size) | (out === '1' ? CF : 0) | of,
    defined: CF | PF | ZF | SF | (n === 1 ? OF : 0),
  };
}

const SHARED_CODE = 0x1_0100;

/**
 * Puts `code` at CS:0100 and runs one instruction with these registers. What is not given keeps the value of the last
 * call; the stack pointer is put back. @returns whether it went past the instruction without a fault.
 */
export function exec(
  test: TestCpu,
  code: string | readonly number[],
  state: Parameters<TestCpu['set']>[0],
): boolean {
  const bytes = typeof code === 'string' ? hex(code) : code;
  test.memory.write(SHARED_CODE, Uint8Array.from(bytes));
  test.set({ cs: 0x1000, eip: 0x100, esp: 0x1000, ...state });
  test.run(1);
  return test.vector === null;
}
