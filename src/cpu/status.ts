/** What a cold operation tells the interpreter. A fault is in `cpu.fault` instead, whatever the status. */

/** Go on behind the instruction. */
export const COLD_NEXT = 0;
/** `cpu.eip` (and perhaps CS) is set: a transfer of control. */
export const COLD_JUMP = 1;
/** A REP string instruction is not finished: run it again. */
export const COLD_REPEAT = 2;
/** Leave with `cpu.exitReason`. */
export const COLD_EXIT = 3;
/** As COLD_JUMP, but through a vector: TF is clear for the handler, so no single-step trap follows. */
export const COLD_EVENT = 4;
