/**
 * The operators of bpftrace on 64-bit integers, as BPF computes them.
 */
import { asInt, type Value, valueText } from './values.ts';

/** Comparisons; equality also of strings. */
export const COMPARE: Readonly<Record<string, (a: Value, b: Value) => boolean>> = {
  '==': (a, b) => valueText(a) === valueText(b),
  '!=': (a, b) => valueText(a) !== valueText(b),
  '<': (a, b) => asInt(a) < asInt(b),
  '>': (a, b) => asInt(a) > asInt(b),
  '<=': (a, b) => asInt(a) <= asInt(b),
  '>=': (a, b) => asInt(a) >= asInt(b),
};

const ARITHMETIC: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  // BPF: dividing by 0 gives 0, and the remainder is the dividend.
  '/': (a, b) => (b === 0n ? 0n : a / b),
  '%': (a, b) => (b === 0n ? a : a % b),
  '&': (a, b) => a & b,
  '|': (a, b) => a | b,
  '^': (a, b) => a ^ b,
  '<<': (a, b) => a << (b & 63n),
  '>>': (a, b) => BigInt.asUintN(64, a) >> (b & 63n),
};

/** `a op b`, wrapped to 64 bits. */
export function arithmetic(op: string, a: bigint, b: bigint): bigint {
  return BigInt.asIntN(64, ARITHMETIC[op](a, b));
}

/** Prefix operators. */
export const UNARY: Readonly<Record<string, (a: bigint) => bigint>> = {
  '-': (a) => BigInt.asIntN(64, -a),
  '~': (a) => ~a,
  '!': (a) => (a === 0n ? 1n : 0n),
  '+': (a) => a,
};
