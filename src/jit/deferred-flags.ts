/**
 * Flags that are only worked out where a function is left: at a loop header whose own instructions set all flags before they read
 * one, the loop carries the operands of the last operation instead (`fk` which, `f1`, `f2`).
 */
import { setFlagsAdd, setFlagsLogic, setFlagsSub } from '../cpu/flags.ts';
import type { Block } from './blocks.ts';
import type { KnownFlags } from './emitter.ts';
import { flagEffect, setsAllFlags } from './templates.ts';

/** `fk`: f1 and f2 are the lazy words themselves. */
const RAW = 0;
/** Bits 0–2 the size; above them what it was. */
const ADD = 8;
const SUB = 16;
const LOGIC = 24;

/** What a block needs to know of the flags of before it. */
export interface EntryFlags {
  readonly kind: 'live' | 'deferred' | 'dead';
  /** Instructions from the first on that may leave with the flags of before; `dead`: how many until all flags are set. */
  readonly count: number;
}

const LIVE: EntryFlags = { kind: 'live', count: 0 };

/** Looks at the instructions of a block until one sets all flags. */
export function entryFlags(block: Block): EntryFlags {
  let mayLeave = false;
  for (const [i, insn] of block.insns.entries()) {
    const effect = flagEffect(insn);
    if (effect === 'other') return LIVE;
    if (effect === 'kills') return { kind: mayLeave ? 'deferred' : 'dead', count: i + 1 };
    if (effect === 'keeps') continue;
    mayLeave = true;
    if (setsAllFlags(insn)) return { kind: 'deferred', count: i + 1 };
  }
  return LIVE;
}

/** Text that hands the flags on as operands. */
export function deferText(known: KnownFlags | null): string {
  const kind =
    known === null
      ? RAW
      : known.kind === 'add'
        ? ADD
        : known.kind === 'sub'
          ? SUB
          : known.kind === 'logic'
            ? LOGIC
            : RAW;
  if (known === null || kind === RAW) return `fk = ${RAW}; f1 = fr; f2 = fa;`;
  return `fk = ${kind | known.size}; f1 = ${known.a}; f2 = ${known.b};`;
}

/** Text that works the flags out before the function is left. */
export const UNDEFER = 'undefer(scratch, fk, f1, f2); fr = scratch[0]; fa = scratch[1]; ';

/** Works the flags out into `lazy`. */
export function undefer(lazy: Int32Array, kind: number, f1: number, f2: number): void {
  const size = kind & 7;
  switch (kind & ~7) {
    case ADD:
      setFlagsAdd(lazy, f1, f2, (f1 + f2) | 0, size);
      return;
    case SUB:
      setFlagsSub(lazy, f1, f2, (f1 - f2) | 0, size);
      return;
    case LOGIC:
      setFlagsLogic(lazy, f1, size);
      return;
    default:
      lazy[0] = f1;
      lazy[1] = f2;
  }
}
