/**
 * KVM_GET_MP_STATE and KVM_SET_MP_STATE: whether the processor runs, halts or waits to be started
 * (Linux: arch/x86/kvm/x86.c, `kvm_arch_vcpu_ioctl_get_mpstate`, `kvm_arch_vcpu_ioctl_set_mpstate`).
 */
import { ACTIVITY_ACTIVE, ACTIVITY_HLT, type Cpu } from '../cpu/cpu.ts';
import { EFAULT, EINVAL } from '../uapi/errno.ts';
import {
  KVM_MP_STATE_HALTED,
  KVM_MP_STATE_RUNNABLE,
  KVM_MP_STATE_UNINITIALIZED,
  type KvmMpState,
} from '../uapi/kvm.ts';
import { isStruct } from './ioctl-args.ts';

/** What of a vCPU these ioctls need. */
export interface MpStateVcpu {
  readonly cpu: Cpu;
  readonly kvm: { readonly irqchipInKernel: boolean };
  /** KVM_MP_STATE_UNINITIALIZED: KVM_RUN has nothing to run. */
  isUninitialized: boolean;
}

/**
 * @kvm kvm_arch_vcpu_ioctl_get_mpstate(vcpu, mp_state) arch/x86/kvm/x86.c (as: returned)
 */
export function kvmArchVcpuIoctlGetMpstate(vcpu: MpStateVcpu): KvmMpState {
  if (vcpu.isUninitialized) return { mp_state: KVM_MP_STATE_UNINITIALIZED };
  const isHalted = vcpu.cpu.activityState === ACTIVITY_HLT;
  return { mp_state: isHalted ? KVM_MP_STATE_HALTED : KVM_MP_STATE_RUNNABLE };
}

/**
 * @returns 0; −EINVAL for anything but RUNNABLE without an in-kernel local APIC, and for the states of INIT and SIPI, which
 * need a second processor.
 * @kvm kvm_arch_vcpu_ioctl_set_mpstate(vcpu, mp_state) arch/x86/kvm/x86.c
 */
export function kvmArchVcpuIoctlSetMpstate(vcpu: MpStateVcpu, state: Readonly<KvmMpState>): number {
  if (!isStruct(state)) return -EFAULT;
  const { cpu, kvm } = vcpu;
  switch (state.mp_state) {
    case KVM_MP_STATE_RUNNABLE:
      cpu.activityState = ACTIVITY_ACTIVE;
      break;
    case KVM_MP_STATE_HALTED:
      if (!kvm.irqchipInKernel) return -EINVAL;
      cpu.activityState = ACTIVITY_HLT;
      break;
    case KVM_MP_STATE_UNINITIALIZED:
      if (!kvm.irqchipInKernel) return -EINVAL;
      break;
    default:
      return -EINVAL;
  }
  vcpu.isUninitialized = state.mp_state === KVM_MP_STATE_UNINITIALIZED;
  cpu.raiseAttention();
  return 0;
}
