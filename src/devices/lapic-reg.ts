/**
 * Registers of the local APIC (Intel SDM vol. 3A, “Advanced Programmable Interrupt Controller (APIC)”, “Local APIC
 * Register Address Map”; Linux: arch/x86/include/asm/apicdef.h, arch/x86/kvm/lapic.h).
 *
 * Each register has 32 bits and stands at a multiple of 16 in the page at IA32_APIC_BASE; the 256-bit ones (ISR, TMR,
 * IRR) are eight such registers in a row, vector 0 in bit 0 of the first.
 */

/** Where the page stands after a reset. */
export const APIC_DEFAULT_PHYS_BASE = 0xfee0_0000;
export const LAPIC_MMIO_LENGTH = 0x1000;
/** Bytes of the page that hold registers: what KVM_GET_LAPIC copies. */
export const KVM_APIC_REG_SIZE = 0x400;

/** IA32_APIC_BASE. */
export const MSR_IA32_APICBASE_BSP = 1 << 8;
export const X2APIC_ENABLE = 1 << 10;
export const MSR_IA32_APICBASE_ENABLE = 1 << 11;

/** Offsets. */
export const APIC_ID = 0x20;
export const APIC_LVR = 0x30;
export const APIC_TASKPRI = 0x80;
export const APIC_ARBPRI = 0x90;
export const APIC_PROCPRI = 0xa0;
export const APIC_EOI = 0xb0;
export const APIC_RRR = 0xc0;
export const APIC_LDR = 0xd0;
export const APIC_DFR = 0xe0;
export const APIC_SPIV = 0xf0;
export const APIC_ISR = 0x100;
export const APIC_TMR = 0x180;
export const APIC_IRR = 0x200;
export const APIC_ESR = 0x280;
export const APIC_LVTCMCI = 0x2f0;
export const APIC_ICR = 0x300;
export const APIC_ICR2 = 0x310;
export const APIC_LVTT = 0x320;
export const APIC_LVTTHMR = 0x330;
export const APIC_LVTPC = 0x340;
export const APIC_LVT0 = 0x350;
export const APIC_LVT1 = 0x360;
export const APIC_LVTERR = 0x370;
export const APIC_TMICT = 0x380;
export const APIC_TMCCT = 0x390;
export const APIC_TDCR = 0x3e0;
export const APIC_SELF_IPI = 0x3f0;

/** Version of a Xeon's local APIC. */
export const APIC_VERSION = 0x14;
/** KVM: six; the seventh, CMCI, comes with MCG_CMCI_P alone, which nobody sets here. */
export const KVM_NR_LVT_ENTRIES = 6;

/** Spurious-interrupt vector register. */
export const APIC_SPIV_APIC_ENABLED = 1 << 8;
export const APIC_SPIV_DIRECTED_EOI = 1 << 12;
/** Vector, software enable, focus checking. KVM: no EOI suppression with an in-kernel IOAPIC, which has no EOI register. */
export const APIC_SPIV_WRITABLE = 0x3ff;

/** Values of the destination format register. */
export const APIC_DFR_CLUSTER = 0x0fff_ffff;
export const APIC_DFR_FLAT = 0xffff_ffff;
export const APIC_LDR_MASK = 0xff00_0000;
/** The destination that every local APIC takes as its own. */
export const APIC_BROADCAST = 0xff;

/**
 * Local vector table and interrupt command register.
 *
 * | bits  | meaning                                                       |
 * | ----- | ------------------------------------------------------------- |
 * | 7:0   | vector                                                        |
 * | 10:8  | delivery mode                                                 |
 * | 11    | ICR: logical destination                                      |
 * | 12    | delivery status (KVM: never set)                              |
 * | 13    | LINT: polarity (KVM: stored only)                             |
 * | 14    | LINT: remote IRR (KVM: stored only); ICR: assert              |
 * | 15    | level-triggered                                               |
 * | 16    | LVT: mask                                                     |
 * | 18:17 | timer: one-shot, periodic, TSC deadline                       |
 * | 19:18 | ICR: destination shorthand                                    |
 */
export const APIC_VECTOR_MASK = 0xff;
export const APIC_MODE_MASK = 0x700;
export const APIC_DEST_LOGICAL = 1 << 11;
export const APIC_SEND_PENDING = 1 << 12;
export const APIC_ICR_BUSY = 1 << 12;
export const APIC_INPUT_POLARITY = 1 << 13;
export const APIC_LVT_REMOTE_IRR = 1 << 14;
export const APIC_INT_ASSERT = 1 << 14;
export const APIC_LVT_LEVEL_TRIGGER = 1 << 15;
export const APIC_INT_LEVELTRIG = 1 << 15;
export const APIC_LVT_MASKED = 1 << 16;
export const APIC_LVT_TIMER_ONESHOT = 0 << 17;
export const APIC_LVT_TIMER_PERIODIC = 1 << 17;
export const APIC_LVT_TIMER_TSCDEADLINE = 2 << 17;
export const APIC_LVT_TIMER_MODE_MASK = 3 << 17;
export const APIC_SHORT_MASK = 3 << 18;

/** Delivery modes, in place. */
export const APIC_DM_FIXED = 0x000;
export const APIC_DM_LOWEST = 0x100;
export const APIC_DM_SMI = 0x200;
/** KVM: wakes a processor from HLT (a paravirtual lock's kick); reserved in the SDM. */
export const APIC_DM_REMRD = 0x300;
export const APIC_DM_NMI = 0x400;
export const APIC_DM_INIT = 0x500;
export const APIC_DM_STARTUP = 0x600;
export const APIC_DM_EXTINT = 0x700;

/** Destination shorthands, in place. */
export const APIC_DEST_NOSHORT = 0 << 18;
export const APIC_DEST_SELF = 1 << 18;
export const APIC_DEST_ALLINC = 2 << 18;
export const APIC_DEST_ALLBUT = 3 << 18;

/** Divide configuration: bits 3, 1 and 0. */
export const APIC_TDCR_WRITABLE = 0xb;

const LVT_MASK = APIC_LVT_MASKED | APIC_SEND_PENDING | APIC_VECTOR_MASK;
const LINT_MASK =
  LVT_MASK | APIC_MODE_MASK | APIC_INPUT_POLARITY | APIC_LVT_REMOTE_IRR | APIC_LVT_LEVEL_TRIGGER;

/** Bits that exist, by LVT entry from APIC_LVTT on; the timer has its mode besides. */
export const APIC_LVT_WRITABLE: readonly number[] = [
  LVT_MASK | APIC_LVT_TIMER_MODE_MASK,
  LVT_MASK | APIC_MODE_MASK,
  LVT_MASK | APIC_MODE_MASK,
  LINT_MASK,
  LINT_MASK,
  LVT_MASK,
];

const READABLE = [
  APIC_ID,
  APIC_LVR,
  APIC_TASKPRI,
  APIC_ARBPRI,
  APIC_PROCPRI,
  APIC_LDR,
  APIC_DFR,
  APIC_SPIV,
  ...Array.from({ length: 8 }, (_, i) => APIC_ISR + 16 * i),
  ...Array.from({ length: 8 }, (_, i) => APIC_TMR + 16 * i),
  ...Array.from({ length: 8 }, (_, i) => APIC_IRR + 16 * i),
  APIC_ESR,
  APIC_ICR,
  APIC_ICR2,
  APIC_LVTT,
  APIC_LVTTHMR,
  APIC_LVTPC,
  APIC_LVT0,
  APIC_LVT1,
  APIC_LVTERR,
  APIC_TMICT,
  APIC_TMCCT,
  APIC_TDCR,
];

/** 1 for each register, by offset / 16, that can be read; the others are reserved or write-only. */
export const APIC_REG_READABLE = new Uint8Array(64);
for (const offset of READABLE) APIC_REG_READABLE[offset >> 4] = 1;
