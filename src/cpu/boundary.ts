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
import {
  ACTIVITY_ACTIVE,
  ACTIVITY_HLT,
  type Cpu,
  EXIT_QUAL_INTERNAL,
  FAULT_INTERNAL,
  FAULT_NONE,
} from './cpu.ts';
import { deliverEvent } from './exceptions.ts';
import { deliverNmi, interruptAllowed, nmiAllowed } from './interrupts.ts';
import { privilegeChanged } from './privilege.ts';
import { EVENT_EXCEPTION } from './protected-delivery.ts';
import { DB_VECTOR } from './registers.ts';
import { DR6_BT } from './task-switch.ts';

/** No reason to leave. */
export const NO_EXIT = -1;

/** DR6.BS: the trap is a single step. */
const DR6_BS = 1 << 14;

/** Handles what is due at `cpu.eip`. @returns an exit reason, or {@link NO_EXIT} when the next instruction may run. */
export function boundary(cpu: Cpu): number {
  privilegeChanged(cpu);
  if (cpu.queuedVector >= 0) {
    const vector = cpu.queuedVector;
    cpu.queuedVector = -1;
    deliverEvent(cpu, vector, cpu.queuedErrorCode, cpu.eip, EVENT_EXCEPTION);
  }
  if (cpu.pendingDebugTrap !== 0) {
    cpu.dr[6] |= (cpu.pendingDebugTrap & DR6_BT) | ((cpu.pendingDebugTrap & 1) !== 0 ? DR6_BS : 0);
    cpu.pendingDebugTrap = 0;
    deliverEvent(cpu, DB_VECTOR, 0, cpu.eip, EVENT_EXCEPTION);
  }
  if (cpu.pendingNmi !== 0 && nmiAllowed(cpu)) deliverNmi(cpu);
  if (cpu.activityState !== ACTIVITY_ACTIVE) {
    return cpu.activityState === ACTIVITY_HLT ? EXIT_REASON_HLT : EXIT_REASON_TRIPLE_FAULT;
  }
  if (cpu.fault === FAULT_INTERNAL) {
    cpu.fault = FAULT_NONE;
    cpu.exitQualification = EXIT_QUAL_INTERNAL;
    return EXIT_REASON_EXCEPTION_NMI;
  }
  if (cpu.interruptWindowExiting !== 0 && interruptAllowed(cpu)) return EXIT_REASON_INTERRUPT_WINDOW;
  return NO_EXIT;
}
