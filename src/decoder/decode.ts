/**
 * The decoder: prefixes, opcode, ModRM, displacement, immediates → {@link raw}. Intel SDM vol. 2A, “Instruction Format”. What an
 * opcode has behind it is in the opcode maps (opcode-map.ts, opcode-map-0f.ts, opcode-map-x87.ts).
 *
 * An encoding is fetched whole before it is found undefined: faults of the fetch have the higher priority (Intel SDM vol. 3A,
 * “Priority Among Concurrent Events”).
 */
import { next8, reader } from './code-reader.ts';
import { REP_F2, REP_F3, REP_NONE, SEG_CS, SEG_DS, SEG_ES, SEG_FS, SEG_GS, SEG_SS } from './insn.ts';
import { FIRST_REGISTER_MODRM } from './modrm.ts';
import {
  ENCODING_ESCAPE,
  ENCODING_LOCK,
  ENCODING_MODRM,
  ENCODING_VEX,
  NODES_0F,
  NODES_0F3A,
  NODES_0F38,
  NODES_ONE_BYTE,
  NODES_VEX,
  SELECT_PREFIX,
  SELECT_REG,
} from './opcode-layout.ts';
import { CODES, FLAGS, NODES } from './opcode-tables.ts';
import { decodeOperands, fields } from './operands.ts';
import { DECODE_INVALID, DECODE_OK, DECODE_TOO_LONG, DECODE_TRUNCATED, raw } from './raw.ts';

/** Longest instruction. Intel SDM vol. 2A, “Instruction Format”. */
export const MAX_INSN_LEN = 15;

/** LDS, LES and BOUND with a register. */
const VEX2 = 0xc5;
const VEX3 = 0xc4;
const EVEX = 0x62;

/** The prefixes before the opcode, beside those that {@link raw} keeps. */
const prefixes = { hasLock: false, has66: false };

/** A ModRM byte that a table wanted before the operands, or −1. */
let modrmSeen = -1;

/** Reads prefixes. @returns the byte behind them. */
function readPrefixes(is32: boolean): number {
  let isOperand32 = is32;
  let isAddress32 = is32;
  raw.rep = REP_NONE;
  fields.segment = -1;
  prefixes.hasLock = false;
  prefixes.has66 = false;
  for (;;) {
    const byte = next8();
    switch (byte) {
      case 0x26:
        fields.segment = SEG_ES;
        continue;
      case 0x2e:
        fields.segment = SEG_CS;
        continue;
      case 0x36:
        fields.segment = SEG_SS;
        continue;
      case 0x3e:
        fields.segment = SEG_DS;
        continue;
      case 0x64:
        fields.segment = SEG_FS;
        continue;
      case 0x65:
        fields.segment = SEG_GS;
        continue;
      case 0x66:
        prefixes.has66 = true;
        isOperand32 = !is32;
        continue;
      case 0x67:
        isAddress32 = !is32;
        continue;
      case 0xf0:
        prefixes.hasLock = true;
        continue;
      case 0xf2:
        raw.rep = REP_F2;
        continue;
      case 0xf3:
        raw.rep = REP_F3;
        continue;
    }
    raw.opSize = isOperand32 ? 4 : 2;
    raw.addrMask = isAddress32 ? -1 : 0xffff;
    return byte;
  }
}

/** The ModRM byte; read once. */
function modrm(): number {
  if (modrmSeen < 0) modrmSeen = next8();
  return modrmSeen;
}

/** Which of none, 66, F3, F2 counts: the last repeat prefix goes before 66. */
function mandatoryPrefix(): number {
  if (raw.rep !== REP_NONE) return raw.rep === REP_F3 ? 2 : 3;
  return prefixes.has66 ? 1 : 0;
}

/** Follows the tables from the entry at `place` to an encoding. */
function encodingAt(place: number, prefix: number): number {
  let node = NODES[place];
  while (node < 0) {
    const table = ~node >> 2;
    const select = ~node & 3;
    if (select === SELECT_PREFIX) node = NODES[table + prefix];
    else {
      const byte = modrm();
      const reg = ((byte >> 3) & 7) | (byte >= FIRST_REGISTER_MODRM ? 8 : 0);
      node = NODES[table + (select === SELECT_REG ? reg : byte & 7)];
    }
  }
  return node;
}

/** The place of the opcode in the maps that need no VEX. */
function opcodePlace(first: number): number {
  fields.opcode = first;
  if (first !== 0x0f) return NODES_ONE_BYTE + first;
  const second = next8();
  fields.opcode = second;
  if (second === 0x38) return NODES_0F38 + next8();
  if (second === 0x3a) return NODES_0F3A + next8();
  return NODES_0F + second;
}

/** Numbers of VEX's opcode maps. */
const VEX_0F = 1;
const VEX_0F3A = 3;

/**
 * Reads the rest of a VEX or EVEX prefix, whose first payload byte stood in the place of a ModRM byte, and decodes what is behind. Intel
 * SDM vol. 2A, “VEX Prefix”, “EVEX”: of EVEX nothing is modelled but its length.
 *
 * @returns number of the name, 0 for none.
 */
function decodeVex(first: number): number {
  let payload = modrmSeen;
  let map = VEX_0F;
  if (first !== VEX2) {
    map = payload & (first === VEX3 ? 0x1f : 7);
    payload = next8();
    if (first === EVEX) next8();
  }
  fields.vvvv = (~payload >> 3) & 7;
  modrmSeen = -1;
  const nodes = NODES_VEX + ((Math.max(VEX_0F, Math.min(map, VEX_0F3A)) - VEX_0F) << 8);
  const encoding = encodingAt(nodes + next8(), payload & 3);
  if ((FLAGS[encoding] & ENCODING_MODRM) !== 0) fields.modrm = modrm();
  const isDefined = decodeOperands(encoding);
  const hasPrefix = prefixes.hasLock || prefixes.has66 || raw.rep !== REP_NONE;
  const isVector256 = (payload & 4) !== 0;
  return isDefined && !hasPrefix && !isVector256 && first === VEX3 && map <= VEX_0F3A
    ? CODES[encoding * 4]
    : 0;
}

/** Decodes what is behind the prefixes. @returns number of the name, 0 for none. */
function decodeOpcode(first: number): number {
  modrmSeen = -1;
  const encoding = encodingAt(opcodePlace(first), mandatoryPrefix());
  const flags = FLAGS[encoding];
  if ((flags & ENCODING_MODRM) !== 0) fields.modrm = modrm();
  if ((flags & ENCODING_VEX) !== 0 && fields.modrm >= FIRST_REGISTER_MODRM) return decodeVex(first);
  raw.isEscape = (flags & ENCODING_ESCAPE) !== 0;
  const isDefined = decodeOperands(encoding);
  if (!isDefined || (prefixes.hasLock && !(raw.isMemory && (flags & ENCODING_LOCK) !== 0))) return 0;
  return CODES[encoding * 4 + (raw.opSize === 4 ? 1 : 0) + (raw.addrMask === -1 ? 2 : 0)];
}

/**
 * Decodes the instruction at the start of `bytes` into {@link raw}.
 *
 * @param len bytes available; at most {@link MAX_INSN_LEN} are used.
 * @param is32 default operand and address size.
 */
export function decode(bytes: Uint8Array, len: number, is32: boolean): void {
  reader.bytes = bytes;
  reader.at = 0;
  reader.end = Math.min(len, MAX_INSN_LEN);
  reader.isShort = false;
  raw.isEscape = false;
  raw.code = decodeOpcode(readPrefixes(is32));
  raw.len = reader.at;
  if (reader.isShort) raw.status = reader.end < MAX_INSN_LEN ? DECODE_TRUNCATED : DECODE_TOO_LONG;
  else raw.status = raw.code === 0 ? DECODE_INVALID : DECODE_OK;
}
