/**
 * KVM_CREATE_VCPU, from the generic code over x86's to the vendor's (Linux: virt/kvm/kvm_main.c, arch/x86/kvm/x86.c).
 */
import { EDX, X86_CR0_CD, X86_CR0_NW } from '../cpu/registers.ts';
import { COMPLETE_NONE } from '../emulate/kvm-vcpu.ts';
import { EEXIST, EINVAL } from '../uapi/errno.ts';
import { cpuidEntry2Find } from '../vmx/cpuid.ts';
import { VMX_X86_OPS } from '../vmx/vmx-x86-ops.ts';
import { enabledQuirks, KVM_MAX_VCPU_IDS, KVM_MAX_VCPUS } from './capabilities.ts';
import { isU32 } from './ioctl-args.ts';
import { Vcpu } from './vcpu.ts';
import type { Vm } from './vm.ts';

/** The functions of this file that call each other. */
export interface VcpuCreationFunctions {
  kvmVmIoctlCreateVcpu(kvm: Vm, id: number): Vcpu | number;
  kvmArchVcpuPrecreate(kvm: Vm, id: number): number;
  kvmArchVcpuCreate(vcpu: Vcpu): number;
  kvmVcpuReset(vcpu: Vcpu, initEvent: boolean): void;
  kvmArchVcpuPostcreate(vcpu: Vcpu): void;
}

/**
 * @returns 0. (KVM refuses ids above KVM_CAP_MAX_VCPU_ID when userspace has lowered it.)
 * @kvm kvm_arch_vcpu_precreate(kvm, id) arch/x86/kvm/x86.c
 */
export function kvmArchVcpuPrecreate(_kvm: Vm, id: number): number {
  return id < KVM_MAX_VCPU_IDS ? 0 : -EINVAL;
}

/**
 * Everything of the vCPU that belongs to the architecture, in its power-on state.
 *
 * @kvm kvm_arch_vcpu_create(vcpu) arch/x86/kvm/x86.c
 */
export function kvmArchVcpuCreate(vcpu: Vcpu): number {
  vcpu.quirks = enabledQuirks(vcpu.kvm);
  const r = vcpu.fn[VMX_X86_OPS.vcpu_create](vcpu);
  if (r !== 0) return r;
  vcpu.kvm.creationFn.kvmVcpuReset(vcpu, false);
  return 0;
}

/**
 * Power-on state, or that after INIT, which keeps CR0.CD and CR0.NW: nothing waits for userspace or for delivery.
 *
 * @kvm kvm_vcpu_reset(vcpu, init_event) arch/x86/kvm/x86.c
 */
export function kvmVcpuReset(vcpu: Vcpu, initEvent: boolean): void {
  const { apic, cpu } = vcpu;
  const cacheBits = cpu.cr0 & (X86_CR0_CD | X86_CR0_NW);
  if (apic !== null) apic.kvm.fn.kvmLapicReset(apic, initEvent);
  vcpu.pio.count = 0;
  vcpu.mmioRequest.begin();
  vcpu.events.reset();
  vcpu.isUninitialized = false;
  vcpu.completeUserspaceIo = COMPLETE_NONE;
  vcpu.fn[VMX_X86_OPS.vcpu_reset](vcpu);
  // KVM: EDX is the signature that userspace has set; before that the model's.
  const signature = cpuidEntry2Find(vcpu.cpuidEntries ?? [], 1, 0)?.eax;
  if (signature !== undefined) cpu.gpr[EDX] = signature;
  if (initEvent) cpu.cr0 = (cpu.cr0 & ~(X86_CR0_CD | X86_CR0_NW)) | cacheBits;
}

/**
 * The vCPU is in the machine's table; its time-stamp counter starts.
 *
 * @kvm kvm_arch_vcpu_postcreate(vcpu) arch/x86/kvm/x86.c
 */
export function kvmArchVcpuPostcreate(vcpu: Vcpu): void {
  vcpu.cpu.tscOffset = -vcpu.kvm.clock.ticks;
}

/**
 * KVM_CREATE_VCPU.
 *
 * @returns the vCPU; −EINVAL for an id out of range and for more vCPUs than KVM_CAP_MAX_VCPUS; −EEXIST for an id that is
 * taken.
 * @kvm kvm_vm_ioctl_create_vcpu(kvm, id) virt/kvm/kvm_main.c
 */
export function kvmVmIoctlCreateVcpu(kvm: Vm, id: number): Vcpu | number {
  if (!isU32(id) || id >= KVM_MAX_VCPU_IDS) return -EINVAL;
  if (kvm.vcpus.some((vcpu) => vcpu.id === id)) return -EEXIST;
  if (kvm.vcpus.length >= KVM_MAX_VCPUS) return -EINVAL;
  const { creationFn } = kvm;
  const precreated = creationFn.kvmArchVcpuPrecreate(kvm, id);
  if (precreated !== 0) return precreated;
  const vcpu = new Vcpu(kvm, id);
  const r = creationFn.kvmArchVcpuCreate(vcpu);
  if (r !== 0) return r;
  kvm.vcpus.push(vcpu);
  creationFn.kvmArchVcpuPostcreate(vcpu);
  return vcpu;
}

/** The functions as they are, without probes. */
export const VCPU_CREATION_FUNCTIONS: Readonly<VcpuCreationFunctions> = {
  kvmVmIoctlCreateVcpu,
  kvmArchVcpuPrecreate,
  kvmArchVcpuCreate,
  kvmVcpuReset,
  kvmArchVcpuPostcreate,
};
