/** The page the interpreter runs in: see fetch.ts. */
import type { Insn } from '../decoder/insn.ts';

/** Where instructions need neither a limit check nor a page check. */
export class FetchWindow {
  /** EIP at offset 0 of the page (int32; may lie before the segment). */
  eipBase = 0;
  /** Offsets below this need no check. 0 = the window is not set. */
  len = 0;
  /** Instructions of the page by offset. */
  insns: (Insn | null)[] = [];
}
