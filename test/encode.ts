/**
 * Bytes for every encoding of the operation table, built from iced-x86's own description of the opcode (prefix, opcode map,
 * group, operand kinds), so that a row that is added is encoded without anybody writing its bytes down.
 *
 * Memory operands are [BX] or [EBX] with a displacement of 0; registers are (E)AX, or (E)CX where the opcode holds the register.
 */
import {
  Code,
  CodeExt,
  EncodingKind,
  OpCodeOperandKind as Kind,
  MandatoryPrefix,
  type OpCodeInfo,
  OpCodeTableKind,
} from 'iced-x86';
import { supportedCodes } from '../src/decoder/lower.ts';
import { codeName } from '../src/decoder/opcode-tables.ts';

/** One encoding, and what iced says of it. */
export interface Encoding {
  readonly code: number;
  readonly name: string;
  /** The row's mnemonic. */
  readonly mnemonic: string;
  /** Whether an operand must be memory, may be memory, or is none. */
  readonly memory: 'always' | 'optional' | 'never';
  /** It reads or writes memory without an operand that says so. */
  readonly isString: boolean;
  readonly isStack: boolean;
  readonly mustBeCpl0: boolean;
  readonly inV86: boolean;
}

/** Values of the immediates. */
export interface Immediates {
  readonly imm8: number;
  /** ENTER's second one. */
  readonly second: number;
  readonly imm16: number;
  readonly farSelector: number;
  readonly farOffset: number;
  /** moffs */
  readonly offset: number;
  /** The ModRM reg field of segment and control registers. */
  readonly reg: number;
}

const OR_MEM = [Kind.r8_or_mem, Kind.r16_or_mem, Kind.r32_or_mem];
const STRING = [Kind.seg_rSI, Kind.es_rDI];
const MODRM = [...OR_MEM, Kind.mem, Kind.r32_rm];
const REG_FIELD = [Kind.seg_reg, Kind.cr_reg, Kind.dr_reg];

/** iced's description of an encoding. */
function opCodeInfo(name: string): OpCodeInfo {
  return CodeExt.opCode(Code[name as keyof typeof Code]);
}

/** Every encoding of the table. */
export function allEncodings(): Encoding[] {
  return supportedCodes().map(({ code, name, row }) => {
    const info = opCodeInfo(name);
    const kinds = Array.from({ length: info.opCount }, (_, i) => info.opKind(i));
    const always = kinds.some((k) => k === Kind.mem || k === Kind.mem_offs || k === Kind.seg_rBX_al);
    const optional = kinds.some((k) => OR_MEM.includes(k));
    const encoding: Encoding = {
      code,
      name,
      mnemonic: row.name,
      memory: always ? 'always' : optional ? 'optional' : 'never',
      isString: kinds.some((k) => STRING.includes(k)),
      isStack: info.isStackInstruction,
      mustBeCpl0: info.mustBeCpl0,
      inV86: info.virtual8086Mode,
    };
    info.free();
    return encoding;
  });
}

const PREFIX_BYTES = new Map([
  [MandatoryPrefix.P66, 0x66],
  [MandatoryPrefix.PF3, 0xf3],
  [MandatoryPrefix.PF2, 0xf2],
]);
const TABLE_BYTES = new Map([
  [OpCodeTableKind.Normal, []],
  [OpCodeTableKind.T0F, [0x0f]],
  [OpCodeTableKind.T0F38, [0x0f, 0x38]],
  [OpCodeTableKind.T0F3A, [0x0f, 0x3a]],
]);

const little = (value: number, bytes: number): number[] =>
  Array.from({ length: bytes }, (_, i) => Math.floor((value >>> 0) / 2 ** (8 * i)) & 0xff);

/** The bytes that an operand kind adds behind opcode and ModRM. */
function immediateBytes(kind: number, imm: Immediates, addressBytes: number, nth: number): number[] {
  switch (kind) {
    case Kind.imm8:
      return [nth > 0 ? imm.second : imm.imm8];
    case Kind.imm8sex16:
    case Kind.imm8sex32:
      return [imm.imm8];
    case Kind.imm16:
      return little(imm.imm16, 2);
    case Kind.imm32:
      return little(imm.imm16, 4);
    case Kind.br16_1:
    case Kind.br32_1:
      return [2];
    case Kind.br16_2:
      return [2, 0];
    case Kind.br32_4:
      return [2, 0, 0, 0];
    case Kind.farbr2_2:
      return [...little(imm.farOffset, 2), ...little(imm.farSelector, 2)];
    case Kind.farbr4_2:
      return [...little(imm.farOffset, 4), ...little(imm.farSelector, 2)];
    case Kind.mem_offs:
      return little(imm.offset, addressBytes);
    default:
      return [];
  }
}

const VEX_PREFIXES = [MandatoryPrefix.PNP, MandatoryPrefix.P66, MandatoryPrefix.PF3, MandatoryPrefix.PF2];
const VEX_MAPS = [OpCodeTableKind.T0F, OpCodeTableKind.T0F38, OpCodeTableKind.T0F3A];

/** Three-byte VEX prefix, opcode, ModRM; every register is (E)AX. */
function vexBytes(info: OpCodeInfo, isMemory: boolean, bitness: 16 | 32): number[] {
  const reg = info.isGroup ? info.groupIndex : 0;
  const modrm = isMemory
    ? bitness === 32
      ? [0x83 | (reg << 3), 0, 0, 0, 0]
      : [0x87 | (reg << 3), 0, 0]
    : [0xc0 | (reg << 3)];
  const pp = Math.max(0, VEX_PREFIXES.indexOf(info.mandatoryPrefix));
  return [0xc4, 0xe0 | (VEX_MAPS.indexOf(info.table) + 1), 0x78 | pp, info.opCode, ...modrm];
}

/** The bytes of `code` in 16- or 32-bit code; `isMemory` chooses the operand of ModRM where there is a choice. */
export function encode(code: number, bitness: 16 | 32, isMemory: boolean, imm: Immediates): Uint8Array {
  const info = opCodeInfo(codeName(code));
  const kinds = Array.from({ length: info.opCount }, (_, i) => info.opKind(i));
  const { mandatoryPrefix, operandSize, addressSize } = info;
  if (info.encoding === EncodingKind.VEX) {
    const vex = vexBytes(info, isMemory, bitness);
    info.free();
    return Uint8Array.from(vex);
  }
  const bytes: number[] = [];
  const isImpliedSize = kinds.some((k) => REG_FIELD.includes(k)) && operandSize === 0;
  if (operandSize !== 0 && operandSize !== bitness && !isImpliedSize) bytes.push(0x66);
  if (addressSize !== 0 && addressSize !== bitness) bytes.push(0x67);
  const prefix = PREFIX_BYTES.get(mandatoryPrefix);
  if (prefix !== undefined) bytes.push(prefix);
  bytes.push(...(TABLE_BYTES.get(info.table) ?? []));
  const isOpcodeRegister = kinds.some(
    (k) => k === Kind.r8_opcode || k === Kind.r16_opcode || k === Kind.r32_opcode,
  );
  const opcode = info.opCode + (isOpcodeRegister ? 1 : 0);
  bytes.push(...little(opcode, info.opCodeLength).reverse());
  const hasModrm = info.isGroup || kinds.some((k) => MODRM.includes(k));
  if (hasModrm && !isOpcodeRegister && info.opCodeLength === 1) {
    const reg = info.isGroup ? info.groupIndex : kinds.some((k) => REG_FIELD.includes(k)) ? imm.reg : 0;
    const canBeMemory = kinds.some((k) => k === Kind.mem || OR_MEM.includes(k));
    if (!canBeMemory || (!isMemory && !kinds.includes(Kind.mem))) bytes.push(0xc0 | (reg << 3));
    else if (bitness === 32) bytes.push(0x83 | (reg << 3), 0, 0, 0, 0);
    else bytes.push(0x87 | (reg << 3), 0, 0);
  }
  const addressBytes = bitness / 8;
  kinds.forEach((kind, i) => {
    const nth = kinds.slice(0, i).filter((k) => k === Kind.imm8 || k === Kind.imm16).length;
    bytes.push(...immediateBytes(kind, imm, addressBytes, nth));
  });
  info.free();
  return Uint8Array.from(bytes);
}
