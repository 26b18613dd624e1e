/**
 * KVM_GET_REGS, KVM_SET_REGS, KVM_GET_SREGS, KVM_SET_SREGS: the processor's state in KVM's structures
 * (Linux: arch/x86/kvm/x86.c, `__get_regs`, `__set_regs`, `__get_sregs`, `__set_sregs`).
 */
import { isValidCr4, isValidEfer } from '../cpu/control-registers.ts';
import { type Cpu, FAULT_NONE } from '../cpu/cpu.ts';
import { getEflags, setEflags } from '../cpu/flags.ts';
import { loadPdptrs } from '../cpu/paging.ts';
import {
  AR_AVL,
  AR_DB,
  AR_DPL_SHIFT,
  AR_G,
  AR_L,
  AR_P,
  AR_S,
  AR_UNUSABLE,
  EAX,
  EBP,
  EBX,
  ECX,
  EDI,
  EDX,
  EFLAGS_MASK,
  ESI,
  ESP,
  X86_CR0_CD,
  X86_CR0_NW,
  X86_CR0_PE,
  X86_CR0_PG,
  X86_CR4_PAE,
  X86_EFLAGS_FIXED,
} from '../cpu/registers.ts';
import { SEG_CS, SEG_DS, SEG_ES, SEG_FS, SEG_GS, SEG_LDTR, SEG_SS, SEG_TR } from '../decoder/insn.ts';
import { EINVAL } from '../uapi/errno.ts';
import type { KvmRegs, KvmSegment, KvmSregs } from '../uapi/kvm.ts';

/** IA32_APIC_BASE of the bootstrap processor after a reset: enabled, at 0xFEE00000. */
export const APIC_BASE_DEFAULT = 0xfee00900;

/** KVM_GET_REGS. */
export function getRegs(cpu: Cpu): KvmRegs {
  const regs = { eax: 0, ebx: 0, ecx: 0, edx: 0, esi: 0, edi: 0, esp: 0, ebp: 0, eip: 0, eflags: 0 };
  readRegs(cpu, regs);
  return regs;
}

/** As {@link getRegs}, into a structure that is there already. */
export function readRegs(cpu: Cpu, regs: KvmRegs): void {
  const { gpr } = cpu;
  regs.eax = gpr[EAX] >>> 0;
  regs.ebx = gpr[EBX] >>> 0;
  regs.ecx = gpr[ECX] >>> 0;
  regs.edx = gpr[EDX] >>> 0;
  regs.esi = gpr[ESI] >>> 0;
  regs.edi = gpr[EDI] >>> 0;
  regs.esp = gpr[ESP] >>> 0;
  regs.ebp = gpr[EBP] >>> 0;
  regs.eip = cpu.eip >>> 0;
  regs.eflags = getEflags(cpu) >>> 0;
}

/** KVM_SET_REGS. An exception that waits for delivery is forgotten, as in KVM. */
export function setRegs(cpu: Cpu, regs: Readonly<KvmRegs>): void {
  const { gpr } = cpu;
  gpr[EAX] = regs.eax;
  gpr[EBX] = regs.ebx;
  gpr[ECX] = regs.ecx;
  gpr[EDX] = regs.edx;
  gpr[ESI] = regs.esi;
  gpr[EDI] = regs.edi;
  gpr[ESP] = regs.esp;
  gpr[EBP] = regs.ebp;
  cpu.eip = regs.eip | 0;
  setEflags(cpu, (regs.eflags & EFLAGS_MASK) | X86_EFLAGS_FIXED);
  cpu.queuedVector = -1;
  cpu.pendingDebugTrap = 0;
  cpu.fault = FAULT_NONE;
  // EFLAGS.VM
  cpu.selectTlb();
}

function getSegment(cpu: Cpu, seg: number): KvmSegment {
  const attr = cpu.segAttr[seg];
  return {
    base: cpu.segBase[seg] >>> 0,
    limit: cpu.segLimit[seg],
    selector: cpu.segSelector[seg],
    type: attr & 15,
    present: bit(attr, AR_P),
    dpl: (attr >> AR_DPL_SHIFT) & 3,
    db: bit(attr, AR_DB),
    s: bit(attr, AR_S),
    l: bit(attr, AR_L),
    g: bit(attr, AR_G),
    avl: bit(attr, AR_AVL),
    unusable: bit(attr, AR_UNUSABLE),
  };
}

function bit(attr: number, mask: number): number {
  return (attr & mask) !== 0 ? 1 : 0;
}

function setSegment(cpu: Cpu, seg: number, from: Readonly<KvmSegment>): void {
  const attr =
    (from.type & 15) |
    (from.s !== 0 ? AR_S : 0) |
    ((from.dpl & 3) << AR_DPL_SHIFT) |
    (from.present !== 0 ? AR_P : 0) |
    (from.avl !== 0 ? AR_AVL : 0) |
    (from.l !== 0 ? AR_L : 0) |
    (from.db !== 0 ? AR_DB : 0) |
    (from.g !== 0 ? AR_G : 0) |
    (from.unusable !== 0 ? AR_UNUSABLE : 0);
  cpu.setSegment(seg, from.selector & 0xffff, from.base | 0, from.limit >>> 0, attr);
}

/** KVM_GET_SREGS. */
export function getSregs(cpu: Cpu): KvmSregs {
  return {
    cs: getSegment(cpu, SEG_CS),
    ds: getSegment(cpu, SEG_DS),
    es: getSegment(cpu, SEG_ES),
    fs: getSegment(cpu, SEG_FS),
    gs: getSegment(cpu, SEG_GS),
    ss: getSegment(cpu, SEG_SS),
    tr: getSegment(cpu, SEG_TR),
    ldt: getSegment(cpu, SEG_LDTR),
    gdt: { base: cpu.gdtBase >>> 0, limit: cpu.gdtLimit },
    idt: { base: cpu.idtBase >>> 0, limit: cpu.idtLimit },
    cr0: cpu.cr0 >>> 0,
    cr2: cpu.cr2 >>> 0,
    cr3: cpu.cr3 >>> 0,
    cr4: cpu.cr4 >>> 0,
    cr8: 0,
    efer: cpu.efer >>> 0,
    apic_base: APIC_BASE_DEFAULT,
    interrupt_bitmap: [0, 0, 0, 0, 0, 0, 0, 0],
  };
}

/** Bits of IA32_APIC_BASE that must be 0: 7:0, 9, and 10 (x2APIC). */
const APIC_BASE_RESERVED = 0x6ff;
const CR8_MAX = 15;

/**
 * What this processor, which has no long mode, takes.
 *
 * @kvm kvm_is_valid_sregs(vcpu, sregs) arch/x86/kvm/x86.c
 */
export function kvmIsValidSregs(cpu: Cpu, sregs: Readonly<KvmSregs>): boolean {
  const { cr0 } = sregs;
  if ((cr0 & X86_CR0_PG) !== 0 && (cr0 & X86_CR0_PE) === 0) return false;
  if ((cr0 & X86_CR0_NW) !== 0 && (cr0 & X86_CR0_CD) === 0) return false;
  if (!isValidCr4(cpu, sregs.cr4) || !isValidEfer(cpu, sregs.efer) || sregs.cs.l !== 0) return false;
  return (sregs.apic_base & APIC_BASE_RESERVED) === 0 && sregs.cr8 >= 0 && sregs.cr8 <= CR8_MAX;
}

/**
 * KVM_SET_SREGS, the CPU's part. A change of the page-directory pointers in memory is picked up here too (KVM:
 * `load_pdptrs`; a bad table is not refused, the old pointers stay).
 *
 * @returns 0, or −EINVAL for what no processor takes; nothing has changed then.
 */
export function setSregs(cpu: Cpu, sregs: Readonly<KvmSregs>): number {
  if (!kvmIsValidSregs(cpu, sregs)) return -EINVAL;
  // First CR0: what a segment allows depends on PE.
  cpu.cr0 = sregs.cr0 | 0;
  cpu.cr2 = sregs.cr2 | 0;
  cpu.cr3 = sregs.cr3 | 0;
  cpu.cr4 = sregs.cr4 | 0;
  cpu.efer = sregs.efer | 0;
  if ((sregs.cr0 & X86_CR0_PG) !== 0 && (sregs.cr4 & X86_CR4_PAE) !== 0) loadPdptrs(cpu, cpu.cr3);
  cpu.flushTlb();
  setSegment(cpu, SEG_CS, sregs.cs);
  setSegment(cpu, SEG_DS, sregs.ds);
  setSegment(cpu, SEG_ES, sregs.es);
  setSegment(cpu, SEG_FS, sregs.fs);
  setSegment(cpu, SEG_GS, sregs.gs);
  setSegment(cpu, SEG_SS, sregs.ss);
  setSegment(cpu, SEG_TR, sregs.tr);
  setSegment(cpu, SEG_LDTR, sregs.ldt);
  cpu.gdtBase = sregs.gdt.base | 0;
  cpu.gdtLimit = sregs.gdt.limit & 0xffff;
  cpu.idtBase = sregs.idt.base | 0;
  cpu.idtLimit = sregs.idt.limit & 0xffff;
  cpu.raiseAttention();
  return 0;
}
