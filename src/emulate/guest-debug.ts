/**
 * What the emulator and the skipped instructions of exit handlers owe a debugger: the single-step trap, instruction
 * breakpoints, I/O breakpoints (Linux: arch/x86/kvm/x86.c, `kvm_vcpu_do_singlestep`, `kvm_vcpu_check_code_breakpoint`).
 */
import { matchCode, matchIo } from '../cpu/breakpoints.ts';
import { type Cpu, KVM_X86_SHADOW_INT_MOV_SS } from '../cpu/cpu.ts';
import { DR6_ACTIVE_LOW, DR6_BS, DR7_BP_EN_MASK } from '../cpu/debug-state.ts';
import { queueException } from '../cpu/exceptions.ts';
import { DB_VECTOR, X86_EFLAGS_RF, X86_EFLAGS_TF } from '../cpu/registers.ts';
import { SEG_CS } from '../decoder/insn.ts';
import { KVM_EXIT_DEBUG, KVM_GUESTDBG_SINGLESTEP, KVM_GUESTDBG_USE_HW_BP } from '../uapi/kvm.ts';
import { EXIT_REASON_IO_INSTRUCTION, ioQualPort, ioQualSize } from '../uapi/vmx.ts';
import type { KvmVcpu } from './kvm-vcpu.ts';

/** CS.base + RIP, int32. @kvm kvm_get_linear_rip(vcpu) arch/x86/kvm/x86.c (as: of the processor) */
export function kvmGetLinearRip(cpu: Cpu): number {
  return (cpu.segBase[SEG_CS] + cpu.eip) | 0;
}

/** Prepares KVM_EXIT_DEBUG for a #DB. KVM: `dr7` keeps what the union held. @returns 0. */
function debugExit(vcpu: KvmVcpu, dr6: number): number {
  const { run, cpu } = vcpu;
  run.exit_reason = KVM_EXIT_DEBUG;
  run.debug.exception = DB_VECTOR;
  run.debug.pc = kvmGetLinearRip(cpu) >>> 0;
  run.debug.dr6 = (dr6 | DR6_ACTIVE_LOW) >>> 0;
  return 0;
}

/**
 * The step over an instruction that an exit handler or the emulator has done is complete.
 *
 * @returns 0 for KVM_EXIT_DEBUG while userspace steps the guest, else 1 with #DB queued for the guest.
 * @kvm kvm_vcpu_do_singlestep(vcpu) arch/x86/kvm/x86.c
 */
export function kvmVcpuDoSinglestep(vcpu: KvmVcpu): number {
  const { cpu } = vcpu;
  // An I/O breakpoint of the same instruction is the same #DB.
  const dr6 = DR6_BS | cpu.pendingDebugTrap;
  cpu.pendingDebugTrap = 0;
  if ((vcpu.guestDebug & KVM_GUESTDBG_SINGLESTEP) !== 0) return debugExit(vcpu, dr6);
  queueException(cpu, DB_VECTOR, dr6);
  return 1;
}

/** Whether an instruction breakpoint of userspace or of the guest could be where the emulator begins. */
export function codeBreakpointsEnabled(cpu: Cpu): boolean {
  return ((cpu.debug.dr7 | cpu.dr[7]) & DR7_BP_EN_MASK) !== 0;
}

const NO_BREAKPOINT = -1;

/**
 * Looks for instruction breakpoints before the emulator decodes.
 *
 * KVM: for a breakpoint of userspace RF does not count, so INS and OUTS under one are never passed; and the guest's own are
 * honoured here even while userspace's are in force.
 *
 * @returns −1 for none, 0 for KVM_EXIT_DEBUG, 1 with #DB queued for the guest.
 * @kvm kvm_vcpu_check_code_breakpoint(vcpu, emulation_type, r) arch/x86/kvm/x86.c (as: r returned)
 */
export function kvmVcpuCheckCodeBreakpoint(vcpu: KvmVcpu): number {
  const { cpu } = vcpu;
  const linear = kvmGetLinearRip(cpu);
  if ((vcpu.guestDebug & KVM_GUESTDBG_USE_HW_BP) !== 0) {
    const dr6 = matchCode(cpu.debug.dr7, cpu.debug.effDb, linear);
    if (dr6 !== 0) return debugExit(vcpu, dr6);
  }
  const isInhibited =
    (cpu.sysFlags & X86_EFLAGS_RF) !== 0 || (cpu.interruptShadow & KVM_X86_SHADOW_INT_MOV_SS) !== 0;
  if (isInhibited) return NO_BREAKPOINT;
  const dr6 = matchCode(cpu.dr[7], cpu.dr, linear);
  if (dr6 === 0) return NO_BREAKPOINT;
  queueException(cpu, DB_VECTOR, dr6);
  return 1;
}

/**
 * A port access of the guest is done: an I/O breakpoint on it makes a trap pending.
 *
 * KVM has none: the processor has left before it would look, and nobody looks instead. `vcpu.ioBreakpoints` = 0 keeps it so;
 * 1 gives the guest what the processor would (docs/deviations.md).
 *
 * @returns whether there is a trap.
 */
export function ioBreakpointTrap(vcpu: KvmVcpu, port: number, size: number): boolean {
  if (vcpu.ioBreakpoints === 0) return false;
  const hits = matchIo(vcpu.cpu, port, size);
  vcpu.cpu.pendingDebugTrap |= hits;
  return hits !== 0;
}

/** {@link ioBreakpointTrap} of the instruction that is being skipped, if it is IN or OUT. */
export function skippedIoBreakpoint(vcpu: KvmVcpu): void {
  const { exitReason, exitQualification } = vcpu.cpu;
  if (exitReason !== EXIT_REASON_IO_INSTRUCTION) return;
  ioBreakpointTrap(vcpu, ioQualPort(exitQualification), ioQualSize(exitQualification));
}

/**
 * EFLAGS are written back by the emulator. KVM: the TF of userspace's step is put back only where the step began
 * (`singlestep_rip`), so stepping over INS and OUTS ends it until the next KVM_SET_GUEST_DEBUG; a host that emulates
 * everything needs no TF to go on.
 */
export function writeBackTrapFlag(vcpu: KvmVcpu): void {
  const { cpu } = vcpu;
  if ((vcpu.guestDebug & KVM_GUESTDBG_SINGLESTEP) === 0 || cpu.emulatedHost !== 0) return;
  if (kvmGetLinearRip(cpu) !== vcpu.singlestepRip) cpu.sysFlags &= ~X86_EFLAGS_TF;
}
