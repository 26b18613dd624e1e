/**
 * Interrupts that arrive at a local APIC, and those it sends (Linux: arch/x86/kvm/lapic.c; Intel SDM vol. 3A, “Local
 * Vector Table”, “Interrupt Command Register (ICR)”).
 */

import { kvmLapicSetIrr } from './lapic-priority.ts';
import {
  APIC_DEST_LOGICAL,
  APIC_DM_EXTINT,
  APIC_DM_FIXED,
  APIC_DM_INIT,
  APIC_DM_LOWEST,
  APIC_DM_NMI,
  APIC_DM_REMRD,
  APIC_DM_STARTUP,
  APIC_INT_ASSERT,
  APIC_INT_LEVELTRIG,
  APIC_LVT_LEVEL_TRIGGER,
  APIC_LVT_MASKED,
  APIC_LVT0,
  APIC_LVTPC,
  APIC_MODE_MASK,
  APIC_SHORT_MASK,
  APIC_SPIV,
  APIC_SPIV_APIC_ENABLED,
  APIC_TMR,
  APIC_VECTOR_MASK,
} from './lapic-reg.ts';
import {
  KVM_APIC_INIT,
  KVM_APIC_SIPI,
  type KvmLapic,
  type KvmLapicIrq,
  kvmApicHwEnabled,
  kvmLapicGetReg,
  kvmLapicSetReg,
} from './lapic-state.ts';
import { apicClearVector, apicSetVector } from './lapic-vectors.ts';

/** SVR bit 8. @kvm kvm_apic_sw_enabled(apic) arch/x86/kvm/lapic.h */
export function kvmApicSwEnabled(apic: KvmLapic): boolean {
  return (kvmLapicGetReg(apic, APIC_SPIV) & APIC_SPIV_APIC_ENABLED) !== 0;
}

/** On, and enabled by software. @kvm apic_enabled(apic) arch/x86/kvm/lapic.c */
export function apicEnabled(apic: KvmLapic): boolean {
  return kvmApicSwEnabled(apic) && kvmApicHwEnabled(apic);
}

/**
 * An interrupt has arrived.
 *
 * KVM: no vector is illegal (0–15 waits in IRR for ever), and an interrupt that already waits counts as taken.
 *
 * @param trigMode non-zero: level-triggered.
 * @returns 1 taken, 0 dropped.
 * @kvm __apic_accept_irq(apic, delivery_mode, vector, level, trig_mode, rtc_status) arch/x86/kvm/lapic.c (as: RTC followed by count)
 */
export function __apicAcceptIrq(
  apic: KvmLapic,
  deliveryMode: number,
  vector: number,
  level: boolean,
  trigMode: number,
): number {
  const s = apic.state;
  const { trace } = apic.kvm;
  if (trace !== null) trace.apicAcceptIrq(apic.vcpu.id, deliveryMode, trigMode, vector);
  switch (deliveryMode) {
    case APIC_DM_LOWEST:
    case APIC_DM_FIXED:
      if (deliveryMode === APIC_DM_LOWEST) s.apic_arb_prio++;
      if ((trigMode !== 0 && !level) || !apicEnabled(apic)) return 0;
      if (trigMode !== 0) apicSetVector(s.regs, APIC_TMR, vector);
      else apicClearVector(s.regs, APIC_TMR, vector);
      kvmLapicSetIrr(vector, apic);
      apic.vcpu.kick();
      return 1;
    case APIC_DM_REMRD:
      s.pv_unhalted = true;
      apic.vcpu.kick();
      return 1;
    case APIC_DM_NMI:
      apic.vcpu.injectNmi();
      return 1;
    case APIC_DM_INIT:
      // A level de-assert only synchronised arbitration on processors that had it.
      if (trigMode !== 0 && !level) return 0;
      s.pending_events = KVM_APIC_INIT;
      apic.vcpu.kick();
      return 1;
    case APIC_DM_STARTUP:
      s.sipi_vector = vector;
      s.pending_events |= KVM_APIC_SIPI;
      apic.vcpu.kick();
      return 1;
    case APIC_DM_EXTINT:
      // kvmApicAcceptPicIntr looks after LVT0.
      return 0;
    default:
      // SMI: a kernel without CONFIG_KVM_SMM takes none.
      return 0;
  }
}

/** @returns 1 taken, 0 dropped. @kvm kvm_apic_set_irq(vcpu, irq, rtc_status) arch/x86/kvm/lapic.c */
export function kvmApicSetIrq(apic: KvmLapic, irq: Readonly<KvmLapicIrq>): number {
  return apic.kvm.fn.__apicAcceptIrq(apic, irq.delivery_mode, irq.vector, irq.level, irq.trig_mode);
}

/**
 * An event inside the local APIC, or at a LINT pin: its LVT entry says what becomes of it.
 *
 * @param lvtType offset of the entry.
 * @returns 1 taken, 0 masked or dropped.
 * @kvm kvm_apic_local_deliver(apic, lvt_type) arch/x86/kvm/lapic.c
 */
export function kvmApicLocalDeliver(apic: KvmLapic, lvtType: number): number {
  const reg = kvmLapicGetReg(apic, lvtType);
  if (!kvmApicHwEnabled(apic) || (reg & APIC_LVT_MASKED) !== 0) return 0;
  const r = apic.kvm.fn.__apicAcceptIrq(
    apic,
    reg & APIC_MODE_MASK,
    reg & APIC_VECTOR_MASK,
    true,
    reg & APIC_LVT_LEVEL_TRIGGER,
  );
  if (r !== 0 && lvtType === APIC_LVTPC) kvmLapicSetReg(apic, APIC_LVTPC, reg | APIC_LVT_MASKED);
  return r;
}

/**
 * A tick of the PIT, for an LVT0 in NMI mode.
 *
 * @kvm kvm_apic_nmi_wd_deliver(vcpu) arch/x86/kvm/lapic.c
 */
export function kvmApicNmiWdDeliver(apic: KvmLapic): void {
  apic.kvm.fn.kvmApicLocalDeliver(apic, APIC_LVT0);
}

/** @kvm kvm_icr_to_lapic_irq(apic, icr_low, icr_high, irq) arch/x86/kvm/lapic.c */
export function kvmIcrToLapicIrq(_apic: KvmLapic, icrLow: number, icrHigh: number, irq: KvmLapicIrq): void {
  irq.vector = icrLow & APIC_VECTOR_MASK;
  irq.delivery_mode = icrLow & APIC_MODE_MASK;
  irq.dest_mode = icrLow & APIC_DEST_LOGICAL;
  irq.level = (icrLow & APIC_INT_ASSERT) !== 0;
  irq.trig_mode = icrLow & APIC_INT_LEVELTRIG;
  irq.shorthand = icrLow & APIC_SHORT_MASK;
  irq.dest_id = icrHigh >>> 24;
  irq.msi_redir_hint = false;
}

/**
 * A write to the ICR. A message for a processor that is not there vanishes; KVM sets no error.
 *
 * @kvm kvm_apic_send_ipi(apic, icr_low, icr_high) arch/x86/kvm/lapic.c
 */
export function kvmApicSendIpi(apic: KvmLapic, icrLow: number, icrHigh: number): void {
  const { kvm, ipi } = apic;
  kvmIcrToLapicIrq(apic, icrLow, icrHigh, ipi);
  if (kvm.trace !== null) kvm.trace.apicIpi(icrLow, ipi.dest_id);
  kvm.fn.kvmIrqDeliveryToApic(kvm, apic, ipi);
}
