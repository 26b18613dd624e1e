/**
 * From a head to the basic blocks that one function is generated from: everything that direct jumps reach from there within
 * the page, up to a limit.
 */
import type { CodePage } from '../decoder/decode-cache.ts';
import type { Insn } from '../decoder/insn.ts';
import { Op } from '../decoder/op.ts';
import { END_OF_BLOCK, handling, NOT_GENERATED } from './handling.ts';

/** Instructions of one function: beyond it V8 may refuse to optimise it. */
export const MAX_INSNS = 200;
const MAX_BLOCKS = 48;

/** Where control goes behind a block: a block, or an offset in the page that is none. */
export interface Edge {
  /** Offset in the page; may lie outside it. */
  readonly at: number;
  /** Null: the function ends there. */
  block: Block | null;
}

/** One basic block. */
export class Block {
  readonly at: number;
  readonly insns: Insn[] = [];
  /** Offsets of {@link insns}. */
  readonly offsets: number[] = [];
  /** Where a conditional jump or LOOP goes when it is taken. */
  taken: Edge | null = null;
  /** Where control goes else; null when the last instruction says it at run time. */
  next: Edge | null = null;
  /** Instructions between a conditional jump and its target, done under a mask (if-conversion.ts). */
  guarded: Block | null = null;
  /** Position in reverse postorder; −1 before it is known. */
  order = -1;
  /** Blocks that jump here from an earlier position. */
  forwardPreds = 0;
  isLoopHeader = false;
  isInLoop = false;
  /** The budget is looked at here. */
  isCheckpoint = false;
  dominator: Block | null = null;

  constructor(at: number) {
    this.at = at;
  }
}

/** Gives the instruction at an offset of the page, or null when there is none that can be used. */
export type InsnAt = (at: number) => Insn | null;

/** Offset of the target of a direct jump. `eipBase` is EIP at offset 0 of the page. */
export function targetOf(insn: Insn, at: number, eipBase: number): number {
  return (((eipBase + at + insn.disp) & insn.imm2) - eipBase) | 0;
}

function isConditional(insn: Insn): boolean {
  const { op } = insn;
  return (op >= Op.Jo && op <= Op.Jg) || op === Op.Loop;
}

/** Reads instructions from `block.at` on until a jump, a leader, or one that is not generated. */
function scan(
  block: Block,
  insnAt: InsnAt,
  isLeader: (at: number) => boolean,
  eipBase: number,
  room: number,
): void {
  let { at } = block;
  for (;;) {
    const insn = insnAt(at);
    const how = insn === null ? NOT_GENERATED : handling(insn);
    const isFull = block.insns.length >= room;
    if (insn === null || how === NOT_GENERATED || isFull || (at !== block.at && isLeader(at))) {
      block.next = { at, block: null };
      return;
    }
    block.insns.push(insn);
    block.offsets.push(at);
    const next = (at + insn.len) | 0;
    if (insn.op === Op.Jmp) {
      block.next = { at: targetOf(insn, at, eipBase), block: null };
      return;
    }
    if (isConditional(insn)) {
      block.taken = { at: targetOf(insn, at, eipBase), block: null };
      block.next = { at: next, block: null };
      return;
    }
    if (how === END_OF_BLOCK) {
      block.next =
        insn.op === Op.Call || insn.op === Op.Ret || insn.op >= Op.JmpIndirect
          ? null
          : { at: next, block: null };
      if (insn.op >= Op.Movs && insn.op <= Op.Scas) block.next = { at: next, block: null };
      return;
    }
    at = next;
  }
}

/** Offsets where blocks begin, found by following jumps from `entry`. */
function findLeaders(
  entry: number,
  insnAt: InsnAt,
  eipBase: number,
  page: CodePage,
  maxInsns: number,
): Set<number> {
  const leaders = new Set([entry]);
  const seen = new Set<number>();
  const work = [entry];
  let insns = 0;
  while (work.length !== 0 && leaders.size < MAX_BLOCKS && insns < maxInsns) {
    const at = work.shift() ?? entry;
    if (seen.has(at)) continue;
    seen.add(at);
    const block = new Block(at);
    scan(block, insnAt, (o) => leaders.has(o), eipBase, maxInsns - insns);
    insns += block.insns.length;
    for (const edge of [block.taken, block.next]) {
      if (edge === null || edge.at < 0 || edge.at >= page.covered.length) continue;
      if (insnAt(edge.at) === null) continue;
      leaders.add(edge.at);
      work.push(edge.at);
    }
  }
  return leaders;
}

/** The blocks by offset, each edge joined to its block where there is one. Empty blocks are left out. */
export function findBlocks(
  entry: number,
  insnAt: InsnAt,
  eipBase: number,
  page: CodePage,
  maxInsns = MAX_INSNS,
): Map<number, Block> {
  const leaders = findLeaders(entry, insnAt, eipBase, page, maxInsns);
  const blocks = new Map<number, Block>();
  let insns = 0;
  for (const at of leaders) {
    const block = new Block(at);
    scan(block, insnAt, (o) => leaders.has(o), eipBase, maxInsns - insns);
    insns += block.insns.length;
    if (block.insns.length !== 0) blocks.set(at, block);
  }
  for (const block of blocks.values()) {
    for (const edge of [block.taken, block.next]) if (edge !== null) edge.block = blocks.get(edge.at) ?? null;
  }
  return blocks;
}
