/**
 * Hexadecimal and decimal text by table: a trace writes a million numbers a second.
 */

const BYTE = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

const BYTE_PLAIN = Array.from({ length: 256 }, (_, byte) => byte.toString(16));

/** Two digits. */
export function hex2(value: number): string {
  return BYTE[value & 0xff];
}

/** Four digits. */
export function hex4(value: number): string {
  return hex2(value >>> 8) + hex2(value);
}

/** Eight digits. */
export function hex8(value: number): string {
  return hex4(value >>> 16) + hex4(value);
}

/** printf's `%x` of a 32-bit value: no leading zeros. */
export function hexPlain(value: number): string {
  const high = value >>> 16;
  if (high !== 0) return hexPlain(high) + hex4(value);
  const low = value >>> 8;
  return low === 0 ? BYTE_PLAIN[value] : BYTE_PLAIN[low] + hex2(value);
}

/** Bytes as the kernel's `__print_hex`: two digits each, spaces between. */
export function hexBytes(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i++) text += i === 0 ? hex2(bytes[i]) : ` ${hex2(bytes[i])}`;
  return text;
}
