/** How an instruction that cannot go on says so: `cpu.fault` and what belongs to it. */
import { type Cpu, FAULT_EXCEPTION, FAULT_MMIO, FAULT_NONE } from './cpu.ts';
import { PF_VECTOR } from './registers.ts';

/** Raises an exception in the instruction that is executing. The first one raised counts. */
export function raise(cpu: Cpu, vector: number, errorCode: number): void {
  if (cpu.fault !== FAULT_NONE) return;
  cpu.fault = FAULT_EXCEPTION | vector;
  // An instruction that does not complete meets no data breakpoint.
  cpu.debug.hits = 0;
  cpu.faultErrorCode = errorCode;
}

/** #PF for a linear address; it gets into CR2 when the fault is delivered. */
export function raisePageFault(cpu: Cpu, linear: number, errorCode: number): void {
  if (cpu.fault !== FAULT_NONE) return;
  cpu.faultAddress = linear;
  raise(cpu, PF_VECTOR, errorCode);
}

/** `Cpu.exitQualification` of an EPT violation: what the access was. */
export const EPT_READ = 1;
export const EPT_WRITE = 2;
export const EPT_FETCH = 4;

/** An access at guest-physical address `pa` (unsigned) met no memory: leave as an EPT violation. */
export function raiseEptViolation(cpu: Cpu, pa: number, qualification: number): void {
  if (cpu.fault !== FAULT_NONE) return;
  cpu.fault = FAULT_MMIO;
  cpu.debug.hits = 0;
  cpu.exitGuestPhysicalAddress = pa;
  cpu.exitQualification = qualification;
}
