/**
 * What the host does with a VM exit, by basic reason (Linux: arch/x86/kvm/vmx/vmx.c, `kvm_vmx_exit_handlers`).
 *
 * Every handler returns 1 to re-enter the guest, 0 for an exit to userspace with `kvm_run` filled.
 */

import { ACTIVITY_HLT, ACTIVITY_SHUTDOWN } from '../cpu/cpu.ts';
import { DR6_ACTIVE_LOW } from '../cpu/debug-state.ts';
import { EPT_FETCH } from '../cpu/fetch.ts';
import { runGuest } from '../cpu/interpreter.ts';
import { DB_VECTOR } from '../cpu/registers.ts';
import { fetchFailure } from '../emulate/emulate-memory.ts';
import { prepareEmulationFailureExit } from '../emulate/emulation-failure.ts';
import { kvmGetLinearRip } from '../emulate/guest-debug.ts';
import type { KvmVcpu } from '../emulate/kvm-vcpu.ts';
import { EMULTYPE_PF } from '../emulate/x86emul.ts';
import { KVM_EXIT_DEBUG, KVM_EXIT_HLT, KVM_EXIT_SHUTDOWN } from '../uapi/kvm.ts';
import {
  EXIT_REASON_CPUID,
  EXIT_REASON_EPT_VIOLATION,
  EXIT_REASON_EXCEPTION_NMI,
  EXIT_REASON_HLT,
  EXIT_REASON_INTERRUPT_WINDOW,
  EXIT_REASON_IO_INSTRUCTION,
  EXIT_REASON_MSR_READ,
  EXIT_REASON_MSR_WRITE,
  EXIT_REASON_PREEMPTION_TIMER,
  EXIT_REASON_TRIPLE_FAULT,
  INTR_INFO_VECTOR_MASK,
  ioQualIsIn,
  ioQualIsString,
  ioQualPort,
  ioQualSize,
} from '../uapi/vmx.ts';

/**
 * IN, OUT, INS, OUTS. Strings need memory and registers, so the emulator runs them; for the others the qualification
 * says everything.
 *
 * @kvm handle_io(vcpu) arch/x86/kvm/vmx/vmx.c
 */
export function handleIo(vcpu: KvmVcpu): number {
  const qualification = vcpu.cpu.exitQualification;
  vcpu.stat.io_exits++;
  if (ioQualIsString(qualification) || vcpu.forceEmulation !== 0) {
    return vcpu.fn.kvmEmulateInstruction(vcpu, 0);
  }
  return vcpu.fn.kvmFastPio(
    vcpu,
    ioQualSize(qualification),
    ioQualPort(qualification),
    ioQualIsIn(qualification),
  );
}

/**
 * HLT. With an in-kernel interrupt controller the vCPU waits inside KVM_RUN; else userspace decides what waiting means.
 *
 * @kvm kvm_emulate_halt(vcpu) arch/x86/kvm/x86.c
 */
export function kvmEmulateHalt(vcpu: KvmVcpu): number {
  const r = vcpu.fn.kvmSkipEmulatedInstruction(vcpu);
  vcpu.stat.halt_exits++;
  if (vcpu.kvm.irqchipInKernel) {
    vcpu.cpu.activityState = ACTIVITY_HLT;
    return r;
  }
  // KVM: this replaces the KVM_EXIT_DEBUG of a step over HLT.
  vcpu.run.exit_reason = KVM_EXIT_HLT;
  return 0;
}

/** @kvm handle_triple_fault(vcpu) arch/x86/kvm/vmx/vmx.c */
export function handleTripleFault(vcpu: KvmVcpu): number {
  vcpu.cpu.activityState = ACTIVITY_SHUTDOWN;
  vcpu.run.exit_reason = KVM_EXIT_SHUTDOWN;
  return 0;
}

/**
 * Interrupts have become possible; the next entry injects what waits.
 *
 * @kvm handle_interrupt_window(vcpu) arch/x86/kvm/vmx/vmx.c
 */
export function handleInterruptWindow(vcpu: KvmVcpu): number {
  vcpu.cpu.interruptWindowExiting = 0;
  vcpu.stat.irq_window_exits++;
  return 1;
}

/**
 * #DB and #BP that userspace wants to see: KVM_EXIT_DEBUG. pio86 lets the guest take all other exceptions itself (a kernel
 * takes every #DB and hands it back); without an exception this exit is the CPU saying that it cannot go on.
 *
 * @kvm handle_exception_nmi(vcpu) arch/x86/kvm/vmx/vmx.c
 */
export function handleExceptionNmi(vcpu: KvmVcpu): number {
  const { cpu, run } = vcpu;
  if (cpu.exitInterruptionInfo !== 0) {
    const vector = cpu.exitInterruptionInfo & INTR_INFO_VECTOR_MASK;
    if (vector === DB_VECTOR) {
      run.debug.dr6 = (cpu.exitQualification | DR6_ACTIVE_LOW) >>> 0;
      run.debug.dr7 = cpu.debug.dr7 >>> 0;
    }
    vcpu.eventExitInstLen = cpu.exitInstructionLength;
    run.debug.exception = vector;
    run.debug.pc = kvmGetLinearRip(cpu) >>> 0;
    run.exit_reason = KVM_EXIT_DEBUG;
    return 0;
  }
  return prepareEmulationFailureExit(vcpu, cpu.internalError);
}

/**
 * The access is emulated; what no in-kernel device answers becomes KVM_EXIT_MMIO.
 *
 * @kvm kvm_mmu_page_fault(vcpu, cr2_or_gpa, error_code, insn, insn_len) arch/x86/kvm/mmu/mmu.c
 */
export function kvmMmuPageFault(vcpu: KvmVcpu): number {
  return vcpu.fn.x86EmulateInstruction(vcpu, EMULTYPE_PF);
}

/**
 * An access met no memory. On a board the one instruction is run again with holes answered by the MMIO bus and the board;
 * there is nothing to answer an instruction fetch.
 *
 * @kvm handle_ept_violation(vcpu) arch/x86/kvm/vmx/vmx.c
 */
export function handleEptViolation(vcpu: KvmVcpu): number {
  const { cpu, kvm, stat } = vcpu;
  if ((cpu.exitQualification & EPT_FETCH) !== 0) return fetchFailure(vcpu);
  if (vcpu.userspaceMmio === null) return vcpu.fn.kvmMmuPageFault(vcpu);
  stat.insn_emulation++;
  cpu.mmio = vcpu.mmio;
  cpu.ticksAtEntry = kvm.clock.ticks;
  const reason = runGuest(cpu, 1);
  cpu.mmio = null;
  kvm.clock.ticks = cpu.ticksAtEntry + cpu.retired;
  if (reason === EXIT_REASON_PREEMPTION_TIMER) return 1;
  stat.exits++;
  stat.byReason[reason]++;
  return vcpu.fn.vmxHandleExit(vcpu);
}

/**
 * Finds the handler. The I/O exit goes first, as KVM puts its common exits first.
 *
 * @kvm vmx_handle_exit(vcpu, exit_fastpath) arch/x86/kvm/vmx/vmx.c
 */
export function vmxHandleExit(vcpu: KvmVcpu): number {
  const reason = vcpu.cpu.exitReason;
  const { fn } = vcpu;
  if (reason === EXIT_REASON_IO_INSTRUCTION) return fn.handleIo(vcpu);
  switch (reason) {
    case EXIT_REASON_PREEMPTION_TIMER:
      // An alarm of the machine: in a kernel, the host's timer interrupt.
      vcpu.stat.irq_exits++;
      return 1;
    case EXIT_REASON_INTERRUPT_WINDOW:
      return fn.handleInterruptWindow(vcpu);
    case EXIT_REASON_HLT:
      return fn.kvmEmulateHalt(vcpu);
    case EXIT_REASON_CPUID:
      return fn.kvmEmulateCpuid(vcpu);
    case EXIT_REASON_MSR_READ:
      return fn.kvmEmulateRdmsr(vcpu);
    case EXIT_REASON_MSR_WRITE:
      return fn.kvmEmulateWrmsr(vcpu);
    case EXIT_REASON_TRIPLE_FAULT:
      return fn.handleTripleFault(vcpu);
    case EXIT_REASON_EPT_VIOLATION:
      return fn.handleEptViolation(vcpu);
    case EXIT_REASON_EXCEPTION_NMI:
      return fn.handleExceptionNmi(vcpu);
    default:
      return prepareEmulationFailureExit(vcpu, `unexpected VM-exit reason ${reason}`);
  }
}
