/**
 * What an expression of a script is worth: a 64-bit integer, a string or a tuple.
 */

/** Integers are kept as signed 64-bit values. */
export type Value = bigint | string | readonly Value[];

/** As `print` shows it. */
export function valueText(value: Value): string {
  if (Array.isArray(value)) return `(${value.map(valueText).join(', ')})`;
  return String(value);
}

/** A value as a condition. */
export function isTrue(value: Value): boolean {
  return typeof value === 'bigint' ? value !== 0n : value.length > 0;
}

/** A value as an integer; strings and tuples count 0. */
export function asInt(value: Value): bigint {
  return typeof value === 'bigint' ? value : 0n;
}

/** `(uint8)value` and its like. */
export function castInt(type: string, value: bigint): bigint {
  const bits = Number(/\d+$/.exec(type)?.[0] ?? 64);
  const isUnsigned = type.startsWith('u') && bits < 64;
  return isUnsigned ? BigInt.asUintN(bits, value) : BigInt.asIntN(bits, value);
}

/** Order of map entries: integers by value, all else by text. */
export function compareValues(a: Value, b: Value): number {
  if (typeof a === 'bigint' && typeof b === 'bigint') return a < b ? -1 : a > b ? 1 : 0;
  const [x, y] = [valueText(a), valueText(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}
