/**
 * KVM's tracepoints as records with the kernel's field names (Linux 6.12: arch/x86/kvm/trace.h,
 * include/trace/events/kvm.h, TP_STRUCT__entry), for listeners that treat all of them alike.
 */
import type { KvmTracepoints } from '../emulate/kvm-vcpu.ts';

/** Name of a tracepoint. */
export type TracepointName = keyof KvmTracepoints;

/** Fields of one event, in the kernel's order. */
export type TracepointFields = Readonly<Record<string, number | bigint>>;

/** Fields that each tracepoint has. */
export const TRACEPOINT_FIELDS: Readonly<Record<TracepointName, readonly string[]>> = {
  kvm_pio: ['rw', 'port', 'size', 'count', 'val'],
  kvm_exit: ['exit_reason', 'guest_rip', 'isa', 'info1', 'info2', 'intr_info', 'error_code', 'vcpu_id'],
  kvm_entry: ['vcpu_id', 'rip'],
  kvm_userspace_exit: ['reason', 'errno'],
  kvm_emulate_insn: ['rip', 'csbase', 'len', 'flags', 'failed'],
  kvm_inj_exception: ['exception', 'has_error', 'error_code'],
  kvm_inj_virq: ['vector'],
  kvm_set_irq: ['gsi', 'level', 'irq_source_id'],
  kvm_pic_set_irq: ['chip', 'pin', 'elcr', 'imr', 'coalesced'],
  kvm_ioapic_set_irq: ['e', 'pin', 'coalesced'],
  kvm_ioapic_delayed_eoi_inj: ['e'],
  kvm_ack_irq: ['irqchip', 'pin'],
  kvm_apic: ['rw', 'reg', 'val'],
  kvm_apic_ipi: ['icr_low', 'dest_id'],
  kvm_apic_accept_irq: ['apicid', 'dm', 'tm', 'vec'],
  kvm_eoi: ['apicid', 'vector'],
  kvm_msi_set_irq: ['address', 'data'],
};

const VCPU_ID = 0;
/** KVM_ISA_VMX. */
const ISA_VMX = 1;

/** A redirection entry as the kernel's signed 64 bits. */
function entry64(low: number, high: number): bigint {
  return BigInt.asIntN(64, (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0));
}

/** Tracepoints that hand every event to `fire`. */
export function recordTracepoints(
  fire: (name: TracepointName, fields: TracepointFields) => void,
): KvmTracepoints {
  return {
    kvm_pio: (write, port, size, count, val) =>
      fire('kvm_pio', { rw: write ? 1 : 0, port, size, count, val: val >>> 0 }),
    kvm_exit: (exit_reason, guest_rip, info1, info2) =>
      fire('kvm_exit', {
        exit_reason,
        guest_rip,
        isa: ISA_VMX,
        info1: info1 >>> 0,
        info2: info2 >>> 0,
        intr_info: 0,
        error_code: 0,
        vcpu_id: VCPU_ID,
      }),
    kvm_entry: (rip) => fire('kvm_entry', { vcpu_id: VCPU_ID, rip }),
    kvm_userspace_exit: (reason, errno) => fire('kvm_userspace_exit', { reason, errno }),
    kvm_emulate_insn: (csbase, rip, bytes, failed) =>
      fire('kvm_emulate_insn', {
        rip,
        csbase: csbase >>> 0,
        len: bytes.length,
        flags: 0,
        failed: failed ? 1 : 0,
      }),
    kvm_inj_exception: (exception, hasError, error_code) =>
      fire('kvm_inj_exception', { exception, has_error: hasError ? 1 : 0, error_code }),
    kvm_inj_virq: (vector) => fire('kvm_inj_virq', { vector }),
    kvm_set_irq: (gsi, level, irq_source_id) => fire('kvm_set_irq', { gsi, level, irq_source_id }),
    kvm_pic_set_irq: (chip, pin, elcr, imr, coalesced) =>
      fire('kvm_pic_set_irq', { chip, pin, elcr, imr, coalesced: coalesced ? 1 : 0 }),
    kvm_ioapic_set_irq: (low, high, pin, coalesced) =>
      fire('kvm_ioapic_set_irq', { e: entry64(low, high), pin, coalesced: coalesced ? 1 : 0 }),
    kvm_ioapic_delayed_eoi_inj: (low, high) => fire('kvm_ioapic_delayed_eoi_inj', { e: entry64(low, high) }),
    kvm_ack_irq: (irqchip, pin) => fire('kvm_ack_irq', { irqchip, pin }),
    kvm_apic: (isWrite, reg, val) => fire('kvm_apic', { rw: isWrite ? 1 : 0, reg, val }),
    kvm_apic_ipi: (icr_low, dest_id) => fire('kvm_apic_ipi', { icr_low, dest_id }),
    kvm_apic_accept_irq: (apicid, dm, tm, vec) => fire('kvm_apic_accept_irq', { apicid, dm, tm, vec }),
    kvm_eoi: (apicid, vector) => fire('kvm_eoi', { apicid, vector }),
    kvm_msi_set_irq: (address, data) => fire('kvm_msi_set_irq', { address, data }),
  };
}
