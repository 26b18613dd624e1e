/**
 * What happens between two instructions: queued exceptions, the single-step trap, NMI, the interrupt window.
 *
 * Intel SDM vol. 3A, “Priority Among Concurrent Events”.
 */
import {
  EXIT_REASON_EXCEPTION_NMI,
  EXIT_REASON_HLT,
  EXIT_REASON_INTERRUPT_WINDOW,
  EXIT_REASON_TRIPLE_FAULT,
} from '../uapi/vmx.ts';
import { beginInstruction, takeHits } from './breakpoints.ts';
import {
  ACTIVITY_ACTIVE,
  ACTIVITY_HLT,
  type Cpu,
  EXIT_QUAL_INTERNAL,
  FAULT_INTERNAL,
  FAULT_NONE,
  KVM_X86_SHADOW_INT_MOV_SS,
} from './cpu.ts';
import { deliverDebugException, exceptionExit, isIntercepted } from './debug-exception.ts';
import { deliverEvent } from './exceptions.ts';
import { deliverNmi, interruptAllowed, nmiAllowed } from './interrupts.ts';
import { privilegeChanged } from './privilege.ts';
import { EVENT_EXCEPTION, EVENT_SOFTWARE } from './protected-delivery.ts';
import { BP_VECTOR, DB_VECTOR } from './registers.ts';

/** No reason to leave. */
export const NO_EXIT = -1;

/** Delivers an exception that the host has queued. */
function deliverQueued(cpu: Cpu): void {
  const vector = cpu.queuedVector;
  cpu.queuedVector = -1;
  if (vector === DB_VECTOR) {
    deliverDebugException(cpu, cpu.queuedErrorCode, cpu.eip);
  } else if (vector === BP_VECTOR) {
    // A software exception: the frame points behind the INT3 that the host says has been there.
    deliverEvent(cpu, vector, 0, (cpu.eip + cpu.entryInstructionLength) | 0, EVENT_SOFTWARE);
  } else {
    deliverEvent(cpu, vector, cpu.queuedErrorCode, cpu.eip, EVENT_EXCEPTION);
  }
}

/** Handles what is due at `cpu.eip`. @returns an exit reason, or {@link NO_EXIT} when the next instruction may run. */
export function boundary(cpu: Cpu): number {
  privilegeChanged(cpu);
  if (cpu.debug.hits !== 0) takeHits(cpu);
  if (cpu.queuedVector >= 0) deliverQueued(cpu);
  // Behind a load of SS, its data breakpoint waits for the end of the next instruction.
  if (cpu.pendingDebugTrap !== 0 && (cpu.interruptShadow & KVM_X86_SHADOW_INT_MOV_SS) === 0) {
    const payload = cpu.pendingDebugTrap;
    cpu.pendingDebugTrap = 0;
    if (isIntercepted(cpu, DB_VECTOR)) return exceptionExit(cpu, DB_VECTOR, payload, 0);
    deliverDebugException(cpu, payload, cpu.eip);
  }
  if (cpu.pendingNmi !== 0 && nmiAllowed(cpu)) deliverNmi(cpu);
  if (cpu.activityState !== ACTIVITY_ACTIVE) {
    return cpu.activityState === ACTIVITY_HLT ? EXIT_REASON_HLT : EXIT_REASON_TRIPLE_FAULT;
  }
  if (cpu.fault === FAULT_INTERNAL) {
    cpu.fault = FAULT_NONE;
    cpu.exitQualification = EXIT_QUAL_INTERNAL;
    cpu.exitInterruptionInfo = 0;
    return EXIT_REASON_EXCEPTION_NMI;
  }
  if (cpu.interruptWindowExiting !== 0 && interruptAllowed(cpu)) return EXIT_REASON_INTERRUPT_WINDOW;
  if (cpu.debug.armed !== 0) beginInstruction(cpu);
  return NO_EXIT;
}
