/**
 * The in-kernel interrupt controllers as the processor sees them: first the PIC, where LVT0 lets it through, then the
 * local APIC (Linux: arch/x86/kvm/irq.c).
 *
 * All of it answers “nothing” for a vCPU without an in-kernel local APIC.
 */
import type { Vcpu } from './vcpu.ts';

/** @returns 1 while the PIC asks for an interrupt and gets through. @kvm kvm_cpu_has_extint(v) arch/x86/kvm/irq.c */
export function kvmCpuHasExtint(vcpu: Vcpu): number {
  const { apic } = vcpu;
  const { pic } = vcpu.kvm;
  return pic !== null && apic !== null && pic.output !== 0 ? apic.kvm.fn.kvmApicAcceptPicIntr(apic) : 0;
}

/**
 * Whether an interrupt waits that IF = 1 would let in. Asked before every VM entry: two loads when nothing does.
 *
 * @kvm kvm_cpu_has_interrupt(v) arch/x86/kvm/irq.c
 */
export function kvmCpuHasInterrupt(vcpu: Vcpu): boolean {
  const { apic } = vcpu;
  if (apic === null) return false;
  if (kvmCpuHasExtint(vcpu) !== 0) return true;
  return apic.state.irr_pending && apic.kvm.fn.kvmApicHasInterrupt(apic) >= 0;
}

/** The PIC's INTA cycle. @returns the vector, −1 for none. @kvm kvm_cpu_get_extint(v) arch/x86/kvm/irq.c */
export function kvmCpuGetExtint(vcpu: Vcpu): number {
  const { pic } = vcpu.kvm;
  return pic !== null && kvmCpuHasExtint(vcpu) !== 0 ? pic.readIrq() : -1;
}

/**
 * Takes the interrupt that comes next.
 *
 * @returns its vector, −1 for none.
 * @kvm kvm_cpu_get_interrupt(v) arch/x86/kvm/irq.c
 */
export function kvmCpuGetInterrupt(vcpu: Vcpu): number {
  const extint = kvmCpuGetExtint(vcpu);
  const { apic } = vcpu;
  if (extint >= 0 || apic === null) return extint;
  const { fn } = apic.kvm;
  const vector = fn.kvmApicHasInterrupt(apic);
  if (vector >= 0) fn.kvmApicAckInterrupt(apic, vector);
  return vector;
}

/** @returns 1 when the local APIC's timer has an interrupt to send. @kvm kvm_cpu_has_pending_timer(vcpu) arch/x86/kvm/irq.c */
export function kvmCpuHasPendingTimer(vcpu: Vcpu): number {
  const { apic } = vcpu;
  return apic !== null && apic.state.timer_pending !== 0 ? apic.kvm.fn.apicHasPendingTimer(apic) : 0;
}

/** @kvm kvm_inject_pending_timer_irqs(vcpu) arch/x86/kvm/irq.c */
export function kvmInjectPendingTimerIrqs(vcpu: Vcpu): void {
  const { apic } = vcpu;
  if (apic !== null) apic.kvm.fn.kvmInjectApicTimerIrqs(apic);
}
