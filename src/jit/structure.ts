/**
 * The order and nesting of blocks: reverse postorder, dominators, loops, merge points. What comes out can be written with loops and
 * labelled blocks alone (N. Ramsey, “Beyond Relooper”, ICFP 2022).
 *
 * A jump back to a block that does not dominate it (irreducible code) is cut: the function ends there.
 */
import type { Block } from './blocks.ts';

function successors(block: Block): Block[] {
  const out: Block[] = [];
  if (block.taken?.block) out.push(block.taken.block);
  if (block.next?.block) out.push(block.next.block);
  return out;
}

function postorder(entry: Block): Block[] {
  const out: Block[] = [];
  const seen = new Set<Block>([entry]);
  const stack: { block: Block; todo: Block[] }[] = [{ block: entry, todo: successors(entry) }];
  for (;;) {
    const top = stack.at(-1);
    if (top === undefined) return out;
    const next = top.todo.shift();
    if (next === undefined) {
      out.push(top.block);
      stack.pop();
    } else if (!seen.has(next)) {
      seen.add(next);
      stack.push({ block: next, todo: successors(next) });
    }
  }
}

/** Nearest common dominator of two blocks whose dominators are known. */
function common(a: Block, b: Block): Block {
  let x = a;
  let y = b;
  while (x !== y) {
    while (x.order > y.order) x = x.dominator ?? x;
    while (y.order > x.order) y = y.dominator ?? y;
  }
  return x;
}

function findDominators(blocks: readonly Block[]): void {
  const [entry] = blocks;
  for (const block of blocks) block.dominator = null;
  entry.dominator = entry;
  const preds = new Map<Block, Block[]>(blocks.map((block) => [block, []]));
  for (const block of blocks) for (const to of successors(block)) preds.get(to)?.push(block);
  for (let changed = true; changed; ) {
    changed = false;
    for (const block of blocks.slice(1)) {
      let found: Block | null = null;
      for (const pred of preds.get(block) ?? []) {
        if (pred.dominator !== null) found = found === null ? pred : common(pred, found);
      }
      if (found !== block.dominator) {
        block.dominator = found;
        changed = true;
      }
    }
  }
}

/** Whether every way to `block` leads through `over`. */
function dominates(over: Block, block: Block): boolean {
  let at = block;
  while (at.order > over.order) at = at.dominator ?? at;
  return at === over;
}

/** Fills `isInLoop`: a loop is what reaches its header without leaving what that dominates. */
function findLoops(blocks: readonly Block[]): void {
  const preds = new Map<Block, Block[]>(blocks.map((block) => [block, []]));
  for (const block of blocks) for (const to of successors(block)) preds.get(to)?.push(block);
  for (const header of blocks) {
    if (!header.isLoopHeader) continue;
    const body = new Set([header]);
    const work = (preds.get(header) ?? []).filter((from) => from.order >= header.order);
    for (let block = work.pop(); block !== undefined; block = work.pop()) {
      if (body.has(block)) continue;
      body.add(block);
      work.push(...(preds.get(block) ?? []));
    }
    for (const block of body) block.isInLoop = true;
  }
}

/**
 * Orders the blocks that `entry` reaches and fills their `order`, `dominator`, `forwardPreds`, `isLoopHeader`
 * and `isInLoop`.
 *
 * @returns them in reverse postorder, `entry` first.
 */
export function structure(entry: Block): Block[] {
  const blocks = postorder(entry).reverse();
  for (const [i, block] of blocks.entries()) block.order = i;
  findDominators(blocks);
  let isCut = false;
  for (const block of blocks) {
    for (const edge of [block.taken, block.next]) {
      const to = edge?.block;
      if (edge === null || to === null || to === undefined) continue;
      if (to.order > block.order) to.forwardPreds++;
      else if (dominates(to, block)) to.isLoopHeader = true;
      else {
        edge.block = null;
        isCut = true;
      }
    }
  }
  if (isCut) findDominators(blocks);
  findLoops(blocks);
  return blocks;
}

/**
 * The largest number of instructions from `block` to the next checkpoint or the end of the function, `block` included: what must be
 * left of the budget where it begins.
 */
export function longestPath(block: Block, known: Map<Block, number>): number {
  const before = known.get(block);
  if (before !== undefined) return before;
  let longest = 0;
  for (const to of successors(block)) {
    if (to.order > block.order && !to.isCheckpoint) longest = Math.max(longest, longestPath(to, known));
  }
  const length = block.insns.length + (block.guarded?.insns.length ?? 0) + longest;
  known.set(block, length);
  return length;
}
