/** The page the interpreter runs in: see fetch.ts. */
import { type Insn, SEG_CS } from '../decoder/insn.ts';
import type { Cpu } from './cpu.ts';

/** Where instructions need neither a limit check nor a page check. */
export class FetchWindow {
  /** EIP at offset 0 of the page (int32; may lie before the segment). */
  eipBase = 0;
  /** Offsets below this need no check. 0 = the window is not set. */
  len = 0;
  /** Instructions of the page by offset. */
  insns: (Insn | null)[] = [];
  /** What the window was opened under. */
  csBase = 0;
  csLimit = 0;
  is32 = 0;
  tlb: Int32Array | null = null;
  tlbEpoch = -1;
  epoch = -1;
  /** Whether its instructions may know each other ({@link Insn.next}, {@link Insn.target}). */
  mayLink = false;
  /** Physical page. */
  page = 0;

  /** The next fetch is to open it anew. */
  close(): void {
    this.len = 0;
    this.epoch = -1;
  }
}

/** Whether the window still holds: nothing it depends on has changed since it was opened. */
export function isCurrent(window: FetchWindow, cpu: Cpu): boolean {
  return (
    window.csBase === cpu.segBase[SEG_CS] &&
    window.csLimit === cpu.segLimit[SEG_CS] &&
    window.is32 === cpu.codeIs32 &&
    window.tlb === cpu.tlb &&
    window.tlbEpoch === cpu.tlbs.epoch &&
    window.epoch === cpu.cache.epoch
  );
}
