/**
 * A jump over a few instructions that only work on registers becomes those instructions under a mask: data decides such jumps as a
 * rule, and a mispredicted jump of the host costs more than they do.
 *
 *         shr eax, 1                          shr eax, 1
 *         jnc next              →             eax ← eax xor (polynomial and −CF)
 *         xor eax, polynomial
 *     next:
 */
import { Op } from '../decoder/op.ts';
import type { Block } from './blocks.ts';
import { flagEffect } from './templates.ts';

/** As many instructions are done whether the guest does them or not. */
const MAX_GUARDED = 3;

/** Whether every instruction works on registers alone. */
function isPure(block: Block): boolean {
  return (
    block.insns.length <= MAX_GUARDED &&
    block.insns.every((insn) => {
      const effect = flagEffect(insn);
      return insn.op !== Op.Jmp && (effect === 'kills' || effect === 'keeps');
    })
  );
}

/** Finds the jumps that can be replaced; the block of a jump then has the other one as `guarded`. */
export function convertIfs(blocks: Map<number, Block>, entry: Block): void {
  const preds = new Map<Block, number>();
  for (const block of blocks.values()) {
    for (const edge of [block.taken, block.next]) {
      if (edge?.block) preds.set(edge.block, (preds.get(edge.block) ?? 0) + 1);
    }
  }
  for (const block of blocks.values()) {
    const last = block.insns.at(-1);
    const over = block.next?.block;
    const to = block.taken?.block;
    if (last === undefined || over === undefined || over === null || to === undefined || to === null)
      continue;
    const isJcc = last.op >= Op.Jo && last.op <= Op.Jg;
    if (!isJcc || over === to || over === block || over === entry || to === block) continue;
    if (over.taken !== null || over.guarded !== null || over.next?.block !== to) continue;
    if ((preds.get(over) ?? 0) !== 1 || !isPure(over)) continue;
    block.guarded = over;
    block.next = block.taken;
    block.taken = null;
  }
}
