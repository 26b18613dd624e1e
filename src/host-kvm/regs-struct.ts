/**
 * `struct kvm_regs`, `kvm_segment`, `kvm_dtable`, `kvm_sregs` (Linux: arch/x86/include/uapi/asm/kvm.h). The guests here
 * are 32-bit: R8–R15 are 0, and upper halves are not shown.
 */
import type { KvmDtable, KvmRegs, KvmSegment, KvmSregs } from '../uapi/kvm.ts';
import { SIZEOF } from './ioctl-numbers.ts';
import { type FieldOffsets, StructView } from './struct-view.ts';

// biome-ignore format: the structure's order.
const REGS: FieldOffsets<KvmRegs> = [
  ['eax', 0], ['ebx', 8], ['ecx', 16], ['edx', 24], ['esi', 32], ['edi', 40], ['esp', 48], ['ebp', 56],
  ['eip', 128], ['eflags', 136],
];

/** The 32-bit halves that a 32-bit guest has; EIP alone can stand at 2^32 − 1 + 1 and is cut like the rest. */
export function unpackRegs(view: StructView): KvmRegs {
  const regs: KvmRegs = {
    eax: 0,
    ebx: 0,
    ecx: 0,
    edx: 0,
    esi: 0,
    edi: 0,
    esp: 0,
    ebp: 0,
    eip: 0,
    eflags: 0,
  };
  for (const [name, at] of REGS) regs[name] = view.u32(at);
  return regs;
}

export function packRegs(regs: Readonly<KvmRegs>): StructView {
  const view = new StructView(SIZEOF.kvm_regs);
  for (const [name, at] of REGS) view.setU32(at, regs[name]);
  return view;
}

// biome-ignore format: the structure's order.
const SEGMENT_BYTES: FieldOffsets<KvmSegment> = [
  ['type', 14], ['present', 15], ['dpl', 16], ['db', 17], ['s', 18], ['l', 19], ['g', 20], ['avl', 21], ['unusable', 22],
];

function unpackSegment(view: StructView, at: number): KvmSegment {
  return {
    base: view.u32(at),
    limit: view.u32(at + 8),
    selector: view.u16(at + 12),
    type: view.u8(at + 14),
    present: view.u8(at + 15),
    dpl: view.u8(at + 16),
    db: view.u8(at + 17),
    s: view.u8(at + 18),
    l: view.u8(at + 19),
    g: view.u8(at + 20),
    avl: view.u8(at + 21),
    unusable: view.u8(at + 22),
  };
}

function packSegment(view: StructView, at: number, segment: Readonly<KvmSegment>): void {
  view.setU32(at, segment.base);
  view.setU32(at + 8, segment.limit);
  view.setU16(at + 12, segment.selector);
  for (const [name, offset] of SEGMENT_BYTES) view.setU8(at + offset, segment[name]);
}

function unpackDtable(view: StructView, at: number): KvmDtable {
  return { base: view.u32(at), limit: view.u16(at + 8) };
}

function packDtable(view: StructView, at: number, table: Readonly<KvmDtable>): void {
  view.setU32(at, table.base);
  view.setU16(at + 8, table.limit);
}

const GDT = 192;
const IDT = 208;
const CR0 = 224;
const CR2 = 232;
const CR3 = 240;
const CR4 = 248;
const CR8 = 256;
const EFER = 264;
const APIC_BASE = 272;
const INTERRUPT_BITMAP = 280;
const INTERRUPT_BITMAP_WORDS = 8;

export function unpackSregs(view: StructView): KvmSregs {
  return {
    cs: unpackSegment(view, 0),
    ds: unpackSegment(view, 24),
    es: unpackSegment(view, 48),
    fs: unpackSegment(view, 72),
    gs: unpackSegment(view, 96),
    ss: unpackSegment(view, 120),
    tr: unpackSegment(view, 144),
    ldt: unpackSegment(view, 168),
    gdt: unpackDtable(view, GDT),
    idt: unpackDtable(view, IDT),
    cr0: view.u32(CR0),
    cr2: view.u32(CR2),
    cr3: view.u32(CR3),
    cr4: view.u32(CR4),
    cr8: view.u32(CR8),
    efer: view.u32(EFER),
    apic_base: view.u64(APIC_BASE),
    interrupt_bitmap: Array.from({ length: INTERRUPT_BITMAP_WORDS }, (_, i) =>
      view.u32(INTERRUPT_BITMAP + 4 * i),
    ),
  };
}

export function packSregs(sregs: Readonly<KvmSregs>): StructView {
  const view = new StructView(SIZEOF.kvm_sregs);
  packSegment(view, 0, sregs.cs);
  packSegment(view, 24, sregs.ds);
  packSegment(view, 48, sregs.es);
  packSegment(view, 72, sregs.fs);
  packSegment(view, 96, sregs.gs);
  packSegment(view, 120, sregs.ss);
  packSegment(view, 144, sregs.tr);
  packSegment(view, 168, sregs.ldt);
  packDtable(view, GDT, sregs.gdt);
  packDtable(view, IDT, sregs.idt);
  view.setU32(CR0, sregs.cr0);
  view.setU32(CR2, sregs.cr2);
  view.setU32(CR3, sregs.cr3);
  view.setU32(CR4, sregs.cr4);
  view.setU32(CR8, sregs.cr8);
  view.setU32(EFER, sregs.efer);
  view.setU64(APIC_BASE, sregs.apic_base);
  for (let i = 0; i < INTERRUPT_BITMAP_WORDS; i++)
    view.setU32(INTERRUPT_BITMAP + 4 * i, sregs.interrupt_bitmap[i] ?? 0);
  return view;
}
