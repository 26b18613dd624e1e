/**
 * Puts a processor into one of the modes of random programs, over the tables of random-code-layout.ts: control and system
 * registers, flat or real-mode segments, TSS and LDT. Registers, flags and EIP are the program's own.
 */
import type { Cpu } from '../cpu/cpu.ts';
import { AR_REAL_CODE, AR_REAL_DATA } from '../cpu/registers.ts';
import { SEG_CS, SEG_LDTR, SEG_SS, SEG_TR } from '../decoder/insn.ts';
import {
  CODE,
  CODE0,
  CODE3,
  DATA,
  GDT,
  GDT_LIMIT,
  IDT,
  PAGE_DIRECTORY,
  STACK,
  TSS,
  TSS_LIMIT,
  TSS_SELECTOR,
} from './random-code-layout.ts';

/** The modes in which programs start. */
export const RANDOM_CODE_MODES = ['real', 'prot16', 'prot32', 'v86'] as const;
/** One of {@link RANDOM_CODE_MODES}. */
export type RandomCodeMode = (typeof RANDOM_CODE_MODES)[number];

const CR0_ET = 0x10;
const CR0_PE_ET = 0x11;
/** PG, WP, PE, ET */
const CR0_PAGED = 0x8001_0011 | 0;
/** Flat segments of level 0; level 3 adds its DPL. */
const AR_FLAT_CODE = 0xc09b;
const AR_FLAT_DATA = 0xc093;
/** The same with 16 bits and byte granularity. */
const AR_16 = 0xff;
const DPL3 = 0x60;

/** How a program starts. */
export interface StartMode {
  readonly mode: RandomCodeMode;
  /** Not in real mode. */
  readonly isPaged: boolean;
  /** Protected mode: at level 3. */
  readonly isLevel3: boolean;
  readonly cr4: number;
}

function loadSegment(cpu: Cpu, seg: number, { mode, isLevel3 }: StartMode): void {
  const isCode = seg === SEG_CS;
  const base = isCode ? CODE : seg === SEG_SS ? STACK : DATA;
  if (mode === 'real') {
    cpu.setSegment(seg, base >>> 4, base, 0xffff, isCode ? AR_REAL_CODE : AR_REAL_DATA);
  } else if (mode === 'v86') {
    cpu.setSegment(seg, base >>> 4, base, 0xffff, AR_REAL_DATA | DPL3);
  } else {
    const is16 = mode === 'prot16';
    const attr = (isCode ? AR_FLAT_CODE : AR_FLAT_DATA) | (isLevel3 ? DPL3 : 0);
    const selector = (isCode ? CODE0 : CODE0 + 8) + (isLevel3 ? CODE3 - CODE0 : 0);
    cpu.setSegment(seg, selector, is16 ? base : 0, is16 ? 0xffff : 0xffff_ffff, is16 ? attr & AR_16 : attr);
  }
}

/** Resets the processor into a mode. The caller sets EFLAGS (with VM in `v86`) and has the TLB flushed. */
export function enterMode(cpu: Cpu, start: StartMode): void {
  const isProtected = start.mode !== 'real';
  cpu.reset();
  cpu.cr0 = !isProtected ? CR0_ET : start.isPaged ? CR0_PAGED : CR0_PE_ET;
  cpu.cr3 = PAGE_DIRECTORY;
  cpu.cr4 = start.cr4;
  cpu.gdtBase = GDT;
  cpu.gdtLimit = GDT_LIMIT;
  cpu.idtBase = isProtected ? IDT : 0;
  cpu.idtLimit = isProtected ? 0x7ff : 0x3ff;
  for (let seg = 0; seg < 6; seg++) loadSegment(cpu, seg, start);
  cpu.setSegment(SEG_TR, TSS_SELECTOR, TSS, TSS_LIMIT, 0x8b);
  cpu.setSegment(SEG_LDTR, 0x30, GDT, GDT_LIMIT, 0x82);
}
