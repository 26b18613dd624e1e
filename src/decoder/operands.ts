/** The operands of an encoding, from its row's operand codes → {@link raw}. Intel SDM vol. 2D, appendix A.2. */
import { next8, next16, next32, nextSigned8, reader } from './code-reader.ts';
import { REG_ZERO, SEG_DS } from './insn.ts';
import { absoluteAddress, FIRST_REGISTER_MODRM, memoryAddress } from './modrm.ts';
import { OPERANDS } from './opcode-tables.ts';
import {
  MAX_OPERANDS,
  METHOD_A,
  METHOD_B,
  METHOD_C,
  METHOD_D,
  METHOD_E,
  METHOD_G,
  METHOD_I,
  METHOD_J,
  METHOD_M,
  METHOD_NONE,
  METHOD_O,
  METHOD_ONE,
  METHOD_R,
  METHOD_R_MW,
  METHOD_REGISTER,
  METHOD_S,
  METHOD_SEGMENT,
  METHOD_SI,
  METHOD_X,
  METHOD_XLAT,
  METHOD_Y,
  METHOD_Z,
  methodOf,
  numberOf,
  sizeOf,
} from './operand-codes.ts';
import {
  KIND_BRANCH,
  KIND_CR,
  KIND_DR,
  KIND_FAR,
  KIND_IMM,
  KIND_MEM,
  KIND_NONE,
  KIND_REG8,
  KIND_REG16,
  KIND_REG32,
  KIND_SREG,
  KIND_STRING,
  raw,
} from './raw.ts';

/** What the operands are taken from, beside the bytes that follow. */
export const fields = {
  opcode: 0,
  modrm: 0,
  /** Segment of the last segment prefix, or −1. */
  segment: -1,
  /** VEX.vvvv, not inverted. */
  vvvv: 0,
};

function register(i: number, n: number, size: number): void {
  if (size === 1) {
    raw.kind[i] = KIND_REG8;
    // AL CL DL BL are bytes 0 4 8 12 of the register file, AH CH DH BH 1 5 9 13.
    raw.reg[i] = n < 4 ? n * 4 : (n - 4) * 4 + 1;
  } else if (size === 2) {
    raw.kind[i] = KIND_REG16;
    raw.reg[i] = n * 2;
  } else {
    raw.kind[i] = KIND_REG32;
    raw.reg[i] = n;
  }
}

function special(i: number, kind: number, n: number): void {
  raw.kind[i] = kind;
  raw.reg[i] = n;
}

/** ModRM.rm as memory. */
function memory(i: number, size: number): void {
  raw.kind[i] = KIND_MEM;
  raw.memSize = size;
  raw.isMemory = true;
  memoryAddress(fields.modrm, fields.segment);
}

function immediate(i: number, value: number): void {
  raw.kind[i] = KIND_IMM;
  raw.imm[i] = value;
}

const ofSize = (size: number): number => (size === 1 ? next8() : size === 2 ? next16() : next32());

/** Decodes operand `i`. @returns false when the encoding does not exist with it. */
function decodeOperand(i: number, operand: number): boolean {
  const { modrm } = fields;
  const size = sizeOf(operand, raw.opSize);
  const isRegister = modrm >= FIRST_REGISTER_MODRM;
  switch (methodOf(operand)) {
    case METHOD_E:
      if (isRegister) register(i, modrm & 7, size);
      else memory(i, size);
      return true;
    case METHOD_M:
      if (!isRegister) memory(i, size);
      return !isRegister;
    case METHOD_R_MW:
      if (isRegister) register(i, modrm & 7, raw.opSize);
      else memory(i, size);
      return true;
    case METHOD_R:
      register(i, modrm & 7, size);
      return true;
    case METHOD_G:
      register(i, (modrm >> 3) & 7, size);
      return true;
    case METHOD_S:
      special(i, KIND_SREG, (modrm >> 3) & 7);
      return raw.reg[i] < 6;
    case METHOD_C:
      special(i, KIND_CR, (modrm >> 3) & 7);
      return true;
    case METHOD_D:
      special(i, KIND_DR, (modrm >> 3) & 7);
      return true;
    case METHOD_B:
      register(i, fields.vvvv, size);
      return true;
    case METHOD_Z:
      register(i, fields.opcode & 7, size);
      return true;
    case METHOD_I:
      immediate(i, ofSize(size));
      return true;
    case METHOD_SI:
      immediate(i, nextSigned8());
      return true;
    case METHOD_ONE:
      immediate(i, 1);
      return true;
    case METHOD_J: {
      const distance = size === 1 ? nextSigned8() : ofSize(size);
      raw.kind[i] = KIND_BRANCH;
      // It is the last operand: what has been read is the length.
      raw.imm[i] = raw.opSize === 4 ? reader.at + distance : (reader.at + distance) & 0xffff;
      return true;
    }
    case METHOD_A:
      raw.kind[i] = KIND_FAR;
      raw.imm[i] = ofSize(raw.opSize);
      raw.farSelector = next16();
      return true;
    case METHOD_O:
      raw.kind[i] = KIND_MEM;
      raw.memSize = size;
      absoluteAddress(raw.addrMask === -1 ? next32() : next16(), fields.segment);
      return true;
    case METHOD_X:
      raw.kind[i] = KIND_STRING;
      raw.memSize = size;
      raw.memSeg = fields.segment >= 0 ? fields.segment : SEG_DS;
      return true;
    case METHOD_Y:
      raw.kind[i] = KIND_STRING;
      return true;
    case METHOD_REGISTER:
      register(i, numberOf(operand), size);
      return true;
    case METHOD_SEGMENT:
      special(i, KIND_SREG, numberOf(operand));
      return true;
    case METHOD_XLAT:
      raw.kind[i] = KIND_MEM;
      raw.memSize = size;
      absoluteAddress(0, fields.segment);
      raw.memBase = numberOf(operand);
      return true;
  }
  return false;
}

/** Decodes the operands of `encoding`. @returns false when there is no such encoding with one of them. */
export function decodeOperands(encoding: number): boolean {
  raw.memSeg = SEG_DS;
  raw.memBase = REG_ZERO;
  raw.memIndex = REG_ZERO;
  raw.memScale = 0;
  raw.memDisp = 0;
  raw.memSize = 0;
  raw.isMemory = false;
  let isDefined = true;
  let count = 0;
  for (; count < MAX_OPERANDS; count++) {
    const operand = OPERANDS[encoding * MAX_OPERANDS + count];
    if (operand === METHOD_NONE) break;
    if (!decodeOperand(count, operand)) isDefined = false;
  }
  raw.opCount = count;
  raw.kind.fill(KIND_NONE, count);
  return isDefined;
}
