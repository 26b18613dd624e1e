/**
 * Events on their way into the guest, looked at before every VM entry (Linux: arch/x86/kvm/x86.c,
 * `kvm_check_and_inject_events`; arch/x86/kvm/irq.c, `kvm_cpu_has_injectable_intr`).
 *
 * Order: an exception or single-step trap that an exit handler has queued, then an interrupt of the PIC.
 */
import type { Cpu } from '../cpu/cpu.ts';
import { deliverInterrupt, interruptAllowed, nmiAllowed } from '../cpu/interrupts.ts';
import { DB_VECTOR, X86_EFLAGS_IF } from '../cpu/registers.ts';
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

/**
 * Delivers what can be delivered now; asks for an exit as soon as the rest can be.
 *
 * @kvm kvm_check_and_inject_events(vcpu, req_immediate_exit) arch/x86/kvm/x86.c
 */
export function kvmCheckAndInjectEvents(vcpu: Vcpu): void {
  const { cpu } = vcpu;
  const { pic } = vcpu.kvm;
  const hasException = exceptionPending(cpu);
  if (hasException) traceException(vcpu);
  if (pic === null) return;
  if (pic.output !== 0 && !hasException && interruptAllowed(cpu)) {
    const vector = pic.readIrq();
    vcpu.stat.irq_injections++;
    if (vcpu.trace !== null) vcpu.trace.kvm_inj_virq(vector);
    deliverInterrupt(cpu, vector);
  }
  cpu.interruptWindowExiting = pic.output;
}

/**
 * Whether a vCPU in HLT has something to wake up for.
 *
 * @kvm kvm_vcpu_has_events(vcpu) arch/x86/kvm/x86.c (as vcpuHasEvents)
 */
export function vcpuHasEvents(vcpu: Vcpu): boolean {
  const { cpu } = vcpu;
  const { pic } = vcpu.kvm;
  if (exceptionPending(cpu) || (cpu.pendingNmi !== 0 && nmiAllowed(cpu))) return true;
  return pic !== null && pic.output !== 0 && (cpu.sysFlags & X86_EFLAGS_IF) !== 0;
}
