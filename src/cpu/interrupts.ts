/**
 * External interrupts and what holds them back.
 *
 * Intel SDM vol. 3A, “Enabling and Disabling Interrupts”, “Masking Exceptions and Interrupts When Switching Stacks”.
 */
import type { Cpu } from './cpu.ts';
import { deliverEvent } from './exceptions.ts';
import { EVENT_INTERRUPT } from './protected-delivery.ts';
import { NMI_VECTOR, X86_EFLAGS_IF } from './registers.ts';

/** Whether a maskable interrupt can be delivered at this instruction boundary. */
export function interruptAllowed(cpu: Cpu): boolean {
  return (cpu.sysFlags & X86_EFLAGS_IF) !== 0 && isOpen(cpu);
}

/** Whether an NMI can be delivered at this boundary. KVM: STI holds it back as MOV SS does (`vmx_nmi_blocked`). */
export function nmiAllowed(cpu: Cpu): boolean {
  return cpu.nmiMasked === 0 && isOpen(cpu);
}

/** Neither a shadow nor an event that goes first. */
function isOpen(cpu: Cpu): boolean {
  return (
    cpu.interruptShadow === 0 &&
    cpu.queuedVector < 0 &&
    cpu.pendingDebugTrap === 0 &&
    cpu.debug.blockIrq === 0
  );
}

/** Delivers a maskable interrupt now (VM-entry event injection). Ends HLT. */
export function deliverInterrupt(cpu: Cpu, vector: number): void {
  deliverEvent(cpu, vector, 0, cpu.eip, EVENT_INTERRUPT);
  cpu.attention = 1;
}

/** Delivers an NMI now; the next one waits for an IRET. */
export function deliverNmi(cpu: Cpu): void {
  cpu.pendingNmi--;
  cpu.nmiMasked = 1;
  deliverEvent(cpu, NMI_VECTOR, 0, cpu.eip, EVENT_INTERRUPT);
  cpu.attention = 1;
}
