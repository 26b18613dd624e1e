/**
 * #DB and #BP: into DR6 and through the IDT, or out to the host when it asked for them (the VMCS's exception bitmap).
 *
 * Intel SDM vol. 3B, “Debug Exceptions”; vol. 3C, “Exit Qualification for Debug Exceptions”.
 */
import { EXIT_REASON_EXCEPTION_NMI, INTR_INFO_VALID_MASK, INTR_TYPE_HARD_EXCEPTION } from '../uapi/vmx.ts';
import type { Cpu } from './cpu.ts';
import { DR_TRAP_BITS, DR6_ACTIVE_LOW, DR7_GD } from './debug-state.ts';
import { deliverEvent } from './exceptions.ts';
import { EVENT_EXCEPTION } from './protected-delivery.ts';
import { DB_VECTOR } from './registers.ts';

/** A queued #DB without a payload: DR6 stays as it is. */
export const NO_PAYLOAD = -1;

/** Whether the host wants to see exceptions of this vector. */
export function isIntercepted(cpu: Cpu, vector: number): boolean {
  return (cpu.exceptionBitmap & (1 << vector)) !== 0;
}

/**
 * DR6 and DR7 as a #DB leaves them. B0–B3 are replaced, the other conditions of DR6 stay until software clears them; DR7.GD ends
 * (Linux: `kvm_deliver_exception_payload`).
 *
 * @param payload DR6 bits of the conditions, or {@link NO_PAYLOAD}.
 */
export function deliverDebugPayload(cpu: Cpu, payload: number): void {
  if (payload !== NO_PAYLOAD) cpu.dr[6] = (cpu.dr[6] & ~DR_TRAP_BITS) | DR6_ACTIVE_LOW | payload;
  if ((cpu.dr[7] & DR7_GD) !== 0) {
    cpu.dr[7] &= ~DR7_GD;
    cpu.debug.update(cpu);
  }
}

/** #DB to the guest. @param payload see {@link deliverDebugPayload}. */
export function deliverDebugException(cpu: Cpu, payload: number, returnEip: number): void {
  deliverDebugPayload(cpu, payload);
  deliverEvent(cpu, DB_VECTOR, 0, returnEip, EVENT_EXCEPTION);
}

/**
 * Leaves with an exception instead of delivering it. DR6 is not touched.
 *
 * @param qualification DR6 bits of a #DB, else 0.
 * @param length of INT1 and INT3, else 0.
 * @returns EXIT_REASON_EXCEPTION_NMI.
 */
export function exceptionExit(cpu: Cpu, vector: number, qualification: number, length: number): number {
  cpu.exitReason = EXIT_REASON_EXCEPTION_NMI;
  cpu.exitInterruptionInfo = INTR_INFO_VALID_MASK | INTR_TYPE_HARD_EXCEPTION | vector;
  cpu.exitQualification = qualification;
  cpu.exitInstructionLength = length;
  cpu.exitInsn = null;
  return EXIT_REASON_EXCEPTION_NMI;
}
