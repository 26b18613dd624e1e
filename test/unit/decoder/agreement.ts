/** Whether the decoder and iced-x86 agree about some bytes. */

import { LOWER_TRUNCATED, lower, supportedCodes } from '../../../src/decoder/lower.ts';
import { Op } from '../../../src/decoder/op.ts';
import { codeName } from '../../../src/decoder/opcode-tables.ts';
import {
  DECODE_INVALID,
  DECODE_OK,
  DECODE_TOO_LONG,
  DECODE_TRUNCATED,
  KIND_CR,
  raw,
} from '../../../src/decoder/raw.ts';
import { type Decoded, icedDecode, ourDecode } from '../../iced-oracle.ts';

export const PREFIX_BYTES: readonly number[] = [
  0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3,
];
const LOCK = 0xf0;

const ROWS = new Set(supportedCodes().map(({ name }) => name));
const CONTROL_REGISTERS = [0, 2, 3, 4];

/** What lower() makes of it: its status, and the fields behind it. */
function ours(bytes: Uint8Array, is32: boolean): Decoded {
  const insn = lower(bytes, bytes.length, is32 ? 1 : 0);
  const decoded = ourDecode(raw, codeName(raw.code));
  if (insn === LOWER_TRUNCATED) return { ...decoded, status: DECODE_TRUNCATED };
  if (insn.op === Op.TooLong) return { ...decoded, status: DECODE_TOO_LONG };
  return { ...decoded, status: insn.op === Op.Undefined ? DECODE_INVALID : DECODE_OK };
}

/**
 * Encodings of AMD's processors that iced knows and no processor modelled here has, so that their lengths differ: XOP (8F), SSE4A
 * (0F 78), and CR8 as LOCK MOV CR0; and what iced reads behind 0F 01 F8 and behind EVEX and 77, which exist nowhere.
 */
function isElsewhere(opcode: Uint8Array): boolean {
  const [first = 0, second = 0, third = 0] = opcode;
  return (
    (first === 0x8f && (second & 0x38) !== 0) ||
    (first === 0x0f && second === 0x78) ||
    (first === 0x0f && second === 0x01 && third === 0xf8) ||
    (first === 0x62 && second >= 0xc0 && opcode[4] === 0x77) ||
    (first === 0xc4 && (second & 0xdf) === 0xc0 && opcode[3] === 0x77)
  );
}

const isShort = (status: number): boolean => status === DECODE_TRUNCATED || status === DECODE_TOO_LONG;

/** Whether iced's answer is an encoding that the operation table has. */
function isInTable({ status, name, operands }: Decoded): boolean {
  const isControl = operands.every(
    ({ kind, value }) => kind !== KIND_CR || CONTROL_REGISTERS.includes(value),
  );
  return status === DECODE_OK && ROWS.has(name) && isControl;
}

/**
 * An x87 escape: iced does not know all of them, and each has an address and a size. Of a register form that it does not know iced may
 * say that the bytes have ended (D9 E2 alone); it ends with its ModRM byte.
 */
function escapesDiffer(own: Decoded, iced: Decoded, opcode: Uint8Array, prefixes: number): boolean {
  if (iced.status === DECODE_TRUNCATED && opcode.length >= 2 && opcode[1] >= 0xc0)
    return own.status !== DECODE_OK || own.len !== prefixes + 2;
  if (isShort(iced.status)) return own.status !== iced.status;
  if (iced.status === DECODE_INVALID) return false;
  const isSame = own.status === DECODE_OK && own.len === iced.len;
  return !isSame || JSON.stringify(own.memory) !== JSON.stringify(iced.memory);
}

/** What the two say, when they do not agree; else null. */
export function disagreement(bytes: Uint8Array, is32: boolean): string | null {
  const own = ours(bytes, is32);
  const iced = icedDecode(bytes, is32);
  const at = bytes.findIndex((byte) => !PREFIX_BYTES.includes(byte));
  const opcode = bytes.subarray(at < 0 ? bytes.length : at);
  const hasLock = bytes.subarray(0, bytes.length - opcode.length).includes(LOCK);
  const isEscape = ((opcode[0] ?? 0) & 0xf8) === 0xd8;
  let differ: boolean;
  if (isEscape && !hasLock) differ = escapesDiffer(own, iced, opcode, at);
  else if (isInTable(iced)) differ = JSON.stringify(own) !== JSON.stringify(iced);
  else if (isElsewhere(opcode) || isEscape) differ = own.status === DECODE_OK;
  else if (isShort(iced.status)) differ = own.status !== iced.status;
  // What iced has found undefined before its end is fetched to its end.
  else if (iced.status === DECODE_INVALID) differ = own.status === DECODE_OK;
  else differ = own.status !== DECODE_INVALID || own.len !== iced.len;
  if (!differ) return null;
  const text = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return `${text} (${is32 ? 32 : 16}): ${JSON.stringify(own)} against ${JSON.stringify(iced)}`;
}
