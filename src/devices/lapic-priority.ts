/**
 * Priorities of the local APIC: which interrupt the processor gets next, and its end (Linux: arch/x86/kvm/lapic.c;
 * Intel SDM vol. 3A, “Interrupt, Task, and Processor Priority”, “Signaling Interrupt Servicing Completion”).
 *
 * A vector waits in IRR, moves to ISR when it is delivered, and leaves at its EOI. The upper four bits of a vector are
 * its class; only a class above that of PPR is delivered.
 */
import {
  APIC_DM_EXTINT,
  APIC_IRR,
  APIC_ISR,
  APIC_LVT_MASKED,
  APIC_LVT0,
  APIC_MODE_MASK,
  APIC_PROCPRI,
  APIC_SPIV,
  APIC_SPIV_DIRECTED_EOI,
  APIC_TASKPRI,
  APIC_TMR,
} from './lapic-reg.ts';
import { type KvmLapic, kvmApicHwEnabled, kvmLapicGetReg, kvmLapicSetReg } from './lapic-state.ts';
import { apicClearVector, apicFindHighestVector, apicSetVector, apicTestVector } from './lapic-vectors.ts';

const CLASS_MASK = 0xf0;

/** A vector waits. @kvm kvm_lapic_set_irr(vec, apic) arch/x86/kvm/lapic.h */
export function kvmLapicSetIrr(vec: number, apic: KvmLapic): void {
  apicSetVector(apic.state.regs, APIC_IRR, vec);
  apic.state.irr_pending = true;
}

/** @returns the highest vector that waits, −1 for none. @kvm apic_find_highest_irr(apic) arch/x86/kvm/lapic.c */
export function apicFindHighestIrr(apic: KvmLapic): number {
  return apic.state.irr_pending ? apicFindHighestVector(apic.state.regs, APIC_IRR) : -1;
}

/** @kvm apic_clear_irr(vec, apic) arch/x86/kvm/lapic.c */
export function apicClearIrr(vec: number, apic: KvmLapic): void {
  const s = apic.state;
  apicClearVector(s.regs, APIC_IRR, vec);
  s.irr_pending = apicFindHighestVector(s.regs, APIC_IRR) >= 0;
}

/** Whether a vector waits or is in service. @kvm kvm_apic_pending_eoi(vcpu, vector) arch/x86/kvm/lapic.c */
export function kvmApicPendingEoi(apic: KvmLapic, vector: number): boolean {
  const { regs } = apic.state;
  return apicTestVector(regs, APIC_ISR, vector) || apicTestVector(regs, APIC_IRR, vector);
}

/**
 * PPR ← the higher of TPR and the class in service.
 *
 * @returns the new PPR.
 * @kvm __apic_update_ppr(apic, new_ppr) arch/x86/kvm/lapic.c (as: PPR returned)
 */
export function __apicUpdatePpr(apic: KvmLapic): number {
  const tpr = kvmLapicGetReg(apic, APIC_TASKPRI);
  const isr = apicFindHighestVector(apic.state.regs, APIC_ISR);
  const inService = isr < 0 ? 0 : isr & CLASS_MASK;
  const ppr = (tpr & CLASS_MASK) >= inService ? tpr & 0xff : inService;
  kvmLapicSetReg(apic, APIC_PROCPRI, ppr);
  return ppr;
}

/**
 * PPR again, after TPR or ISR changed. What that lets through is found at the next VM entry.
 *
 * @kvm apic_update_ppr(apic) arch/x86/kvm/lapic.c
 */
export function apicUpdatePpr(apic: KvmLapic): void {
  apic.kvm.fn.__apicUpdatePpr(apic);
}

/**
 * @returns the highest vector that waits, when its class is above PPR; else −1.
 * @kvm apic_has_interrupt_for_ppr(apic, ppr) arch/x86/kvm/lapic.c
 */
export function apicHasInterruptForPpr(apic: KvmLapic, ppr: number): number {
  const highest = apicFindHighestIrr(apic);
  // KVM: compared with all of PPR, so TPR[3:0] ≠ 0 changes nothing: a class is a multiple of 16.
  return highest < 0 || (highest & CLASS_MASK) <= ppr ? -1 : highest;
}

/** @kvm apic_set_tpr(apic, tpr) arch/x86/kvm/lapic.c */
export function apicSetTpr(apic: KvmLapic, tpr: number): void {
  kvmLapicSetReg(apic, APIC_TASKPRI, tpr & 0xff);
  apic.kvm.fn.apicUpdatePpr(apic);
}

/** CR8 is TPR[7:4]. @kvm kvm_lapic_set_tpr(vcpu, cr8) arch/x86/kvm/lapic.c */
export function kvmLapicSetTpr(apic: KvmLapic, cr8: number): void {
  apicSetTpr(apic, (cr8 & 0x0f) << 4);
}

/** @kvm kvm_lapic_get_cr8(vcpu) arch/x86/kvm/lapic.c */
export function kvmLapicGetCr8(apic: KvmLapic): number {
  return (kvmLapicGetReg(apic, APIC_TASKPRI) & CLASS_MASK) >> 4;
}

/**
 * @returns the vector that the processor gets next, −1 for none.
 * @kvm kvm_apic_has_interrupt(vcpu) arch/x86/kvm/lapic.c
 */
export function kvmApicHasInterrupt(apic: KvmLapic): number {
  if (!kvmApicHwEnabled(apic)) return -1;
  const { fn } = apic.kvm;
  return fn.apicHasInterruptForPpr(apic, fn.__apicUpdatePpr(apic));
}

/**
 * The processor takes `vector`: from IRR to ISR.
 *
 * @kvm kvm_apic_ack_interrupt(vcpu, vector) arch/x86/kvm/lapic.c
 */
export function kvmApicAckInterrupt(apic: KvmLapic, vector: number): void {
  apicClearIrr(vector, apic);
  apicSetVector(apic.state.regs, APIC_ISR, vector);
  apic.kvm.fn.__apicUpdatePpr(apic);
}

/**
 * Whether the PIC's INTR gets to the processor: LVT0 is open and in ExtINT mode, or the local APIC is off. KVM: the
 * software enable bit does not matter.
 *
 * @returns 1 or 0.
 * @kvm kvm_apic_accept_pic_intr(vcpu) arch/x86/kvm/lapic.c
 */
export function kvmApicAcceptPicIntr(apic: KvmLapic): number {
  if (!kvmApicHwEnabled(apic)) return 1;
  return (kvmLapicGetReg(apic, APIC_LVT0) & (APIC_LVT_MASKED | APIC_MODE_MASK)) === APIC_DM_EXTINT ? 1 : 0;
}

/**
 * Tells the IOAPIC, if it wants to know, that `vector` has ended.
 *
 * @kvm kvm_ioapic_send_eoi(apic, vector) arch/x86/kvm/lapic.c
 */
export function kvmIoapicSendEoi(apic: KvmLapic, vector: number): void {
  const { ioapic } = apic.kvm;
  const { regs, ioapic_handled_vectors } = apic.state;
  if (ioapic === null || ((ioapic_handled_vectors[vector >> 5] >>> (vector & 31)) & 1) === 0) return;
  const directedEoi = (kvmLapicGetReg(apic, APIC_SPIV) & APIC_SPIV_DIRECTED_EOI) !== 0;
  ioapic.updateEoi(vector, apicTestVector(regs, APIC_TMR, vector) ? 1 : 0, directedEoi);
}

/**
 * A write to the EOI register: the highest vector in service ends.
 *
 * @returns that vector, −1 when none is.
 * @kvm apic_set_eoi(apic) arch/x86/kvm/lapic.c
 */
export function apicSetEoi(apic: KvmLapic): number {
  const { regs } = apic.state;
  const { fn, trace } = apic.kvm;
  const vector = apicFindHighestVector(regs, APIC_ISR);
  if (trace !== null) trace.eoi(apic.vcpu.id, vector);
  if (vector < 0) return vector;
  apicClearVector(regs, APIC_ISR, vector);
  fn.apicUpdatePpr(apic);
  fn.kvmIoapicSendEoi(apic, vector);
  return vector;
}
