/**
 * RDMSR and WRMSR of a register that the processor does not hold itself (Linux: arch/x86/kvm/x86.c; Intel SDM vol. 2B,
 * “RDMSR”, vol. 2D, “WRMSR”).
 */
import { EAX, ECX, EDX, GP_VECTOR } from '../cpu/registers.ts';
import type { KvmVcpu } from '../emulate/kvm-vcpu.ts';

/** The guest gets #GP(0) at the next entry, for the instruction that has left. */
function injectGp(vcpu: KvmVcpu): number {
  vcpu.cpu.queuedVector = GP_VECTOR;
  vcpu.cpu.queuedErrorCode = 0;
  vcpu.cpu.raiseAttention();
  return 1;
}

/** EDX:EAX ← MSR[ECX]. @kvm kvm_emulate_rdmsr(vcpu) arch/x86/kvm/x86.c */
export function kvmEmulateRdmsr(vcpu: KvmVcpu): number {
  const { msrs } = vcpu;
  const { gpr } = vcpu.cpu;
  if (msrs.get(gpr[ECX] >>> 0) !== 0) return injectGp(vcpu);
  gpr[EAX] = msrs.low;
  gpr[EDX] = msrs.high;
  return vcpu.fn.kvmSkipEmulatedInstruction(vcpu);
}

/** MSR[ECX] ← EDX:EAX. @kvm kvm_emulate_wrmsr(vcpu) arch/x86/kvm/x86.c */
export function kvmEmulateWrmsr(vcpu: KvmVcpu): number {
  const { gpr } = vcpu.cpu;
  if (vcpu.msrs.set(gpr[ECX] >>> 0, gpr[EAX], gpr[EDX]) !== 0) return injectGp(vcpu);
  return vcpu.fn.kvmSkipEmulatedInstruction(vcpu);
}
