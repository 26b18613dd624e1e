/**
 * Segment register loads.
 *
 * Intel SDM vol. 3B, “Real-Address Mode Operation”: a load in real mode sets selector and base; limit and access
 * rights stay as they are (“unreal mode” lives on that).
 */
import type { Cpu } from './cpu.ts';

/** Loads a segment register in real mode. */
export function loadSegmentReal(cpu: Cpu, seg: number, selector: number): void {
  cpu.segSelector[seg] = selector & 0xffff;
  cpu.segBase[seg] = (selector & 0xffff) << 4;
}

/** Whether offset `eip` lies within the code segment: the check of every near and far transfer. */
export function codeOffsetAllowed(cpu: Cpu, eip: number): boolean {
  // Bound of one-byte reads of CS (segment 1).
  return (eip ^ (1 << 31)) < cpu.segBound[1 << 3] || cpu.segLimit[1] === 0xffffffff;
}
