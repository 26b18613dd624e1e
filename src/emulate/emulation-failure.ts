/**
 * The end of what can be emulated (Linux: arch/x86/kvm/x86.c, `prepare_emulation_failure_exit`).
 */
import { KVM_EXIT_INTERNAL_ERROR, KVM_INTERNAL_ERROR_EMULATION } from '../uapi/kvm.ts';
import type { KvmVcpu } from './kvm-vcpu.ts';

/** Prepares KVM_EXIT_INTERNAL_ERROR: the guest cannot go on here. @returns 0. */
export function prepareEmulationFailureExit(vcpu: KvmVcpu, message: string): number {
  const { run, stat } = vcpu;
  stat.insn_emulation_fail++;
  vcpu.internalErrorMessage = message;
  run.exit_reason = KVM_EXIT_INTERNAL_ERROR;
  run.internal.suberror = KVM_INTERNAL_ERROR_EMULATION;
  run.internal.ndata = 0;
  return 0;
}
