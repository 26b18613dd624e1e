/** What every test machine in protected mode needs: descriptors, gates, handlers that tell their vector, flat segments. */
import type { Cpu } from '../src/cpu/cpu.ts';
import { SEG_CS } from '../src/decoder/insn.ts';

/** Exceptions that push an error code. */
export const HAS_ERROR_CODE: ReadonlySet<number> = new Set([8, 10, 11, 12, 13, 14, 17]);

/** What a descriptor says; the rest is flat, present, level 0, 32 bits. */
export interface DescriptorIn {
  readonly type: number;
  readonly dpl?: number;
  readonly present?: boolean;
  readonly base?: number;
  /** In bytes; granularity follows. */
  readonly limit?: number;
  readonly is32?: boolean;
}

/** Eight bytes of a segment or system segment. */
export function descriptor({
  type,
  dpl = 0,
  present = true,
  base = 0,
  limit = 0xffff_ffff,
  is32 = true,
}: DescriptorIn): number[] {
  const pages = limit > 0xf_ffff;
  const raw = pages ? limit >>> 12 : limit;
  const isSegment = (type & 16) !== 0;
  return [
    raw & 0xff,
    (raw >> 8) & 0xff,
    base & 0xff,
    (base >> 8) & 0xff,
    (base >> 16) & 0xff,
    type | (dpl << 5) | (present ? 0x80 : 0),
    ((raw >> 16) & 15) | (isSegment && is32 ? 0x40 : 0) | (pages ? 0x80 : 0),
    (base >>> 24) & 0xff,
  ];
}

/** Eight bytes of a gate. */
export function gate(
  type: number,
  selector: number,
  offset: number,
  { dpl = 0, present = true, count = 0 } = {},
): number[] {
  return [
    offset & 0xff,
    (offset >> 8) & 0xff,
    selector & 0xff,
    selector >> 8,
    count,
    type | (dpl << 5) | (present ? 0x80 : 0),
    (offset >> 16) & 0xff,
    (offset >>> 24) & 0xff,
  ];
}

/** An interrupt gate for every vector v, leading to a HLT at `handlers` + v; from `firstFree` on level 3 may name them. */
export function plantHandlers(
  ram: Uint8Array,
  idt: number,
  handlers: number,
  codeSelector: number,
  firstFree: number,
): void {
  for (let vector = 0; vector < 256; vector++) {
    const dpl = vector >= firstFree ? 3 : 0;
    ram.set(gate(14, codeSelector, handlers + vector, { dpl }), idt + vector * 8);
  }
  ram.fill(0xf4, handlers, handlers + 256);
}

/** Flat 32-bit segments of a level, in all six registers. */
export function loadFlatSegments(cpu: Cpu, level: number, codeSelector: number, dataSelector: number): void {
  const rights = 0xc093 | (level << 5);
  for (let seg = 0; seg < 6; seg++) {
    const isCode = seg === SEG_CS;
    cpu.setSegment(seg, isCode ? codeSelector : dataSelector, 0, 0xffff_ffff, isCode ? rights | 8 : rights);
  }
}
