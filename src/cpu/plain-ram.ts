/**
 * Runs of plain memory: whether the fast path of access.ts would serve every byte of an operand, and where the bytes lie. For
 * whoever moves many at once (string-blocks.ts, port I/O without exits).
 */
import type { Cpu } from './cpu.ts';
import { PAGE_MASK, PAGE_SHIFT, PAGE_SIZE } from './memory.ts';
import { TLB_DELTA, TLB_READ_MASK, TLB_VALID, TLB_WRITE_MASK } from './tlb.ts';

const SIGN = 1 << 31;

/**
 * Whether bytes `off … off+len−1` are plain memory that the fast path reaches, and may be read (or written). Changes nothing and
 * raises nothing.
 */
export function isPlainRam(cpu: Cpu, seg: number, off: number, len: number, isWrite: boolean): boolean {
  const bound = cpu.segBound[(seg << 3) | (isWrite ? 4 : 0)];
  const last = (off + len - 1) | 0;
  if ((off ^ SIGN) >= bound || (last ^ SIGN) >= bound || last >>> 0 < off >>> 0) return false;
  // Words and doublewords while alignment is checked.
  if (cpu.alignmentArmed !== 0) return false;
  const mask = isWrite ? TLB_WRITE_MASK : TLB_READ_MASK;
  const first = (cpu.segBase[seg] + off) >>> 0;
  const end = (first + len - 1) >>> 0;
  if ((cpu.tlb[first >>> PAGE_SHIFT] & mask) !== TLB_VALID) return false;
  return first >>> PAGE_SHIFT === end >>> PAGE_SHIFT || (cpu.tlb[end >>> PAGE_SHIFT] & mask) === TLB_VALID;
}

/** Elements from an operand on that lie whole in its page, and in the 64 KiB that a 16-bit offset reaches. */
export function elementsInPage(cpu: Cpu, seg: number, off: number, size: number, addrMask: number): number {
  const bytes = PAGE_SIZE - ((cpu.segBase[seg] + off) & PAGE_MASK);
  const reach = addrMask === -1 ? bytes : Math.min(bytes, addrMask + 1 - off);
  return Math.floor(reach / size);
}

/** Where a byte of plain memory ({@link isPlainRam}) lies in the direct window. */
export function plainAddress(cpu: Cpu, seg: number, off: number): number {
  const linear = (cpu.segBase[seg] + off) | 0;
  return (linear + (cpu.tlb[linear >>> PAGE_SHIFT] & TLB_DELTA)) >>> 0;
}
