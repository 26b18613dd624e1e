/**
 * Quickening: operations that the interpreter does in the place of others, chosen by operands or by what comes behind. They are
 * in `Insn.linked` alone; `Insn.op`, which everybody else reads, stays what it is.
 */
import { type Insn, REG8_ZERO } from './insn.ts';
import { NEGATED, Op } from './op.ts';

const COUNT_MASK = 31;
/** 8, 16 and 32 bits. */
const WIDTHS = 3;

/** What `insn` is done as by itself. */
export function quickOp(insn: Insn): number {
  const { op } = insn;
  if (op < Op.Shl32 || op > Op.Sar32 || insn.src !== REG8_ZERO) return op;
  return insn.imm >= 1 && insn.imm <= COUNT_MASK ? Op.ShlImm32 + (op - Op.Shl32) : op;
}

/** The first of three widths, the jump behind it (it or its negation), and what the two are done as. */
const PAIRS: readonly (readonly [first: number, jump: number, pair: number])[] = [
  [Op.Cmp8, Op.Je, Op.Cmp8Jz],
  [Op.Test8, Op.Je, Op.Test8Jz],
  [Op.Dec8, Op.Je, Op.Dec8Jz],
  [Op.Cmp8, Op.Jb, Op.Cmp8Jc],
];

/** What `insn` is done as with `then`, which comes behind it: the conditional jump is done with it. */
export function quickPair(insn: Insn, then: Insn): number {
  const own = quickOp(insn);
  const jump = then.op & ~NEGATED;
  if (own === Op.ShrImm32 && jump === Op.Jb) return Op.ShrImm32Jc;
  for (const [first, its, pair] of PAIRS) {
    if (jump === its && own >= first && own < first + WIDTHS) return pair + (own - first);
  }
  return own;
}
