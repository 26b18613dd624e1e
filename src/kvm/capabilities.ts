/**
 * KVM_CHECK_EXTENSION and KVM_ENABLE_CAP (Linux: arch/x86/kvm/x86.c, `kvm_vm_ioctl_check_extension`,
 * `kvm_vm_ioctl_enable_cap`).
 */
import { KVM_X86_QUIRK_LAPIC_MMIO_HOLE, KVM_X86_QUIRK_LINT0_REENABLED } from '../devices/lapic-state.ts';
import { KVM_X86_QUIRK_OUT_7E_INC_RIP } from '../emulate/kvm-vcpu.ts';
import { EFAULT, EINVAL } from '../uapi/errno.ts';
import * as uapi from '../uapi/kvm.ts';
import { isStruct, isU32, toU64 } from './ioctl-args.ts';
import { KVM_USER_MEM_SLOTS } from './memory-region.ts';

/** Those that are about anything that pio86 has. */
const QUIRKS = KVM_X86_QUIRK_OUT_7E_INC_RIP | KVM_X86_QUIRK_LINT0_REENABLED | KVM_X86_QUIRK_LAPIC_MMIO_HOLE;
/** `KVM_X86_VALID_QUIRKS`: bits 0 to 7. */
const KVM_X86_VALID_QUIRKS = 0xff;
/** Ids that userspace may give vCPUs. */
export const KVM_MAX_VCPU_IDS = 4096;
/** pio86 runs one vCPU a machine. */
export const KVM_MAX_VCPUS = 1;

const YES: readonly number[] = [
  uapi.KVM_CAP_IRQCHIP,
  uapi.KVM_CAP_HLT,
  uapi.KVM_CAP_USER_MEMORY,
  uapi.KVM_CAP_EXT_CPUID,
  uapi.KVM_CAP_PIT,
  uapi.KVM_CAP_MP_STATE,
  uapi.KVM_CAP_SYNC_MMU,
  uapi.KVM_CAP_DESTROY_MEMORY_REGION_WORKS,
  uapi.KVM_CAP_USER_NMI,
  uapi.KVM_CAP_SET_GUEST_DEBUG,
  uapi.KVM_CAP_REINJECT_CONTROL,
  uapi.KVM_CAP_IRQ_ROUTING,
  uapi.KVM_CAP_IRQ_INJECT_STATUS,
  uapi.KVM_CAP_JOIN_MEMORY_REGIONS_WORKS,
  uapi.KVM_CAP_IRQFD,
  uapi.KVM_CAP_PIT2,
  uapi.KVM_CAP_PIT_STATE2,
  uapi.KVM_CAP_IOEVENTFD,
  uapi.KVM_CAP_VCPU_EVENTS,
  uapi.KVM_CAP_DEBUGREGS,
  uapi.KVM_CAP_ENABLE_CAP,
  uapi.KVM_CAP_TSC_DEADLINE_TIMER,
  uapi.KVM_CAP_READONLY_MEM,
  uapi.KVM_CAP_IRQFD_RESAMPLE,
  uapi.KVM_CAP_ENABLE_CAP_VM,
  uapi.KVM_CAP_IOEVENTFD_NO_LENGTH,
  uapi.KVM_CAP_CHECK_EXTENSION_VM,
  uapi.KVM_CAP_DISABLE_QUIRKS,
  uapi.KVM_CAP_IOEVENTFD_ANY_LENGTH,
  uapi.KVM_CAP_IMMEDIATE_EXIT,
  uapi.KVM_CAP_COALESCED_PIO,
  uapi.KVM_CAP_EXCEPTION_PAYLOAD,
];

/** KVM_CAP_* → what KVM_CHECK_EXTENSION answers. */
const ANSWERS: ReadonlyMap<number, number> = new Map([
  ...YES.map((cap): [number, number] => [cap, 1]),
  [uapi.KVM_CAP_NR_VCPUS, KVM_MAX_VCPUS],
  [uapi.KVM_CAP_MAX_VCPUS, KVM_MAX_VCPUS],
  [uapi.KVM_CAP_MAX_VCPU_ID, KVM_MAX_VCPU_IDS],
  [uapi.KVM_CAP_NR_MEMSLOTS, KVM_USER_MEM_SLOTS],
  [uapi.KVM_CAP_COALESCED_MMIO, uapi.KVM_COALESCED_MMIO_PAGE_OFFSET],
  [uapi.KVM_CAP_DISABLE_QUIRKS2, KVM_X86_VALID_QUIRKS],
]);

/**
 * @returns 0 for no, else yes or how many.
 * @kvm kvm_vm_ioctl_check_extension(kvm, ext) arch/x86/kvm/x86.c
 */
export function kvmVmIoctlCheckExtension(ext: number): number {
  return ANSWERS.get(ext) ?? 0;
}

/** What KVM_ENABLE_CAP changes of a machine. */
export interface KvmCapabilities {
  /** `arch.disabled_quirks`. */
  disabledQuirks: number;
  /** `arch.exception_payload_enabled`. */
  exceptionPayloadEnabled: boolean;
}

/**
 * @returns 0; −EINVAL for a capability that cannot be enabled, for flags, and for a quirk that is none.
 * @kvm kvm_vm_ioctl_enable_cap(kvm, cap) arch/x86/kvm/x86.c
 */
export function kvmVmIoctlEnableCap(kvm: KvmCapabilities, cap: Readonly<uapi.KvmEnableCap>): number {
  if (!isStruct(cap)) return -EFAULT;
  if (!isU32(cap.cap) || (cap.flags ?? 0) !== 0) return -EINVAL;
  if (!Array.isArray(cap.args) || cap.args.length > 4) return -EINVAL;
  const args = cap.args.map(toU64);
  if (args.includes(null)) return -EINVAL;
  const arg = args[0] ?? 0n;
  switch (cap.cap) {
    case uapi.KVM_CAP_DISABLE_QUIRKS2:
      if ((arg & ~BigInt(KVM_X86_VALID_QUIRKS)) !== 0n) return -EINVAL;
      kvm.disabledQuirks = Number(arg);
      return 0;
    case uapi.KVM_CAP_DISABLE_QUIRKS:
      // KVM: any bits are stored; those that are no quirk mean nothing.
      kvm.disabledQuirks = Number(BigInt.asUintN(32, arg));
      return 0;
    case uapi.KVM_CAP_EXCEPTION_PAYLOAD:
      kvm.exceptionPayloadEnabled = arg !== 0n;
      return 0;
    default:
      return -EINVAL;
  }
}

/** KVM_X86_QUIRK_* that a vCPU of this machine has. */
export function enabledQuirks(kvm: Readonly<KvmCapabilities>): number {
  return QUIRKS & ~kvm.disabledQuirks;
}
