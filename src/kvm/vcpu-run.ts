/**
 * KVM_RUN: complete what userspace was asked for, then enter the guest and handle its exits until one needs userspace
 * (Linux: virt/kvm/kvm_main.c, `kvm_vcpu_ioctl`; arch/x86/kvm/x86.c, `kvm_arch_vcpu_ioctl_run`, `vcpu_run`,
 * `vcpu_enter_guest`).
 *
 * Time: each entry gets a budget that ends at the next alarm. The clock has advanced by what the guest has retired before
 * an exit is handled, so a device always sees the exact time.
 */
import { ACTIVITY_ACTIVE, ACTIVITY_HLT } from '../cpu/cpu.ts';
import { runGuest } from '../cpu/interpreter.ts';
import { X86_EFLAGS_IF } from '../cpu/registers.ts';
import {
  COMPLETE_EMULATED_MMIO,
  COMPLETE_EMULATED_PIO,
  COMPLETE_FAST_PIO_IN,
  COMPLETE_FAST_PIO_OUT,
  COMPLETE_FAST_PIO_OUT_PORT_7E,
  COMPLETE_NONE,
} from '../emulate/kvm-vcpu.ts';
import { userspacePio } from '../emulate/pio.ts';
import { EAGAIN, EBADF, EINTR, EINVAL } from '../uapi/errno.ts';
import {
  type IoSize,
  KVM_EXIT_FAIL_ENTRY,
  KVM_EXIT_HLT,
  KVM_EXIT_INTR,
  KVM_EXIT_IO,
  KVM_EXIT_IO_IN,
  KVM_EXIT_IRQ_WINDOW_OPEN,
  KVM_EXIT_SHUTDOWN,
  KVM_EXIT_UNKNOWN,
  KVM_GUESTDBG_SINGLESTEP,
} from '../uapi/kvm.ts';
import { EXIT_REASON_PREEMPTION_TIMER } from '../uapi/vmx.ts';
import {
  dmRequestForIrqInjection,
  kvmCheckAndInjectEvents,
  kvmVcpuReadyForInterruptInjection,
  vcpuHasEvents,
} from './inject.ts';
import { countInlineExits, exitsAreUnobserved } from './inline-pio.ts';
import { kvmCpuHasPendingTimer, kvmInjectPendingTimerIrqs } from './irq.ts';
import type { Vcpu } from './vcpu.ts';
import { canWakeWithoutInterrupts, kvmApicAcceptEvents } from './vcpu-lapic.ts';

/** Alarms that one KVM_RUN may sleep through in HLT. */
const MAX_IDLE_HOPS = 10_000;
/** Budget of one entry: a small integer. */
const MAX_BUDGET = 0x3fff_ffff;

const CR8_MAX = 15;

/** Why `vcpuRun` came back with −EINTR. */
const STOP = -EINTR;

/** Runs the callback that an exit to userspace has left. @returns ≤ 0 when KVM_RUN ends here. */
function completeUserspaceIo(vcpu: Vcpu): number {
  const callback = vcpu.completeUserspaceIo;
  vcpu.completeUserspaceIo = COMPLETE_NONE;
  switch (callback) {
    case COMPLETE_FAST_PIO_IN:
      return vcpu.fn.completeFastPioIn(vcpu);
    case COMPLETE_FAST_PIO_OUT:
      return vcpu.fn.completeFastPioOut(vcpu);
    case COMPLETE_FAST_PIO_OUT_PORT_7E:
      return vcpu.fn.completeFastPioOutPort0x7e(vcpu);
    case COMPLETE_EMULATED_PIO:
      return vcpu.fn.completeEmulatedPio(vcpu);
    case COMPLETE_EMULATED_MMIO:
      return vcpu.fn.completeEmulatedMmio(vcpu);
    default:
      return 1;
  }
}

/** KVM_RUN was interrupted, as by a signal. */
function interrupted(vcpu: Vcpu): number {
  vcpu.run.exit_reason = KVM_EXIT_INTR;
  return STOP;
}

/**
 * HLT in a machine with an in-kernel irqchip: time moves on to the next alarm until an interrupt can wake the vCPU.
 *
 * A kernel would sleep for ever where nothing can come; here userspace gets KVM_EXIT_HLT instead, because only it can
 * still bring an event.
 *
 * @returns 1 to go on, 0 for KVM_EXIT_HLT, −EINTR at the tick limit or after very many alarms.
 * @kvm vcpu_block(vcpu) arch/x86/kvm/x86.c
 */
export function vcpuBlock(vcpu: Vcpu, hops: number): number {
  const { cpu, kvm } = vcpu;
  const { clock } = kvm;
  if (vcpuHasEvents(vcpu)) {
    cpu.activityState = ACTIVITY_ACTIVE;
    if (vcpu.apic !== null) vcpu.apic.state.pv_unhalted = false;
    return 1;
  }
  const isDeaf = (cpu.sysFlags & X86_EFLAGS_IF) === 0 && !canWakeWithoutInterrupts(vcpu);
  if (isDeaf || clock.nextDeadlineTick === Number.POSITIVE_INFINITY) {
    vcpu.run.exit_reason = KVM_EXIT_HLT;
    return 0;
  }
  const before = clock.ticks;
  const isBeyond = clock.nextDeadlineTick > vcpu.tickLimit;
  if (isBeyond) clock.ticks = Math.max(before, vcpu.tickLimit);
  else clock.skipToDeadline();
  vcpu.instructions -= clock.ticks - before;
  return isBeyond || hops >= MAX_IDLE_HOPS ? interrupted(vcpu) : 1;
}

/** Basic exit reason 33, invalid guest state, with the bit of a failed entry. */
const FAILED_VMENTRY_INVALID_STATE = 0x8000_0021;

/** The processor refuses the guest state: an interrupt was injected that the guest holds back. @returns 0. */
function failEntry(vcpu: Vcpu): number {
  const { run, stat } = vcpu;
  stat.exits++;
  run.exit_reason = KVM_EXIT_FAIL_ENTRY;
  run.fail_entry.hardware_entry_failure_reason = FAILED_VMENTRY_INVALID_STATE;
  run.fail_entry.cpu = 0;
  return 0;
}

/**
 * One VM entry and its exit.
 *
 * @returns what the exit handler returned.
 * @kvm vcpu_enter_guest(vcpu) arch/x86/kvm/x86.c
 */
export function vcpuEnterGuest(vcpu: Vcpu): number {
  const { cpu, kvm, stat, trace } = vcpu;
  const { clock } = kvm;
  // KVM: a step of userspace goes over STI and MOV SS as well (`vmx_vcpu_run`).
  if ((vcpu.guestDebug & KVM_GUESTDBG_SINGLESTEP) !== 0) cpu.interruptShadow = 0;
  if (!kvmCheckAndInjectEvents(vcpu)) return failEntry(vcpu);
  const until = Math.min(clock.nextDeadlineTick, vcpu.tickLimit);
  const left = until - clock.ticks;
  if (trace !== null && !vcpu.entryTraced) {
    vcpu.entryTraced = true;
    trace.kvm_entry(cpu.eip >>> 0);
  }
  cpu.ticksAtEntry = clock.ticks;
  const nmis = cpu.pendingNmi;
  const reason = runGuest(cpu, left < MAX_BUDGET ? left | 0 : MAX_BUDGET);
  const isBehindExit = countInlineExits(vcpu);
  clock.ticks = cpu.ticksAtEntry + cpu.retired;
  stat.nmi_injections += nmis - cpu.pendingNmi;
  stat.nmi_window_exits += nmis - cpu.pendingNmi;
  if (reason === EXIT_REASON_PREEMPTION_TIMER && (isBehindExit || clock.ticks < clock.nextDeadlineTick)) {
    // The end of a slice, a look at the boundary, or an alarm that an exit has met: nothing that a processor would show.
    return 1;
  }
  stat.exits++;
  stat.byReason[reason]++;
  if (trace !== null) {
    vcpu.entryTraced = false;
    trace.kvm_exit(
      reason,
      cpu.eip >>> 0,
      reason === EXIT_REASON_PREEMPTION_TIMER ? 0 : cpu.exitQualification,
      0,
    );
  }
  return vcpu.fn.vmxHandleExit(vcpu);
}

/**
 * Enters the guest until an exit needs userspace.
 *
 * @returns 0 or −EINTR.
 * @kvm vcpu_run(vcpu) arch/x86/kvm/x86.c
 */
export function vcpuRun(vcpu: Vcpu): number {
  const { cpu, kvm } = vcpu;
  const { clock } = kvm;
  vcpu.run.exit_reason = KVM_EXIT_UNKNOWN;
  for (let hops = 0; ; ) {
    if (clock.ticks >= clock.nextDeadlineTick) clock.runDueAlarms();
    if (kvmCpuHasPendingTimer(vcpu) !== 0) kvmInjectPendingTimerIrqs(vcpu);
    kvmApicAcceptEvents(vcpu);
    if (vcpu.stopRequested) {
      vcpu.stopRequested = false;
      vcpu.stat.signal_exits++;
      return interrupted(vcpu);
    }
    if (clock.ticks >= vcpu.tickLimit) return interrupted(vcpu);
    let r: number;
    if (cpu.activityState === ACTIVITY_ACTIVE) {
      r = vcpuEnterGuest(vcpu);
    } else if (cpu.activityState === ACTIVITY_HLT) {
      r = vcpuBlock(vcpu, hops++);
    } else {
      vcpu.run.exit_reason = KVM_EXIT_SHUTDOWN;
      r = 0;
    }
    if (r <= 0) return r;
    if (dmRequestForIrqInjection(vcpu) && kvmVcpuReadyForInterruptInjection(vcpu)) {
      vcpu.run.exit_reason = KVM_EXIT_IRQ_WINDOW_OPEN;
      vcpu.stat.request_irq_exits++;
      return 0;
    }
  }
}

/**
 * One KVM_RUN.
 *
 * @param immediateExit `run.immediate_exit` as the caller set it.
 * @kvm kvm_arch_vcpu_ioctl_run(vcpu) arch/x86/kvm/x86.c
 */
export function kvmArchVcpuIoctlRun(vcpu: Vcpu, immediateExit: number): number {
  const { clock, irqchipInKernel } = vcpu.kvm;
  const start = clock.ticks;
  if (vcpu.isClosed) return -EBADF;
  if (vcpu.isUninitialized) return immediateExit !== 0 ? STOP : -EAGAIN;
  if (!irqchipInKernel) {
    // CR8 lives in kvm_run when nobody in the kernel has a task-priority register.
    if (vcpu.run.cr8 > CR8_MAX) return -EINVAL;
    vcpu.cr8 = vcpu.run.cr8;
  }
  vcpu.cpu.emulatedHost = vcpu.forceEmulation;
  vcpu.cpu.inlineIo = exitsAreUnobserved(vcpu) ? vcpu.inlinePio : null;
  clock.ticks += vcpu.pio.ticksDue;
  vcpu.pio.ticksDue = 0;
  let r = completeUserspaceIo(vcpu);
  if (r > 0) r = immediateExit !== 0 ? STOP : vcpuRun(vcpu);
  vcpu.instructions += clock.ticks - start;
  return r;
}

/** `post_kvm_run_save`: what userspace may want to know about interrupts. */
function postKvmRunSave(vcpu: Vcpu): void {
  const { run, cpu } = vcpu;
  run.if_flag = (cpu.sysFlags & X86_EFLAGS_IF) !== 0 ? 1 : 0;
  const isReady = vcpu.kvm.irqchipInKernel || kvmVcpuReadyForInterruptInjection(vcpu);
  run.ready_for_interrupt_injection = isReady ? 1 : 0;
  run.cr8 = vcpu.cr8;
  run.apic_base = vcpu.apicBase;
  run.flags = 0;
}

/** What an embedder does with KVM_EXIT_IO when the board's bus is it: answers from the board. */
function answerFromBoard(vcpu: Vcpu): void {
  const { userspace, run } = vcpu;
  if (userspace === null) return;
  const { io } = run;
  userspacePio(userspace, io.size as IoSize, io.port, run.pioData, io.count, io.direction === KVM_EXIT_IO_IN);
}

/**
 * The ioctl, and around it the embedder's loop for a board whose exits are observed: every exit is filled in and
 * traced, then answered from the board's bus, and KVM_RUN is called again.
 *
 * @kvm kvm_vcpu_ioctl(filp, ioctl, arg) virt/kvm/kvm_main.c (as kvmVcpuIoctlRun: KVM_RUN alone)
 */
export function kvmVcpuIoctlRun(vcpu: Vcpu): number {
  const { run } = vcpu;
  let immediateExit = run.immediate_exit;
  for (;;) {
    const r = kvmArchVcpuIoctlRun(vcpu, immediateExit);
    postKvmRunSave(vcpu);
    const isSlice = r !== 0 && run.exit_reason === KVM_EXIT_INTR && vcpu.kvm.clock.ticks >= vcpu.tickLimit;
    if (vcpu.trace !== null && !isSlice) vcpu.trace.kvm_userspace_exit(run.exit_reason, r);
    if (r !== 0 || run.exit_reason !== KVM_EXIT_IO || vcpu.userspace === null) return r;
    answerFromBoard(vcpu);
    immediateExit = 0;
  }
}
