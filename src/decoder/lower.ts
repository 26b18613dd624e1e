/**
 * Lowering: bytes → {@link Insn}. iced-x86 decodes; this file picks the dense operation and the operand recipe.
 */
import { ALL_FEATURES, FEATURE_CR4 } from './features.ts';
import {
  codeByName,
  codeName,
  DECODE_OK,
  DECODE_TRUNCATED,
  decodeRaw,
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
} from './iced.ts';
import {
  FORM_MEM_DST,
  FORM_MEM_SRC,
  FORM_REG,
  Insn,
  REG_ZERO,
  REG8_ZERO,
  REG16_ZERO,
  REP_F2,
  REP_F3,
  REP_NONE,
  SEG_CS,
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

/** Longest instruction. Intel SDM vol. 2A, “Instruction Format”. */
export const MAX_INSN_LEN = 15;

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
  /** What a processor without the row's feature executes instead; undefined: #UD. */
  readonly older: Lowering | undefined;
}

/** Rows whose F3 prefix means nothing to a processor without the feature, and what is left then. */
const WITHOUT_F3: ReadonlyMap<string, string> = new Map([
  ['Tzcnt', 'Bsf'],
  ['Lzcnt', 'Bsr'],
]);

/** Operand size in bytes from the tail of a code name; 0 when the name does not say. */
function sizeFromName(name: string): number {
  const tail = name.slice(name.indexOf('_') + 1);
  if (!name.includes('_')) return 0;
  for (const token of tail.split('_')) {
    if (token === 'AL' || token === 'CL') return 1;
    if (token === 'AX') return 2;
    if (token === 'EAX') return 4;
    const digits = /^(?:rm|r|m|moffs)(8|16|32|64)/.exec(token);
    if (digits !== null) return Number(digits[1]) / 8;
  }
  return 0;
}

const lowerings: (Lowering | undefined)[] = [];
for (const row of OP_TABLE) {
  for (const name of codeNames(row)) {
    const code = codeByName(name);
    if (code === undefined) throw new Error(`op-table: iced-x86 has no code ${name}`);
    const older = WITHOUT_F3.get(row.name);
    const olderCode = older === undefined ? undefined : codeByName(name.replace(row.name, older));
    lowerings[code] = {
      row,
      size: sizeFromName(name),
      // The older rows stand first in the table.
      older: olderCode === undefined ? undefined : lowerings[olderCode],
    };
  }
}

/** What `code` is on a processor with these features. */
function loweringOf(code: number, features: number): Lowering | undefined {
  const lowering = lowerings[code];
  if (lowering === undefined || (lowering.row.feature & ~features) === 0) return lowering;
  return lowering.older;
}

/** Every code number that the table names, for docs, coverage and generators. */
export function supportedCodes(): { code: number; name: string; row: OpRow }[] {
  const list: { code: number; name: string; row: OpRow }[] = [];
  lowerings.forEach((l, code) => {
    if (l !== undefined) list.push({ code, name: codeName(code), row: l.row });
  });
  return list;
}

const scratch = new Uint8Array(MAX_INSN_LEN);

/** Prefixes of the instruction in {@link scratch}, read by {@link scanPrefixes}. */
const prefixes = { count: 0, rep: REP_NONE, has66: 0, has67: 0, hasLock: 0 };

function scanPrefixes(len: number): void {
  prefixes.rep = REP_NONE;
  prefixes.has66 = 0;
  prefixes.has67 = 0;
  prefixes.hasLock = 0;
  let i = 0;
  for (; i < len; i++) {
    switch (scratch[i]) {
      case 0x26:
      case 0x2e:
      case 0x36:
      case 0x3e:
      case 0x64:
      case 0x65:
        continue;
      case 0xf0:
        prefixes.hasLock = 1;
        continue;
      case 0x66:
        prefixes.has66 = 1;
        continue;
      case 0x67:
        prefixes.has67 = 1;
        continue;
      case 0xf2:
        prefixes.rep = REP_F2;
        continue;
      case 0xf3:
        prefixes.rep = REP_F3;
        continue;
    }
    break;
  }
  prefixes.count = i;
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

/** Copies iced's operands into the recipe: first → dst, second → src, immediates in order. */
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
      // MOV CS is no instruction.
      if (raw.reg[0] === SEG_CS) insn.op = Op.Undefined;
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
    case Op.MovToDr:
    case Op.MovFromDr: {
      const dr = row.op === Op.MovToDr ? raw.reg[0] : raw.reg[1];
      if (dr > 7) insn.op = Op.Undefined;
      return;
    }
  }
}

/**
 * Whether the 15 bytes in {@link scratch} are only the beginning of an instruction. iced says “invalid” to that as it does
 * to an undefined encoding; so it is asked again without the prefixes that change neither meaning nor length: the bytes
 * run out then.
 */
function isTooLong(bitness: 16 | 32): boolean {
  const kept: number[] = [];
  if (prefixes.has66 !== 0) kept.push(0x66);
  if (prefixes.has67 !== 0) kept.push(0x67);
  if (prefixes.hasLock !== 0) kept.push(0xf0);
  if (prefixes.rep !== REP_NONE) kept.push(prefixes.rep === REP_F3 ? 0xf3 : 0xf2);
  if (kept.length === prefixes.count) return false;
  decodeRaw(Uint8Array.of(...kept, ...scratch.subarray(prefixes.count)), bitness);
  return raw.status === DECODE_TRUNCATED;
}

/**
 * Decodes an x87 escape that iced does not know as FADD m32, which has every memory form: without an FPU only the address
 * of the operand matters.
 */
function decodeUnknownEsc(len: number, bitness: 16 | 32): void {
  const at = prefixes.count;
  scratch[at] = 0xd8;
  if (scratch[at + 1] >= 0xc0) scratch[at + 1] = 0xc0;
  decodeRaw(scratch.subarray(0, len), bitness);
}

/** An x87 escape (D8–DF), decoded in {@link raw}. */
function lowerEsc(): Insn {
  const memory = scratch[prefixes.count + 1] < 0xc0;
  const insn = new Insn(Op.Esc, raw.len, raw.code);
  insn.form = memory ? FORM_MEM_SRC : FORM_REG;
  insn.size = memory ? Math.max(1, raw.memSize) : 0;
  if (memory) fillMemory(insn);
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
  const n = Math.min(len, MAX_INSN_LEN);
  for (let i = 0; i < n; i++) scratch[i] = bytes[i];
  const bitness = is32 !== 0 ? 32 : 16;
  scanPrefixes(n);
  decodeRaw(n === MAX_INSN_LEN ? scratch : scratch.subarray(0, n), bitness);
  // LOCK before an escape is #UD.
  const isEsc = prefixes.count < n && (scratch[prefixes.count] & 0xf8) === 0xd8 && prefixes.hasLock === 0;
  if (isEsc && raw.status !== DECODE_OK) decodeUnknownEsc(n, bitness);
  const { status, len: rawLen, code } = raw;
  if (n < MAX_INSN_LEN && status === DECODE_TRUNCATED) return LOWER_TRUNCATED;
  if (status !== DECODE_OK && n === MAX_INSN_LEN && isTooLong(bitness)) {
    return new Insn(Op.TooLong, MAX_INSN_LEN, 0);
  }
  const lowering = status === DECODE_OK && !isEsc ? loweringOf(code, features) : undefined;
  const insn = isEsc ? lowerEsc() : new Insn(Op.Undefined, Math.max(1, rawLen), code);
  insn.opSize = (is32 !== 0) !== (prefixes.has66 !== 0) ? 4 : 2;
  insn.addrMask = (is32 !== 0) !== (prefixes.has67 !== 0) ? -1 : 0xffff;
  insn.rep = prefixes.rep;
  if (lowering === undefined) return insn;
  insn.size = lowering.size === 0 ? insn.opSize : lowering.size;
  insn.sub = lowering.row.sub;
  // The count of a shift is an 8-bit operand, whatever the size of what is shifted.
  insn.src = lowering.row.op === Op.Shift ? REG8_ZERO : zeroSlot(insn.size);
  fillOperands(insn);
  pickOp(insn, lowering.row, codeName(raw.code));
  finish(insn, lowering.row, features);
  return insn;
}
