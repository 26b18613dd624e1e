/**
 * KVM_SET_GUEST_DEBUG (Linux: arch/x86/kvm/x86.c,
 * `kvm_arch_vcpu_ioctl_set_guest_debug`; vmx/vmx.c, `vmx_update_exception_bitmap`).
 */
import { NO_PAYLOAD } from '../cpu/debug-exception.ts';
import { DR7_FIXED_1, DR7_ZERO } from '../cpu/debug-state.ts';
import { queueException } from '../cpu/exceptions.ts';
import { getEflags, setEflags } from '../cpu/flags.ts';
import { BP_VECTOR, DB_VECTOR, X86_EFLAGS_TF } from '../cpu/registers.ts';
import { kvmGetLinearRip } from '../emulate/guest-debug.ts';
import { EBUSY, EINVAL } from '../uapi/errno.ts';
import {
  KVM_GUESTDBG_BLOCKIRQ,
  KVM_GUESTDBG_ENABLE,
  KVM_GUESTDBG_INJECT_BP,
  KVM_GUESTDBG_INJECT_DB,
  KVM_GUESTDBG_SINGLESTEP,
  KVM_GUESTDBG_USE_HW_BP,
  KVM_GUESTDBG_USE_SW_BP,
  type KvmGuestDebug,
} from '../uapi/kvm.ts';
import { isU32 } from './ioctl-args.ts';
import type { Vcpu } from './vcpu.ts';

const INJECT = KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP;
const STEP_OR_BREAK = KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_HW_BP;
const DEBUGREGS = 8;

/**
 * EFLAGS without the TF that a step of userspace has put there.
 *
 * @kvm kvm_get_rflags(vcpu) arch/x86/kvm/x86.c
 */
export function kvmGetRflags(vcpu: Vcpu): number {
  const eflags = getEflags(vcpu.cpu);
  return (vcpu.guestDebug & KVM_GUESTDBG_SINGLESTEP) !== 0 ? eflags & ~X86_EFLAGS_TF : eflags;
}

/**
 * Sets EFLAGS; where a step was asked for, TF with them.
 *
 * @kvm kvm_set_rflags(vcpu, rflags) arch/x86/kvm/x86.c
 */
export function kvmSetRflags(vcpu: Vcpu, rflags: number): void {
  const { cpu } = vcpu;
  const isStep = (vcpu.guestDebug & KVM_GUESTDBG_SINGLESTEP) !== 0;
  setEflags(cpu, isStep && kvmGetLinearRip(cpu) === vcpu.singlestepRip ? rflags | X86_EFLAGS_TF : rflags);
}

/** Which exceptions leave. Without a debugger none: the processor delivers #DB itself, to the same effect. */
function updateExceptionBitmap(vcpu: Vcpu): void {
  const { cpu, guestDebug } = vcpu;
  cpu.exceptionBitmap =
    ((guestDebug & STEP_OR_BREAK) !== 0 ? 1 << DB_VECTOR : 0) |
    ((guestDebug & KVM_GUESTDBG_USE_SW_BP) !== 0 ? 1 << BP_VECTOR : 0);
}

/** Puts userspace's breakpoints in force, or the guest's own. */
function updateBreakpoints(vcpu: Vcpu, debugreg: readonly number[]): void {
  const { cpu } = vcpu;
  const { debug } = cpu;
  debug.isHost = (vcpu.guestDebug & KVM_GUESTDBG_USE_HW_BP) !== 0 ? 1 : 0;
  if (debug.isHost !== 0) {
    for (let i = 0; i < 4; i++) debug.effDb[i] = debugreg[i] ?? 0;
    debug.dr7 = ((debugreg[7] ?? 0) & ~DR7_ZERO) | DR7_FIXED_1;
  }
  debug.update(cpu);
}

/**
 * Control bits that KVM does not know are ignored, as it does; so are all but the injections without
 * KVM_GUESTDBG_ENABLE.
 *
 * @returns 0; −EBUSY when an exception is to be injected and one waits already; −EINVAL for what is no
 * `struct kvm_guest_debug`.
 * @kvm kvm_arch_vcpu_ioctl_set_guest_debug(vcpu, dbg) arch/x86/kvm/x86.c
 */
export function kvmArchVcpuIoctlSetGuestDebug(vcpu: Vcpu, dbg: Readonly<KvmGuestDebug>): number {
  const { cpu } = vcpu;
  const debugreg: readonly unknown[] = dbg?.debugreg ?? [];
  if (!isU32(dbg?.control) || !Array.isArray(debugreg)) return -EINVAL;
  const values = Array.from({ length: DEBUGREGS }, (_, i) => debugreg[i] ?? 0);
  if (!values.every(isU32)) return -EINVAL;
  const { control } = dbg;
  if ((control & INJECT) !== 0) {
    if (cpu.queuedVector >= 0 || cpu.pendingDebugTrap !== 0) return -EBUSY;
    cpu.entryInstructionLength = vcpu.eventExitInstLen;
    // KVM: an injected #DB has no payload, DR6 stays as it is.
    if ((control & KVM_GUESTDBG_INJECT_DB) !== 0) queueException(cpu, DB_VECTOR, NO_PAYLOAD);
    else queueException(cpu, BP_VECTOR, 0);
  }
  const rflags = kvmGetRflags(vcpu);
  vcpu.guestDebug = (control & KVM_GUESTDBG_ENABLE) !== 0 ? control : 0;
  updateBreakpoints(vcpu, values);
  if ((vcpu.guestDebug & KVM_GUESTDBG_SINGLESTEP) !== 0) vcpu.singlestepRip = kvmGetLinearRip(cpu);
  kvmSetRflags(vcpu, rflags);
  updateExceptionBitmap(vcpu);
  cpu.debug.blockIrq = (vcpu.guestDebug & KVM_GUESTDBG_BLOCKIRQ) !== 0 ? 1 : 0;
  return 0;
}
