/**
 * The processor modes of a test bed, as KVM_SET_SREGS takes them, and the descriptor tables behind them. Intel SDM
 * vol. 3A, “Segment Descriptors”, “Task-State Segment (TSS)”.
 */
import type { KvmSegment, KvmSregs } from '../uapi/kvm.ts';

/** `prot16u`: 16-bit code at CPL 3 with real-mode bases. `prot32u`: flat, CPL 3. Both with I/O bitmap in the TSS. */
export type BedMode = 'real' | 'prot32' | 'prot32u' | 'prot16u' | 'v86';

export const BED_MODES: readonly BedMode[] = ['real', 'prot32', 'prot32u', 'prot16u', 'v86'];

const GDT = 0x1000;
const IDT = 0x1800;
export const TSS = 0x3000;
/** Offset of the I/O bitmap in the TSS. */
export const TSS_IO_MAP = 0x68;
const TSS_ESP0 = 4;
const TSS_SS0 = 8;
const TSS_IO_MAP_BASE = 0x66;
const TSS_BYTES = TSS_IO_MAP + 0x2000;
export const RING0_STACK = 0x9000;
const IDT_GATES = 32;

export const X86_EFLAGS_VM = 1 << 17;

/** Selectors of the GDT. */
export const SEL_CODE0 = 0x08;
export const SEL_DATA0 = 0x10;
export const SEL_CODE3 = 0x1b;
export const SEL_DATA3 = 0x23;
export const SEL_TSS = 0x28;
/** 16-bit code and data at CPL 3, 64 KiB. */
export const SEL_CODE16 = 0x33;
export const SEL_DATA16 = 0x3b;

const TYPE_CODE = 11;
const TYPE_DATA = 3;
const TYPE_BUSY_TSS = 11;
const TYPE_LDT = 2;

interface Descriptor {
  readonly base: number;
  readonly limit: number;
  /** Access byte: P, DPL, S, type. */
  readonly access: number;
  /** G and D/B in bits 7 and 6. */
  readonly flags: number;
}

const FLAT = 0xfffff;
const DESCRIPTORS: readonly Descriptor[] = [
  { base: 0, limit: 0, access: 0, flags: 0 },
  { base: 0, limit: FLAT, access: 0x9b, flags: 0xc0 },
  { base: 0, limit: FLAT, access: 0x93, flags: 0xc0 },
  { base: 0, limit: FLAT, access: 0xfb, flags: 0xc0 },
  { base: 0, limit: FLAT, access: 0xf3, flags: 0xc0 },
  { base: TSS, limit: TSS_BYTES, access: 0x8b, flags: 0 },
  { base: 0, limit: 0xffff, access: 0xfb, flags: 0 },
  { base: 0, limit: 0xffff, access: 0xf3, flags: 0 },
];

function setU16(ram: Uint8Array, at: number, value: number): void {
  ram[at] = value & 0xff;
  ram[at + 1] = (value >>> 8) & 0xff;
}

/** GDT, IDT and TSS. @param handlers address of handler 0. @param handlerSize bytes from one to the next. */
export function writeTables(ram: Uint8Array, handlers: number, handlerSize: number): void {
  DESCRIPTORS.forEach(({ base, limit, access, flags }, i) => {
    const at = GDT + 8 * i;
    setU16(ram, at, limit);
    setU16(ram, at + 2, base);
    ram[at + 4] = (base >>> 16) & 0xff;
    ram[at + 5] = access;
    ram[at + 6] = flags | ((limit >>> 16) & 0xf);
    ram[at + 7] = base >>> 24;
  });
  for (let vector = 0; vector < IDT_GATES; vector++) {
    const at = IDT + 8 * vector;
    setU16(ram, at, handlers + handlerSize * vector);
    setU16(ram, at + 2, SEL_CODE0);
    ram[at + 5] = 0x8e;
  }
  setU16(ram, TSS + TSS_ESP0, RING0_STACK);
  setU16(ram, TSS + TSS_SS0, SEL_DATA0);
  setU16(ram, TSS + TSS_IO_MAP_BASE, TSS_IO_MAP);
  ram[TSS + TSS_BYTES] = 0xff;
}

function segment(
  selector: number,
  base: number,
  limit: number,
  type: number,
  dpl: number,
  db: number,
): KvmSegment {
  const g = limit > 0xfffff ? 1 : 0;
  return { base, limit, selector, type, present: 1, dpl, db, s: 1, l: 0, g, avl: 0, unusable: 0 };
}

/** A data segment of the mode: real-mode like, 64 KiB at `base`. */
export function smallSegment(selector: number, base: number, dpl: number): KvmSegment {
  return segment(selector, base, 0xffff, TYPE_DATA, dpl, 0);
}

function codeAndData(sregs: KvmSregs, code: KvmSegment, data: KvmSegment): void {
  sregs.cs = code;
  for (const name of ['ds', 'es', 'fs', 'gs', 'ss'] as const) sregs[name] = { ...data };
}

/** The mode's state on top of a fresh machine's. */
export function modeSregs(fresh: Readonly<KvmSregs>, mode: BedMode): KvmSregs {
  const sregs = structuredClone(fresh) as KvmSregs;
  sregs.gdt = { base: GDT, limit: 0xff };
  sregs.idt = mode === 'real' ? { base: 0, limit: 0x3ff } : { base: IDT, limit: 0xff };
  sregs.cr0 = mode === 'real' ? 0x10 : 0x11;
  sregs.tr = { ...segment(SEL_TSS, TSS, TSS_BYTES, TYPE_BUSY_TSS, 0, 0), s: 0 };
  sregs.ldt = { ...segment(0, 0, 0xffff, TYPE_LDT, 0, 0), s: 0 };
  switch (mode) {
    case 'real':
      codeAndData(sregs, segment(0, 0, 0xffff, TYPE_CODE, 0, 0), smallSegment(0, 0, 0));
      break;
    case 'prot32':
      codeAndData(sregs, segment(SEL_CODE0, 0, 0xffff_ffff, TYPE_CODE, 0, 1), flatData(SEL_DATA0, 0));
      break;
    case 'prot32u':
      codeAndData(sregs, segment(SEL_CODE3, 0, 0xffff_ffff, TYPE_CODE, 3, 1), flatData(SEL_DATA3, 3));
      break;
    case 'prot16u':
      codeAndData(sregs, segment(SEL_CODE16, 0, 0xffff, TYPE_CODE, 3, 0), smallSegment(SEL_DATA16, 0, 3));
      break;
    case 'v86':
      codeAndData(sregs, smallSegment(0, 0, 3), smallSegment(0, 0, 3));
      break;
  }
  return sregs;
}

function flatData(selector: number, dpl: number): KvmSegment {
  return segment(selector, 0, 0xffff_ffff, TYPE_DATA, dpl, 1);
}
