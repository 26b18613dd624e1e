/**
 * Tracepoints that nobody listens to: the base of listeners that want only a few of them.
 */
import type { KvmTracepoints } from '../emulate/kvm-vcpu.ts';

/** Every event vanishes. */
export class SilentTracepoints implements KvmTracepoints {
  kvm_pio(_write: boolean, _port: number, _size: number, _count: number, _val: number): void {}
  kvm_exit(): void {}
  kvm_entry(): void {}
  kvm_userspace_exit(): void {}
  kvm_emulate_insn(): void {}
  kvm_inj_exception(): void {}
  kvm_inj_virq(): void {}
  kvm_set_irq(): void {}
  kvm_pic_set_irq(): void {}
  kvm_ioapic_set_irq(): void {}
  kvm_ioapic_delayed_eoi_inj(): void {}
  kvm_ack_irq(): void {}
  kvm_apic(_isWrite: boolean, _reg: number, _val: number): void {}
  kvm_apic_ipi(): void {}
  kvm_apic_accept_irq(): void {}
  kvm_eoi(): void {}
  kvm_msi_set_irq(): void {}
}
