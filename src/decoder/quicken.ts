/**
 * Quickening: operations that the interpreter does in the place of others, chosen by operands or by what comes behind. They are
 * in `Insn.linked` alone; `Insn.op`, which everybody else reads, stays what it is.
 */
import { type Insn, REG8_ZERO } from './insn.ts';
import { Op } from './op.ts';

const COUNT_MASK = 31;

/** What `insn` is done as by itself. */
export function quickOp(insn: Insn): number {
  const { op } = insn;
  if (op < Op.Shl32 || op > Op.Sar32 || insn.src !== REG8_ZERO) return op;
  return insn.imm >= 1 && insn.imm <= COUNT_MASK ? Op.ShlImm32 + (op - Op.Shl32) : op;
}

/** What `insn` is done as with `then`, which comes behind it: the conditional jump is done with it. */
export function quickPair(insn: Insn, then: Insn): number {
  const own = quickOp(insn);
  const onZero = then.op === Op.Je || then.op === Op.Jne;
  const onCarry = then.op === Op.Jb || then.op === Op.Jae;
  if (!onZero && !onCarry) return own;
  if (onCarry && own === Op.ShrImm32) return Op.ShrImm32Jc;
  if (onCarry && own >= Op.Cmp8 && own <= Op.Cmp32) return Op.Cmp8Jc + (own - Op.Cmp8);
  if (onZero && own >= Op.Cmp8 && own <= Op.Cmp32) return Op.Cmp8Jz + (own - Op.Cmp8);
  if (onZero && own >= Op.Test8 && own <= Op.Test32) return Op.Test8Jz + (own - Op.Test8);
  if (onZero && own >= Op.Dec8 && own <= Op.Dec32) return Op.Dec8Jz + (own - Op.Dec8);
  return own;
}
