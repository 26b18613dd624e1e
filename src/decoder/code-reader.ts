/** The bytes of the instruction that is being decoded, read one behind the other. Behind their end it reads zeros and remembers that. */

/** Where it stands. */
export const reader = { bytes: new Uint8Array(0) as Uint8Array, at: 0, end: 0, isShort: false };

/** The next byte. */
export function next8(): number {
  if (reader.at < reader.end) return reader.bytes[reader.at++];
  reader.isShort = true;
  return 0;
}

/** The next byte, sign-extended. */
export function nextSigned8(): number {
  return (next8() << 24) >> 24;
}

/** The next two bytes, zero-extended. */
export function next16(): number {
  const low = next8();
  return low | (next8() << 8);
}

/** The next four bytes. */
export function next32(): number {
  const low = next16();
  return low | (next16() << 16);
}
