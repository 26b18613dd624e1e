/**
 * Events on their way into the guest, looked at before every VM entry (Linux: arch/x86/kvm/x86.c,
 * `kvm_check_and_inject_events`; arch/x86/kvm/irq.c, `kvm_cpu_has_injectable_intr`).
 *
 * Order: an exception or single-step trap that an exit handler has queued; else what userspace has injected; then an NMI,
 * then an interrupt of the PIC or the local APIC (irq.ts).
 */
import type { Cpu } from '../cpu/cpu.ts';
import { deliverInterrupt, deliverNmi, interruptAllowed, nmiAllowed } from '../cpu/interrupts.ts';
import { DB_VECTOR, X86_EFLAGS_IF } from '../cpu/registers.ts';
import { kvmCpuGetInterrupt, kvmCpuHasInterrupt } from './irq.ts';
import type { Vcpu } from './vcpu.ts';

function exceptionPending(cpu: Cpu): boolean {
  return cpu.queuedVector >= 0 || cpu.pendingDebugTrap !== 0;
}

/** The CPU itself delivers a queued exception when it is entered; here it is only shown. */
function traceException(vcpu: Vcpu): void {
  const { cpu, trace } = vcpu;
  if (trace === null || vcpu.entryTraced) return;
  // Real mode drops error codes; protected mode is not built yet.
  trace.kvm_inj_exception(cpu.queuedVector >= 0 ? cpu.queuedVector : DB_VECTOR, false, 0);
}

function nmiDue(cpu: Cpu): boolean {
  return cpu.pendingNmi !== 0 && nmiAllowed(cpu);
}

function injectNmi(vcpu: Vcpu): void {
  vcpu.stat.nmi_injections++;
  deliverNmi(vcpu.cpu);
}

function injectIrq(vcpu: Vcpu, vector: number): void {
  vcpu.stat.irq_injections++;
  if (vcpu.trace !== null) vcpu.trace.kvm_inj_virq(vector);
  deliverInterrupt(vcpu.cpu, vector);
}

/**
 * What userspace has put in: an NMI that is blocked by nothing, or the vector of KVM_INTERRUPT.
 *
 * @returns false when the processor would refuse the entry: an external interrupt with EFLAGS.IF = 0 or in the shadow of
 * STI or MOV SS (Intel SDM vol. 3C, “Checks on Guest RIP, RFLAGS, and SSP”, “Checks on Guest Non-Register State”).
 */
function injectFromUserspace(vcpu: Vcpu): boolean {
  const { cpu, events } = vcpu;
  if (events.nmiInjected !== 0) {
    events.nmiInjected = 0;
    cpu.pendingNmi++;
    injectNmi(vcpu);
    return true;
  }
  const vector = events.interruptVector;
  if (vector < 0) return true;
  if (events.interruptSoft === 0 && !interruptAllowed(cpu)) return false;
  events.interruptVector = -1;
  injectIrq(vcpu, vector);
  return true;
}

/**
 * Whether userspace waits for the moment at which it may call KVM_INTERRUPT.
 *
 * @kvm dm_request_for_irq_injection(vcpu) arch/x86/kvm/x86.c
 */
export function dmRequestForIrqInjection(vcpu: Vcpu): boolean {
  return vcpu.run.request_interrupt_window !== 0 && !vcpu.kvm.irqchipInKernel;
}

/**
 * Whether KVM_INTERRUPT would be delivered at once.
 *
 * @kvm kvm_vcpu_ready_for_interrupt_injection(vcpu) arch/x86/kvm/x86.c
 */
export function kvmVcpuReadyForInterruptInjection(vcpu: Vcpu): boolean {
  const { events } = vcpu;
  return interruptAllowed(vcpu.cpu) && events.interruptVector < 0 && events.nmiInjected === 0;
}

/**
 * Delivers what can be delivered now; asks for an exit as soon as the rest can be.
 *
 * @returns false when the VM entry fails.
 * @kvm kvm_check_and_inject_events(vcpu, req_immediate_exit) arch/x86/kvm/x86.c
 */
export function kvmCheckAndInjectEvents(vcpu: Vcpu): boolean {
  const { cpu } = vcpu;
  if (exceptionPending(cpu)) traceException(vcpu);
  else if (!injectFromUserspace(vcpu)) return false;
  if (nmiDue(cpu)) injectNmi(vcpu);
  if (vcpu.apic === null) {
    const isAsked = dmRequestForIrqInjection(vcpu) && vcpu.events.interruptVector < 0;
    cpu.interruptWindowExiting = isAsked ? 1 : 0;
    return true;
  }
  let isWaiting = kvmCpuHasInterrupt(vcpu);
  if (isWaiting && interruptAllowed(cpu)) {
    injectIrq(vcpu, kvmCpuGetInterrupt(vcpu));
    isWaiting = kvmCpuHasInterrupt(vcpu);
  }
  cpu.interruptWindowExiting = isWaiting ? 1 : 0;
  return true;
}

/**
 * Whether a vCPU in HLT has something to wake up for.
 *
 * @kvm kvm_vcpu_has_events(vcpu) arch/x86/kvm/x86.c (as vcpuHasEvents)
 */
export function vcpuHasEvents(vcpu: Vcpu): boolean {
  const { apic, cpu, events } = vcpu;
  if (exceptionPending(cpu) || nmiDue(cpu)) return true;
  if (events.nmiInjected !== 0 || events.interruptVector >= 0) return true;
  if (apic !== null && (apic.state.pending_events !== 0 || apic.state.pv_unhalted)) return true;
  return (cpu.sysFlags & X86_EFLAGS_IF) !== 0 && kvmCpuHasInterrupt(vcpu);
}
