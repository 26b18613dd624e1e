/**
 * Model-specific registers that are KVM's and not the processor's (Linux: arch/x86/kvm/x86.c, `kvm_get_msr_common`,
 * `kvm_set_msr_common`; Intel SDM vol. 4, “IA-32 Architectural MSRs”).
 */
import type { KvmMsrs } from '../emulate/kvm-vcpu.ts';
import type { Vcpu } from './vcpu.ts';

export const MSR_IA32_APICBASE = 0x1b;
export const MSR_IA32_TSC_DEADLINE = 0x6e0;

const TWO_32 = 0x1_0000_0000;
/** Bits of the upper half that a double holds exactly. */
const HIGH_LIMIT = 0x20_0000;

/** A vCPU's registers. */
export class VcpuMsrs implements KvmMsrs {
  low = 0;
  high = 0;
  readonly #vcpu: Vcpu;

  constructor(vcpu: Vcpu) {
    this.#vcpu = vcpu;
  }

  get(index: number): number {
    const { apic } = this.#vcpu;
    switch (index) {
      case MSR_IA32_APICBASE:
        return this.#answer(this.#vcpu.apicBase);
      case MSR_IA32_TSC_DEADLINE:
        return this.#answer(apic === null ? 0 : apic.kvm.fn.kvmGetLapicTscdeadlineMsr(apic));
      default:
        return 1;
    }
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
        // Bits above 2^53 cannot be kept: virtual time never reaches them.
        if (apic !== null) {
          const deadline = ((high >>> 0) % HIGH_LIMIT) * TWO_32 + (low >>> 0);
          apic.kvm.fn.kvmSetLapicTscdeadlineMsr(apic, deadline);
        }
        return 0;
      default:
        return 1;
    }
  }
}
