/**
 * `Insn`: one decoded instruction as the CPU runs it. Made once by lower.ts, kept in the decode cache.
 *
 * All fields are int32 and are set in the constructor in one order, so that loads in the hot loop stay
 * monomorphic. (With `useDefineForClassFields` each would be `undefined` first, and V8 would check each load for ever.)
 * Nothing here refers to iced-x86.
 */

/** Index of a register slot that always reads 0 (see cpu/registers.ts): “no base”, “no index”, “immediate”. */
export const REG_ZERO = 8;
/** The same slot as a byte index for 8-bit operands. */
export const REG8_ZERO = REG_ZERO * 4;
/** The same slot as an index into the 16-bit view. */
export const REG16_ZERO = REG_ZERO * 2;

/** Segment numbers as in instruction encodings; TR and LDTR follow so that one array holds all. */
export const SEG_ES = 0;
export const SEG_CS = 1;
export const SEG_SS = 2;
export const SEG_DS = 3;
export const SEG_FS = 4;
export const SEG_GS = 5;
export const SEG_TR = 6;
export const SEG_LDTR = 7;

/** `Insn.rep`: the REP prefix that counts (the last one). */
export const REP_NONE = 0;
/** F3: REP, REPE. */
export const REP_F3 = 1;
/** F2: REPNE; repeats INS, OUTS, MOVS, STOS and LODS just as F3 does. */
export const REP_F2 = 2;

/** `Insn.form`: where the operands are. */
export const FORM_REG = 0;
/** The first (destination) operand is memory. */
export const FORM_MEM_DST = 1;
/** The second (source) operand is memory. */
export const FORM_MEM_SRC = 2;

/** `Insn.linked`, all below 0: it has to be looked up. */
export const NOT_LINKED = -1;
/** {@link NO_NEXT}, {@link NO_TARGET} and {@link NOWHERE}: and what it is called is not known either. */
export const LINK_NEXT = -2;
export const LINK_TARGET = -3;
export const LINK_NOWHERE = -4;

/** What {@link Insn.next} and {@link Insn.target} are at first. */
let unknown: Pick<Insn, 'next' | 'target'> | null = null;

/** One decoded instruction. Field meanings are those of its operation's row in op-table.ts. */
export class Insn {
  /** Dense operation number, see op-table.ts. */
  op: number;
  /** Length in bytes, prefixes included (1…15). */
  len: number;
  /**
   * Destination register. 32-bit operations: register number; 16-bit: index into the 16-bit view (2·n); 8-bit: byte
   * index into the 8-bit view (AL 0, CL 4, … AH 1, CH 5, …).
   */
  dst: number;
  /** Source register, same numbering; the zero slot when the source is `imm`. */
  src: number;
  /** Immediate, sign-extended; port for IN/OUT with an immediate; offset of far pointers. */
  imm: number;
  /** Second immediate: selector of far pointers, level of ENTER, EIP mask of branches; else the row says (lower.ts). */
  imm2: number;
  /** Operation within a family (which ALU operation, which condition, …). */
  sub: number;
  /** {@link FORM_REG}, {@link FORM_MEM_DST}, {@link FORM_MEM_SRC}. */
  form: number;
  /** Operand size in bytes (1, 2, 4; 8 for CMPXCHG8B; 6 for 16:32 pointers). */
  size: number;
  /** Effective operand size attribute: 2 or 4 (width of EIP and stack accesses of this instruction). */
  opSize: number;
  /** Segment of the memory operand ({@link SEG_ES}…). */
  seg: number;
  /** Base register number or {@link REG_ZERO}. */
  base: number;
  /** Index register number or {@link REG_ZERO}. */
  index: number;
  /** Left shift of the index, 0…3. */
  scale: number;
  /** Displacement; of branches, relative to the start of the instruction. */
  disp: number;
  /** 0xffff or −1: address size. */
  addrMask: number;
  /** {@link REP_NONE}, {@link REP_F3}, {@link REP_F2}. */
  rep: number;
  /** Exit qualification bits known at decode time (port I/O only): all but the port in DX. */
  ioQual: number;
  /** Number of the encoding's name (opcode-tables.ts): for coverage and the encoding table. */
  code: number;
  /** Physical page that holds the tail of an instruction that crosses a page, else −1. */
  page2: number;
  /** EIP at which it was found last; it holds for whoever comes here by {@link next} or {@link target}. */
  eip: number;
  /** What it is done as (quicken.ts) while it may be gone to without a look-up, else {@link NOT_LINKED}. */
  linked: number;
  /** 1 once its jump is known to lead to within the limit, that is with {@link target}. */
  leads: number;
  /** What comes behind it; {@link NO_NEXT} as long as that is not known. */
  next: Insn;
  /** Where its jump leads; {@link NO_TARGET} as long as that is not known. */
  target: Insn;

  constructor(op: number, len: number, code: number) {
    this.op = op;
    this.len = len;
    this.dst = REG_ZERO;
    this.src = REG_ZERO;
    this.imm = 0;
    this.imm2 = 0;
    this.sub = 0;
    this.form = FORM_REG;
    this.size = 4;
    this.opSize = 4;
    this.seg = SEG_DS;
    this.base = REG_ZERO;
    this.index = REG_ZERO;
    this.scale = 0;
    this.disp = 0;
    this.addrMask = -1;
    this.rep = REP_NONE;
    this.ioQual = 0;
    this.code = code;
    this.page2 = -1;
    this.eip = 0;
    this.leads = 0;
    this.linked = NOT_LINKED;
    this.next = unknown === null ? this : unknown.next;
    this.target = unknown === null ? this : unknown.target;
  }
}

function placeholder(linked: number): Insn {
  const insn = new Insn(0, 1, 0);
  insn.linked = linked;
  return insn;
}

/** Stands for no instruction: never linked. */
export const NOWHERE: Insn = placeholder(LINK_NOWHERE);
/** The same, where {@link Insn.next} is to be learned. */
export const NO_NEXT: Insn = placeholder(LINK_NEXT);
/** The same, where {@link Insn.target} is to be learned. */
export const NO_TARGET: Insn = placeholder(LINK_TARGET);
unknown = { next: NO_NEXT, target: NO_TARGET };
NOWHERE.next = NO_NEXT;
NOWHERE.target = NO_TARGET;
