/**
 * Several listeners on the same tracepoints.
 */
import type { KvmTracepoints } from '../emulate/kvm-vcpu.ts';

/** Passes every event to two listeners, `first` first. */
export class TracepointFan implements KvmTracepoints {
  readonly #first: KvmTracepoints;
  readonly #second: KvmTracepoints;

  constructor(first: KvmTracepoints, second: KvmTracepoints) {
    this.#first = first;
    this.#second = second;
  }

  kvm_pio(write: boolean, port: number, size: number, count: number, val: number): void {
    this.#first.kvm_pio(write, port, size, count, val);
    this.#second.kvm_pio(write, port, size, count, val);
  }

  kvm_exit(exitReason: number, rip: number, info1: number, info2: number): void {
    this.#first.kvm_exit(exitReason, rip, info1, info2);
    this.#second.kvm_exit(exitReason, rip, info1, info2);
  }

  kvm_entry(rip: number): void {
    this.#first.kvm_entry(rip);
    this.#second.kvm_entry(rip);
  }

  kvm_userspace_exit(reason: number, errno: number): void {
    this.#first.kvm_userspace_exit(reason, errno);
    this.#second.kvm_userspace_exit(reason, errno);
  }

  kvm_emulate_insn(csBase: number, rip: number, bytes: Uint8Array, failed: boolean): void {
    this.#first.kvm_emulate_insn(csBase, rip, bytes, failed);
    this.#second.kvm_emulate_insn(csBase, rip, bytes, failed);
  }

  kvm_inj_exception(vector: number, hasErrorCode: boolean, errorCode: number): void {
    this.#first.kvm_inj_exception(vector, hasErrorCode, errorCode);
    this.#second.kvm_inj_exception(vector, hasErrorCode, errorCode);
  }

  kvm_inj_virq(vector: number): void {
    this.#first.kvm_inj_virq(vector);
    this.#second.kvm_inj_virq(vector);
  }

  kvm_set_irq(gsi: number, level: number, sourceId: number): void {
    this.#first.kvm_set_irq(gsi, level, sourceId);
    this.#second.kvm_set_irq(gsi, level, sourceId);
  }

  kvm_pic_set_irq(chip: number, pin: number, elcr: number, imr: number, coalesced: boolean): void {
    this.#first.kvm_pic_set_irq(chip, pin, elcr, imr, coalesced);
    this.#second.kvm_pic_set_irq(chip, pin, elcr, imr, coalesced);
  }

  kvm_ioapic_set_irq(low: number, high: number, pin: number, coalesced: boolean): void {
    this.#first.kvm_ioapic_set_irq(low, high, pin, coalesced);
    this.#second.kvm_ioapic_set_irq(low, high, pin, coalesced);
  }

  kvm_ioapic_delayed_eoi_inj(low: number, high: number): void {
    this.#first.kvm_ioapic_delayed_eoi_inj(low, high);
    this.#second.kvm_ioapic_delayed_eoi_inj(low, high);
  }

  kvm_ack_irq(irqchip: number, pin: number): void {
    this.#first.kvm_ack_irq(irqchip, pin);
    this.#second.kvm_ack_irq(irqchip, pin);
  }

  kvm_apic(isWrite: boolean, reg: number, val: number): void {
    this.#first.kvm_apic(isWrite, reg, val);
    this.#second.kvm_apic(isWrite, reg, val);
  }

  kvm_apic_ipi(icrLow: number, destId: number): void {
    this.#first.kvm_apic_ipi(icrLow, destId);
    this.#second.kvm_apic_ipi(icrLow, destId);
  }

  kvm_apic_accept_irq(apicid: number, deliveryMode: number, trigMode: number, vector: number): void {
    this.#first.kvm_apic_accept_irq(apicid, deliveryMode, trigMode, vector);
    this.#second.kvm_apic_accept_irq(apicid, deliveryMode, trigMode, vector);
  }

  kvm_eoi(apicid: number, vector: number): void {
    this.#first.kvm_eoi(apicid, vector);
    this.#second.kvm_eoi(apicid, vector);
  }

  kvm_msi_set_irq(address: number, data: number): void {
    this.#first.kvm_msi_set_irq(address, data);
    this.#second.kvm_msi_set_irq(address, data);
  }
}
