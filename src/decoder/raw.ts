/**
 * What the bytes of one instruction say, before lower.ts makes an {@link Insn} of it: decode.ts fills {@link raw}. Intel SDM
 * vol. 2A, “Instruction Format”.
 */
import { REG_ZERO, REP_NONE, SEG_DS } from './insn.ts';
import { MAX_OPERANDS } from './operand-codes.ts';

/** Kinds of operands. */
export const KIND_NONE = 0;
export const KIND_REG8 = 1;
export const KIND_REG16 = 2;
export const KIND_REG32 = 3;
export const KIND_SREG = 4;
export const KIND_CR = 5;
export const KIND_DR = 6;
export const KIND_IMM = 7;
/** ModRM memory, moffs, XLAT. */
export const KIND_MEM = 8;
/** Implied memory of string instructions. */
export const KIND_STRING = 9;
/** Near branch target; `imm` is relative to the start of the instruction. */
export const KIND_BRANCH = 10;
/** Far pointer; `imm` offset, `farSelector`. */
export const KIND_FAR = 11;

/** How a decode went. */
export const DECODE_OK = 0;
/** No processor modelled here has this encoding. */
export const DECODE_INVALID = 1;
/** The bytes end inside the instruction. */
export const DECODE_TRUNCATED = 2;
/** The instruction goes on behind byte 15. */
export const DECODE_TOO_LONG = 3;

/** Fields of the last decode, valid until the next one. */
export const raw = {
  status: DECODE_OK,
  /** Number of the encoding's name, see opcode-tables.ts. */
  code: 0,
  len: 0,
  opCount: 0,
  kind: new Int32Array(MAX_OPERANDS),
  /** Register number in its class (8-bit: byte index into the register file). */
  reg: new Int32Array(MAX_OPERANDS),
  imm: new Int32Array(MAX_OPERANDS),
  memSeg: SEG_DS,
  memBase: REG_ZERO,
  memIndex: REG_ZERO,
  memScale: 0,
  memDisp: 0,
  /** Bytes; 0 where the operand is an address and no access (LEA, INVLPG). */
  memSize: 0,
  farSelector: 0,
  /** ModRM names memory. */
  isMemory: false,
  /** An x87 escape, D8–DF. */
  isEscape: false,
  /** REP_*: the repeat prefix that counts. */
  rep: REP_NONE,
  /** Operand size attribute, 2 or 4 bytes. */
  opSize: 2,
  /** 0xffff or −1: address size attribute. */
  addrMask: 0xffff,
};
