/**
 * The stack: pushes and pops with the stack's own address size (SS.B).
 *
 * Intel SDM vol. 1, “Procedure Stack”.
 */
import { SEG_SS } from '../decoder/insn.ts';
import { loadSized, storeSized } from './access.ts';
import { type Cpu, FAULT_NONE } from './cpu.ts';
import { AR_DB, ESP, SP } from './registers.ts';

/** 0xffff or −1: which part of ESP is the stack pointer. */
export function stackMask(cpu: Cpu): number {
  return (cpu.segAttr[SEG_SS] & AR_DB) !== 0 ? -1 : 0xffff;
}

/** Sets SP or ESP, whichever the stack uses. */
export function setStackPointer(cpu: Cpu, value: number): void {
  if ((cpu.segAttr[SEG_SS] & AR_DB) !== 0) cpu.gpr[ESP] = value;
  else cpu.r16[SP] = value;
}

/** Pushes 2 or 4 bytes. On a fault nothing has changed. */
export function push(cpu: Cpu, size: number, value: number): void {
  const sp = (cpu.gpr[ESP] - size) & stackMask(cpu);
  storeSized(cpu, SEG_SS, sp, size, value);
  if (cpu.fault === FAULT_NONE) setStackPointer(cpu, sp);
}

/** Reads `size` bytes at `depth` bytes above the top of the stack and leaves the pointer alone. */
export function peek(cpu: Cpu, size: number, depth: number): number {
  return loadSized(cpu, SEG_SS, (cpu.gpr[ESP] + depth) & stackMask(cpu), size);
}

/** Takes `bytes` off the stack. */
export function drop(cpu: Cpu, bytes: number): void {
  setStackPointer(cpu, (cpu.gpr[ESP] + bytes) & stackMask(cpu));
}

/** Pops 2 or 4 bytes; 0 on a fault, the pointer then unchanged. 32-bit values come as int32. */
export function pop(cpu: Cpu, size: number): number {
  const value = peek(cpu, size, 0);
  if (cpu.fault !== FAULT_NONE) return 0;
  drop(cpu, size);
  return value;
}
