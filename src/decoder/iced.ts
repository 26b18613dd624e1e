/**
 * The only file that imports iced-x86. It hides two of its rules: a Decoder copies its bytes into wasm when it is
 * made (so it never sees later guest writes), and wasm objects leak unless they are freed.
 */
import {
  Code,
  Decoder,
  DecoderError,
  DecoderOptions,
  Formatter,
  FormatterSyntax,
  Instruction,
  MemorySizeExt,
  OpKind,
  Register,
} from 'iced-x86';
import { REG_ZERO, SEG_DS } from './insn.ts';

/** Kinds of operands, reduced to what the lowering needs. */
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
export const KIND_OTHER = 12;

/** How a decode went. */
export const DECODE_OK = 0;
export const DECODE_INVALID = 1;
export const DECODE_TRUNCATED = 2;

/** Largest number of operands that matters here. */
const MAX_OPS = 4;

/** Fields of the last {@link decodeRaw}, valid until the next one. */
export const raw = {
  status: DECODE_OK,
  code: 0,
  len: 0,
  opCount: 0,
  kind: new Int32Array(MAX_OPS),
  /** Register number in its class (8-bit: byte index into the register file). */
  reg: new Int32Array(MAX_OPS),
  imm: new Int32Array(MAX_OPS),
  memSeg: SEG_DS,
  memBase: REG_ZERO,
  memIndex: REG_ZERO,
  memScale: 0,
  memDisp: 0,
  /** Bytes. */
  memSize: 0,
  farSelector: 0,
};

const instruction = new Instruction();

/** iced's number for a `Code` name, or undefined. */
export function codeByName(name: string): number | undefined {
  return (Code as unknown as Record<string, number | undefined>)[name];
}

/** iced's `Code` name of a number. */
export function codeName(code: number): string {
  return (Code as unknown as Record<number, string>)[code] ?? `code ${code}`;
}

/** Byte index in the register file of an 8-bit register: AL CL DL BL are 0 4 8 12, AH CH DH BH 1 5 9 13. */
function byteIndex(n: number): number {
  return n < 4 ? n * 4 : (n - 4) * 4 + 1;
}

function fillRegister(i: number, reg: number): void {
  if (reg >= Register.EAX && reg <= Register.EDI) {
    raw.kind[i] = KIND_REG32;
    raw.reg[i] = reg - Register.EAX;
  } else if (reg >= Register.AX && reg <= Register.DI) {
    raw.kind[i] = KIND_REG16;
    raw.reg[i] = (reg - Register.AX) * 2;
  } else if (reg >= Register.AL && reg <= Register.BH) {
    raw.kind[i] = KIND_REG8;
    raw.reg[i] = byteIndex(reg - Register.AL);
  } else if (reg >= Register.ES && reg <= Register.GS) {
    raw.kind[i] = KIND_SREG;
    raw.reg[i] = reg - Register.ES;
  } else if (reg >= Register.CR0 && reg <= Register.CR15) {
    raw.kind[i] = KIND_CR;
    raw.reg[i] = reg - Register.CR0;
  } else if (reg >= Register.DR0 && reg <= Register.DR15) {
    raw.kind[i] = KIND_DR;
    raw.reg[i] = reg - Register.DR0;
  } else {
    raw.kind[i] = KIND_OTHER;
    raw.reg[i] = 0;
  }
}

function gprNumber(reg: number): number {
  if (reg >= Register.EAX && reg <= Register.EDI) return reg - Register.EAX;
  if (reg >= Register.AX && reg <= Register.DI) return reg - Register.AX;
  return REG_ZERO;
}

function fillMemory(): void {
  const seg = instruction.memorySegment;
  raw.memSeg = seg >= Register.ES && seg <= Register.GS ? seg - Register.ES : SEG_DS;
  raw.memSize = MemorySizeExt.size(instruction.memorySize);
}

function fillOperand(i: number): void {
  const kind = instruction.opKind(i);
  switch (kind) {
    case OpKind.Register:
      fillRegister(i, instruction.opRegister(i));
      return;
    case OpKind.Memory: {
      raw.kind[i] = KIND_MEM;
      fillMemory();
      raw.memBase = gprNumber(instruction.memoryBase);
      raw.memIndex = gprNumber(instruction.memoryIndex);
      const scale = instruction.memoryIndexScale;
      raw.memScale = scale === 8 ? 3 : scale >> 1;
      raw.memDisp = Number(BigInt.asIntN(32, instruction.memoryDisplacement));
      return;
    }
    case OpKind.NearBranch16:
      raw.kind[i] = KIND_BRANCH;
      raw.imm[i] = instruction.nearBranch16;
      return;
    case OpKind.NearBranch32:
      raw.kind[i] = KIND_BRANCH;
      raw.imm[i] = instruction.nearBranch32;
      return;
    case OpKind.FarBranch16:
      raw.kind[i] = KIND_FAR;
      raw.imm[i] = instruction.farBranch16;
      raw.farSelector = instruction.farBranchSelector;
      return;
    case OpKind.FarBranch32:
      raw.kind[i] = KIND_FAR;
      raw.imm[i] = instruction.farBranch32;
      raw.farSelector = instruction.farBranchSelector;
      return;
    case OpKind.Immediate8:
      raw.kind[i] = KIND_IMM;
      raw.imm[i] = instruction.immediate8;
      return;
    case OpKind.Immediate8_2nd:
      raw.kind[i] = KIND_IMM;
      raw.imm[i] = instruction.immediate8_2nd;
      return;
    case OpKind.Immediate16:
      raw.kind[i] = KIND_IMM;
      raw.imm[i] = instruction.immediate16;
      return;
    case OpKind.Immediate32:
      raw.kind[i] = KIND_IMM;
      raw.imm[i] = instruction.immediate32;
      return;
    case OpKind.Immediate8to16:
      raw.kind[i] = KIND_IMM;
      raw.imm[i] = instruction.immediate8to16;
      return;
    case OpKind.Immediate8to32:
      raw.kind[i] = KIND_IMM;
      raw.imm[i] = instruction.immediate8to32;
      return;
    default:
      // Implied memory of the string instructions (the 64-bit kinds cannot occur).
      raw.kind[i] = kind >= OpKind.MemorySegSI && kind <= OpKind.MemoryESRDI ? KIND_STRING : KIND_OTHER;
      if (raw.kind[i] === KIND_STRING && kind < OpKind.MemoryESDI) fillMemory();
  }
}

/** 0F 18–1F are hint NOPs on every processor modelled here, and F3 before WBINVD means nothing. */
const OPTIONS = DecoderOptions.ForceReservedNop | DecoderOptions.NoWbnoinvd;

/** Decodes one instruction from the start of `bytes` (at most 15) into {@link raw}. */
export function decodeRaw(bytes: Uint8Array, bitness: 16 | 32): void {
  const decoder = new Decoder(bitness, bytes, OPTIONS);
  decoder.decodeOut(instruction);
  const error = decoder.lastError;
  decoder.free();
  raw.code = instruction.code;
  raw.len = instruction.length;
  if (error !== DecoderError.None) {
    raw.status = error === DecoderError.NoMoreBytes ? DECODE_TRUNCATED : DECODE_INVALID;
    raw.opCount = 0;
    return;
  }
  raw.status = DECODE_OK;
  raw.memBase = REG_ZERO;
  raw.memIndex = REG_ZERO;
  raw.memScale = 0;
  raw.memDisp = 0;
  raw.memSeg = SEG_DS;
  raw.memSize = 0;
  const count = Math.min(instruction.opCount, MAX_OPS);
  raw.opCount = count;
  for (let i = 0; i < count; i++) fillOperand(i);
}

let formatter: Formatter | null = null;

/** Text of one instruction in NASM syntax, with its length (0 when the bytes are no instruction). */
export function formatOne(bytes: Uint8Array, bitness: 16 | 32, ip: number): { text: string; len: number } {
  const decoder = new Decoder(bitness, bytes, OPTIONS);
  decoder.ip = BigInt(ip >>> 0);
  decoder.decodeOut(instruction);
  const bad = decoder.lastError !== DecoderError.None;
  decoder.free();
  if (bad) return { text: '(bad)', len: 0 };
  if (formatter === null) {
    formatter = new Formatter(FormatterSyntax.Nasm);
    formatter.hexPrefix = '0x';
    formatter.hexSuffix = '';
    formatter.uppercaseHex = false;
    formatter.spaceAfterOperandSeparator = false;
    formatter.branchLeadingZeros = false;
    formatter.showBranchSize = false;
  }
  return { text: formatter.format(instruction), len: instruction.length };
}

/** Frees what this module keeps inside wasm; for leak tests. The module works on afterwards. */
export function freeFormatters(): void {
  formatter?.free();
  formatter = null;
}
