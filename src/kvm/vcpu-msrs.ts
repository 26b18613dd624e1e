/**
 * Model-specific registers: KVM's own, and for KVM_GET_MSRS and KVM_SET_MSRS the processor's too (Linux: arch/x86/kvm/x86.c,
 * `kvm_get_msr_common`, `kvm_set_msr_common`; Intel SDM vol. 4, “IA-32 Architectural MSRs”).
 */
import type { Cpu } from '../cpu/cpu.ts';
import type { CpuModel } from '../cpu/cpu-model.ts';
import * as msrs from '../cpu/msrs.ts';
import { FEATURE_TSC_DEADLINE } from '../decoder/features.ts';
import type { KvmMsrs } from '../emulate/kvm-vcpu.ts';
import type { Vcpu } from './vcpu.ts';

export const MSR_IA32_APICBASE = 0x1b;
export const MSR_IA32_TSC_DEADLINE = 0x6e0;

const TWO_32 = 0x1_0000_0000;

/** `msrs_to_save` and `emulated_msrs`, as far as pio86 has them: IA32_EFER and IA32_APIC_BASE are in `kvm_sregs` instead. */
const SAVED: readonly number[] = [
  msrs.MSR_IA32_SYSENTER_CS,
  msrs.MSR_IA32_SYSENTER_ESP,
  msrs.MSR_IA32_SYSENTER_EIP,
  msrs.MSR_IA32_TSC,
  msrs.MSR_TSC_AUX,
  MSR_IA32_TSC_DEADLINE,
];

/** KVM_GET_MSR_INDEX_LIST of a processor. */
export function msrIndexList(model: CpuModel): number[] {
  const isThere = (index: number): boolean =>
    index === MSR_IA32_TSC_DEADLINE ? hasTscDeadline(model) : msrs.modelHasMsr(model, index);
  return SAVED.filter(isThere).map((index) => index >>> 0);
}

function hasTscDeadline(model: CpuModel): boolean {
  return (model.features & FEATURE_TSC_DEADLINE) !== 0;
}

/** A vCPU's registers. */
export class VcpuMsrs implements KvmMsrs {
  low = 0;
  high = 0;
  readonly #vcpu: Vcpu;
  readonly #cpu: Cpu;

  constructor(vcpu: Vcpu) {
    this.#vcpu = vcpu;
    this.#cpu = vcpu.cpu;
  }

  get(index: number): number {
    const { apic } = this.#vcpu;
    switch (index) {
      case MSR_IA32_APICBASE:
        return this.#answer(this.#vcpu.apicBase);
      case MSR_IA32_TSC_DEADLINE:
        if (!hasTscDeadline(this.#cpu.model)) return 1;
        return this.#answer(apic === null ? 0 : apic.kvm.fn.kvmGetLapicTscdeadlineMsr(apic));
      default:
        return this.#getOfProcessor(index | 0);
    }
  }

  /** Only userspace comes here: the guest's RDMSR does not leave for these. */
  #getOfProcessor(index: number): number {
    if (!msrs.holdsMsr(this.#cpu, index)) return 1;
    // Between two runs the time is the clock's.
    if (index === msrs.MSR_IA32_TSC) return this.#answer(this.#vcpu.kvm.clock.ticks + this.#cpu.tscOffset);
    return this.#answer(msrs.readMsr(this.#cpu, index));
  }

  #answer(value: number): number {
    this.low = value | 0;
    this.high = Math.floor(value / TWO_32) | 0;
    return 0;
  }

  set(index: number, low: number, high: number): number {
    const { apic } = this.#vcpu;
    switch (index) {
      case MSR_IA32_APICBASE:
        return this.#vcpu.setApicBase((high >>> 0) * TWO_32 + (low >>> 0), false);
      case MSR_IA32_TSC_DEADLINE:
        if (!hasTscDeadline(this.#cpu.model)) return 1;
        if (apic !== null) apic.kvm.fn.kvmSetLapicTscdeadlineMsr(apic, msrs.countOf(low, high));
        return 0;
      default:
        return this.#setOfProcessor(index | 0, low | 0, high | 0);
    }
  }

  #setOfProcessor(index: number, low: number, high: number): number {
    if (!msrs.holdsMsr(this.#cpu, index)) return 1;
    if (index === msrs.MSR_IA32_TSC) {
      this.#cpu.tscOffset = msrs.countOf(low, high) - this.#vcpu.kvm.clock.ticks;
      return 0;
    }
    return msrs.writeMsr(this.#cpu, index, low, high) ? 0 : 1;
  }
}
