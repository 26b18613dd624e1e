/**
 * Lowering: bytes → {@link Insn}. decode.ts reads them; this file picks the dense operation and the operand recipe.
 */

import { decode, MAX_INSN_LEN } from './decode.ts';
import { ALL_FEATURES, FEATURE_CR4 } from './features.ts';
import {
  FORM_MEM_DST,
  FORM_MEM_SRC,
  FORM_REG,
  Insn,
  REG_ZERO,
  REG8_ZERO,
  REG16_ZERO,
  REP_NONE,
} from './insn.ts';
import { Op } from './op.ts';
import {
  codeNames,
  OP_TABLE,
  type OpRow,
  PICK_ALU,
  PICK_IO,
  PICK_MOV,
  PICK_MOVZX,
  PICK_PLAIN,
  PICK_SHIFT,
  PICK_UNARY,
  PICK_W,
} from './op-table.ts';
import { allCodeNames, codeName } from './opcode-tables.ts';
import {
  DECODE_OK,
  DECODE_TOO_LONG,
  DECODE_TRUNCATED,
  KIND_BRANCH,
  KIND_FAR,
  KIND_IMM,
  KIND_MEM,
  KIND_REG8,
  KIND_REG16,
  KIND_REG32,
  KIND_SREG,
  KIND_STRING,
  raw,
} from './raw.ts';

export { MAX_INSN_LEN };

/** The exit qualification's bits that lowering knows (uapi/vmx.ts has the names; the decoder imports nothing). */
const QUAL_IN = 1 << 3;
const QUAL_STRING = 1 << 4;
const QUAL_REP = 1 << 5;
const QUAL_IMM = 1 << 6;
const QUAL_PORT_SHIFT = 16;

/** What a code number means: its row and its operand size. */
interface Lowering {
  readonly row: OpRow;
  /** Bytes of the operand, from the name (`rm16_imm8` → 2). */
  readonly size: number;
  /** What a processor without the row's feature executes instead; null: #UD. */
  readonly older: Lowering | null;
}

/** Rows whose F3 prefix means nothing to a processor without the feature, and what is left then. */
const WITHOUT_F3: ReadonlyMap<string, string> = new Map([
  ['Tzcnt', 'Bsf'],
  ['Lzcnt', 'Bsr'],
]);

/** Operand size in bytes from the tail of a code name; 0 when it does not say. */
function sizeOfTail(tail: string): number {
  for (const token of tail.split('_')) {
    if (token === 'AL' || token === 'CL') return 1;
    if (token === 'AX') return 2;
    if (token === 'EAX') return 4;
    const digits = /^(?:rm|r|m|moffs)(8|16|32|64)/.exec(token);
    if (digits !== null) return Number(digits[1]) / 8;
  }
  return 0;
}

function sizeFromName(name: string): number {
  const at = name.indexOf('_');
  return at < 0 ? 0 : sizeOfTail(name.slice(at + 1));
}

/** What the table makes of a code name; null: it has no such row. */
function loweringOfName(name: string): Lowering | null {
  const row = OP_TABLE.find((r) => name.startsWith(r.name) && codeNames(r).includes(name));
  if (row === undefined) return null;
  const older = WITHOUT_F3.get(row.name);
  return {
    row,
    size: sizeFromName(name),
    older: older === undefined ? null : loweringOfName(name.replace(row.name, older)),
  };
}

/** By code number; undefined until it is asked for: a guest has few of them. */
const lowerings: (Lowering | null | undefined)[] = new Array(allCodeNames().length + 1).fill(undefined);

function loweringOfCode(code: number): Lowering | null {
  let lowering = lowerings[code];
  if (lowering === undefined) {
    lowering = loweringOfName(codeName(code));
    lowerings[code] = lowering;
  }
  return lowering;
}

/** What `code` is on a processor with these features. */
function loweringOf(code: number, features: number): Lowering | null {
  const lowering = loweringOfCode(code);
  if (lowering === null || (lowering.row.feature & ~features) === 0) return lowering;
  return lowering.older;
}

/** Every code number that the table names, for docs, coverage and generators. */
export function supportedCodes(): { code: number; name: string; row: OpRow }[] {
  const list: { code: number; name: string; row: OpRow }[] = [];
  for (let code = 1; code < lowerings.length; code++) {
    const lowering = loweringOfCode(code);
    if (lowering !== null) list.push({ code, name: codeName(code), row: lowering.row });
  }
  return list;
}

const log2Size = (size: number): number => (size === 1 ? 0 : size === 2 ? 1 : 2);

function zeroSlot(size: number): number {
  return size === 1 ? REG8_ZERO : size === 2 ? REG16_ZERO : REG_ZERO;
}

function fillMemory(insn: Insn): void {
  insn.seg = raw.memSeg;
  insn.base = raw.memBase;
  insn.index = raw.memIndex;
  insn.scale = raw.memScale;
  insn.disp = raw.memDisp;
}

/** Copies the operands into the recipe: first → dst, second → src, immediates in order. */
function fillOperands(insn: Insn): void {
  let immediates = 0;
  for (let i = 0; i < raw.opCount; i++) {
    const kind = raw.kind[i];
    if (kind === KIND_IMM) {
      if (immediates++ === 0) insn.imm = raw.imm[i];
      else insn.imm2 = raw.imm[i];
    } else if (kind === KIND_MEM) {
      insn.form = i === 0 ? FORM_MEM_DST : FORM_MEM_SRC;
      fillMemory(insn);
    } else if (kind === KIND_STRING) {
      insn.seg = raw.memSeg;
    } else if (kind === KIND_BRANCH) {
      // Target = (EIP of this instruction + disp) & imm2.
      insn.disp = raw.imm[i];
      insn.imm2 = insn.opSize === 4 ? -1 : 0xffff;
    } else if (kind === KIND_FAR) {
      insn.imm = raw.imm[i];
      insn.imm2 = raw.farSelector;
    } else if (i === 0) {
      insn.dst = raw.reg[i];
    } else if (i === 1) {
      insn.src = raw.reg[i];
    }
  }
}

function portIo(insn: Insn, name: string): void {
  const isIn = name.startsWith('In');
  const isString = name.startsWith('Ins') || name.startsWith('Outs');
  const immediate = name.includes('imm8');
  insn.ioQual =
    (insn.size - 1) |
    (isIn ? QUAL_IN : 0) |
    (isString ? QUAL_STRING : 0) |
    (isString && insn.rep !== REP_NONE ? QUAL_REP : 0) |
    (immediate ? QUAL_IMM | (insn.imm << QUAL_PORT_SHIFT) : 0);
}

function pickOp(insn: Insn, row: OpRow, name: string): void {
  const k = log2Size(insn.size);
  insn.op = row.op;
  switch (row.pick) {
    case PICK_PLAIN:
      return;
    case PICK_ALU:
    case PICK_MOV: {
      const alu = row.pick === PICK_ALU;
      if (insn.form === FORM_REG) insn.op = row.op + k;
      else if (insn.form === FORM_MEM_SRC) insn.op = (alu ? Op.AluLoad8 : Op.Load8) + k;
      else {
        insn.op = (alu ? Op.AluStore8 : Op.Store8) + k;
        insn.dst = zeroSlot(insn.size);
      }
      return;
    }
    case PICK_UNARY:
      insn.op = (insn.form === FORM_REG ? row.op : row.op === Op.Inc8 ? Op.IncMem8 : Op.DecMem8) + k;
      return;
    case PICK_W:
      insn.op = row.op + (insn.size === 4 ? 1 : 0);
      return;
    case PICK_SHIFT:
      if (insn.form === FORM_REG && insn.size === 4) {
        insn.op = row.sub === 4 ? Op.Shl32 : row.sub === 5 ? Op.Shr32 : Op.Sar32;
      }
      return;
    case PICK_IO:
      portIo(insn, name);
      return;
    case PICK_MOVZX:
      if (raw.memSize === 1 || raw.kind[1] === KIND_REG8) {
        insn.imm2 = 1;
        insn.op = insn.form === FORM_REG ? Op.MovzxReg8 : Op.MovzxLoad8;
      } else insn.imm2 = 2;
      return;
  }
}

/** Row-specific fields that the generic recipe does not cover. */
function finish(insn: Insn, row: OpRow, features: number): void {
  switch (row.op) {
    case Op.Movsx:
      insn.imm2 = raw.kind[1] === KIND_REG8 || raw.memSize === 1 ? 1 : 2;
      return;
    case Op.Crc32:
      // Size of the source; the destination is always 32 bits.
      insn.size =
        raw.kind[1] === KIND_MEM
          ? raw.memSize
          : raw.kind[1] === KIND_REG8
            ? 1
            : raw.kind[1] === KIND_REG16
              ? 2
              : 4;
      return;
    case Op.Andn:
      // imm2: the operand that is inverted (VEX.vvvv), always a register.
      insn.imm2 = raw.reg[1];
      if (raw.kind[2] === KIND_REG32) insn.src = raw.reg[2];
      return;
    case Op.Bextr:
      // imm2: start and length (VEX.vvvv).
      insn.imm2 = raw.reg[2];
      return;
    case Op.Imul2:
      insn.imm2 = raw.opCount === 3 ? 1 : 0;
      return;
    case Op.Shld:
    case Op.Shrd:
      // imm2 = 1: the count is in CL.
      insn.imm2 = raw.kind[2] === KIND_IMM ? 0 : 1;
      return;
    case Op.MovToSreg:
      insn.size = 2;
      if (raw.kind[1] === KIND_REG32) insn.src = raw.reg[1] * 2;
      return;
    case Op.MovFromSreg:
      insn.size = raw.kind[0] === KIND_REG32 ? 4 : 2;
      return;
    case Op.PushSreg:
    case Op.PopSreg:
      insn.sub = raw.kind[0] === KIND_SREG ? raw.reg[0] : 0;
      insn.size = insn.opSize;
      return;
    case Op.Xlat:
      fillMemory(insn);
      return;
    case Op.Smsw:
    case Op.Sldt:
    case Op.Str:
      insn.size = raw.kind[0] === KIND_REG32 ? 4 : 2;
      return;
    case Op.Lmsw:
    case Op.Lldt:
    case Op.Ltr:
    case Op.Verr:
    case Op.Verw:
    case Op.Arpl:
      // Selectors are 16 bits whatever the operand size.
      insn.size = 2;
      if (raw.kind[0] === KIND_REG32) insn.dst = raw.reg[0] * 2;
      if (raw.kind[1] === KIND_REG32) insn.src = raw.reg[1] * 2;
      return;
    case Op.Lar:
    case Op.Lsl:
      insn.size = insn.opSize;
      if (raw.kind[1] === KIND_REG32) insn.src = raw.reg[1] * 2;
      return;
    case Op.JmpIndirect:
    case Op.CallIndirect:
    case Op.PushMem:
    case Op.PopMem:
    case Op.JmpFarMem:
    case Op.CallFarMem:
    case Op.LoadFarPointer:
    case Op.Bound:
    case Op.PushImm:
    case Op.Pusha:
    case Op.Popa:
    case Op.Pushf:
    case Op.Popf:
      insn.size = insn.opSize;
      return;
    case Op.MovToCr:
    case Op.MovFromCr: {
      const cr = row.op === Op.MovToCr ? raw.reg[0] : raw.reg[1];
      if (cr !== 0 && cr !== 2 && cr !== 3 && cr !== 4) insn.op = Op.Undefined;
      if (cr === 4 && (features & FEATURE_CR4) === 0) insn.op = Op.Undefined;
      return;
    }
  }
}

/** An x87 escape (D8–DF), decoded in {@link raw}. */
function lowerEsc(): Insn {
  const insn = new Insn(Op.Esc, raw.len, raw.code);
  insn.form = raw.isMemory ? FORM_MEM_SRC : FORM_REG;
  insn.size = raw.memSize;
  if (raw.isMemory) fillMemory(insn);
  return insn;
}

/** What {@link lower} answers when the bytes end inside the instruction. */
export const LOWER_TRUNCATED = null;

/**
 * Lowers the instruction at the start of `bytes`.
 *
 * @param len bytes available, at most {@link MAX_INSN_LEN} are used.
 * @param is32 CS.D: default operand and address size.
 * @param features FEATURE_* of the processor.
 * @returns the instruction; {@link LOWER_TRUNCATED} when fewer than 15 bytes are available and they end inside it.
 * An encoding that is not in the table comes back as `Op.Undefined`, one longer than 15 bytes as `Op.TooLong`.
 */
export function lower(
  bytes: Uint8Array,
  len: number,
  is32: number,
  features: number = ALL_FEATURES,
): Insn | null {
  decode(bytes, len, is32 !== 0);
  const { status, code } = raw;
  if (status === DECODE_TRUNCATED) return LOWER_TRUNCATED;
  if (status === DECODE_TOO_LONG) return new Insn(Op.TooLong, MAX_INSN_LEN, 0);
  const isEsc = raw.isEscape && status === DECODE_OK;
  const lowering = isEsc ? null : loweringOf(code, features);
  const insn = isEsc ? lowerEsc() : new Insn(Op.Undefined, raw.len, code);
  insn.opSize = raw.opSize;
  insn.addrMask = raw.addrMask;
  insn.rep = raw.rep;
  if (lowering === null) return insn;
  insn.size = lowering.size === 0 ? insn.opSize : lowering.size;
  insn.sub = lowering.row.sub;
  // The count of a shift is an 8-bit operand, whatever the size of what is shifted.
  insn.src = lowering.row.op === Op.Shift ? REG8_ZERO : zeroSlot(insn.size);
  fillOperands(insn);
  pickOp(insn, lowering.row, codeName(raw.code));
  finish(insn, lowering.row, features);
  return insn;
}
