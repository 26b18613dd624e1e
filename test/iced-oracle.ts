/**
 * What iced-x86 says of the same bytes, in the terms of src/decoder/raw.ts: the oracle of the decoder's tests.
 */
import {
  Code,
  Decoder,
  DecoderError,
  DecoderOptions,
  Instruction,
  MemorySizeExt,
  OpKind,
  Register,
} from 'iced-x86';
import { REG_ZERO, SEG_DS } from '../src/decoder/insn.ts';
import {
  DECODE_INVALID,
  DECODE_OK,
  DECODE_TOO_LONG,
  DECODE_TRUNCATED,
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
  type raw,
} from '../src/decoder/raw.ts';

/** What is compared: everything of {@link raw} that iced knows, registers and immediates as one `value`. */
export interface Decoded {
  status: number;
  /** iced's `Code`. */
  name: string;
  len: number;
  operands: { kind: number; value: number }[];
  memory: { seg: number; base: number; index: number; scale: number; disp: number; size: number } | null;
  farSelector: number;
}

const MAX_INSN_LEN = 15;
/** 0F 18–1F are hint NOPs on every processor modelled here, and F3 before WBINVD means nothing. */
const OPTIONS = DecoderOptions.ForceReservedNop | DecoderOptions.NoWbnoinvd;
const PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3];

const instruction = new Instruction();

/** Classes of registers: first and last, what they are here, and how their number becomes the one here. */
const CLASSES: readonly (readonly [
  first: number,
  last: number,
  kind: number,
  factor: number,
  offset: number,
])[] = [
  [Register.AL, Register.BL, KIND_REG8, 4, 0],
  [Register.AH, Register.BH, KIND_REG8, 4, 1],
  [Register.AX, Register.DI, KIND_REG16, 2, 0],
  [Register.EAX, Register.EDI, KIND_REG32, 1, 0],
  [Register.ES, Register.GS, KIND_SREG, 1, 0],
  [Register.CR0, Register.CR15, KIND_CR, 1, 0],
  [Register.DR0, Register.DR15, KIND_DR, 1, 0],
];

function register(reg: number): { kind: number; value: number } {
  for (const [first, last, kind, factor, offset] of CLASSES) {
    if (reg >= first && reg <= last) return { kind, value: (reg - first) * factor + offset };
  }
  return { kind: KIND_NONE, value: 0 };
}

const general = (reg: number): number => {
  const { kind, value } = register(reg);
  return kind === KIND_REG32 ? value : kind === KIND_REG16 ? value / 2 : REG_ZERO;
};

/** Branches, far pointers and immediates by kind. */
const VALUES = new Map<number, readonly [number, (insn: Instruction) => number]>([
  [OpKind.NearBranch16, [KIND_BRANCH, (i) => i.nearBranch16]],
  [OpKind.NearBranch32, [KIND_BRANCH, (i) => i.nearBranch32]],
  [OpKind.FarBranch16, [KIND_FAR, (i) => i.farBranch16]],
  [OpKind.FarBranch32, [KIND_FAR, (i) => i.farBranch32]],
  [OpKind.Immediate8, [KIND_IMM, (i) => i.immediate8]],
  [OpKind.Immediate8_2nd, [KIND_IMM, (i) => i.immediate8_2nd]],
  [OpKind.Immediate16, [KIND_IMM, (i) => i.immediate16]],
  [OpKind.Immediate32, [KIND_IMM, (i) => i.immediate32]],
  [OpKind.Immediate8to16, [KIND_IMM, (i) => i.immediate8to16]],
  [OpKind.Immediate8to32, [KIND_IMM, (i) => i.immediate8to32]],
]);

const segment = (reg: number): number =>
  reg >= Register.ES && reg <= Register.GS ? reg - Register.ES : SEG_DS;

function operand(i: number, into: Decoded): { kind: number; value: number } {
  const kind = instruction.opKind(i);
  if (kind === OpKind.Register) return register(instruction.opRegister(i));
  const found = VALUES.get(kind);
  if (found !== undefined) {
    if (found[0] === KIND_FAR) into.farSelector = instruction.farBranchSelector;
    return { kind: found[0], value: found[1](instruction) | 0 };
  }
  const size = MemorySizeExt.size(instruction.memorySize);
  const seg = segment(instruction.memorySegment);
  if (kind === OpKind.Memory) {
    into.memory = {
      seg,
      base: general(instruction.memoryBase),
      index: general(instruction.memoryIndex),
      scale: Math.log2(instruction.memoryIndexScale),
      disp: Number(BigInt.asIntN(32, instruction.memoryDisplacement)),
      size,
    };
    return { kind: KIND_MEM, value: 0 };
  }
  // The implied memory of the string instructions is left; DS:SI may have another segment.
  if (kind < OpKind.MemoryESDI) into.memory = { seg, ...NO_ADDRESS, size };
  return { kind: KIND_STRING, value: 0 };
}

/** The address of an operand that ModRM does not name. */
const NO_ADDRESS = { base: REG_ZERO, index: REG_ZERO, scale: 0, disp: 0 };

function rawStatus(bytes: Uint8Array, is32: boolean): number {
  const decoder = new Decoder(is32 ? 32 : 16, bytes, OPTIONS);
  decoder.decodeOut(instruction);
  const error = decoder.lastError;
  decoder.free();
  if (error === DecoderError.None) return DECODE_OK;
  return error === DecoderError.NoMoreBytes ? DECODE_TRUNCATED : DECODE_INVALID;
}

/**
 * Whether 15 bytes are only the beginning of an instruction. iced says “invalid” to that as it does to an undefined encoding, so it is
 * asked again with each prefix once and without those of segments: the bytes run out then.
 */
function isTooLong(bytes: Uint8Array, is32: boolean): boolean {
  const count = bytes.findIndex((byte) => !PREFIXES.includes(byte));
  const all = [...bytes.subarray(0, count < 0 ? bytes.length : count)];
  const last = all.findLast((byte) => byte >= 0xf2);
  const kept = [0x66, 0x67, 0xf0, last ?? 0].filter((byte) => all.includes(byte));
  if (kept.length === all.length) return false;
  return rawStatus(Uint8Array.of(...kept, ...bytes.subarray(all.length)), is32) === DECODE_TRUNCATED;
}

/** Decodes with iced. */
export function icedDecode(bytes: Uint8Array, is32: boolean): Decoded {
  let status = rawStatus(bytes.subarray(0, MAX_INSN_LEN), is32);
  const into: Decoded = {
    status,
    name: Code[instruction.code] ?? '',
    len: instruction.length,
    operands: [],
    memory: null,
    farSelector: 0,
  };
  if (status === DECODE_OK) {
    for (let i = 0; i < instruction.opCount; i++) into.operands.push(operand(i, into));
  } else if (bytes.length >= MAX_INSN_LEN && isTooLong(bytes.subarray(0, MAX_INSN_LEN), is32)) {
    status = DECODE_TOO_LONG;
  }
  return { ...into, status };
}

/** What {@link raw} says, in the same terms. */
export function ourDecode(from: typeof raw, name: string): Decoded {
  const operands = Array.from({ length: from.opCount }, (_, i) => {
    const kind = from.kind[i] ?? 0;
    const isValue = kind === KIND_IMM || kind === KIND_BRANCH || kind === KIND_FAR;
    const isMemory = kind === KIND_MEM || kind === KIND_STRING;
    return { kind, value: (isMemory ? 0 : isValue ? from.imm[i] : from.reg[i]) ?? 0 };
  });
  const hasMemory = operands.some(({ kind }) => kind === KIND_MEM) || from.memSize !== 0;
  return {
    status: from.status,
    name,
    len: from.len,
    operands,
    memory: hasMemory
      ? {
          seg: from.memSeg,
          base: from.memBase,
          index: from.memIndex,
          scale: from.memScale,
          disp: from.memDisp,
          size: from.memSize,
        }
      : null,
    farSelector: operands.some(({ kind }) => kind === KIND_FAR) ? from.farSelector : 0,
  };
}
