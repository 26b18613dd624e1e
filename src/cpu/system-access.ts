/**
 * Implicit supervisor-mode accesses: what the processor reads and writes by itself, whatever the current privilege level —
 * descriptor tables, task-state segments, the stacks of inner levels.
 *
 * They never leave as MMIO: where no memory is, reads give ones and writes vanish (docs/deviations.md). A fault is left in
 * `cpu.fault`; the read then returns 0, the write changes nothing.
 *
 * Intel SDM vol. 3A, “Determination of Access Rights” (implicit supervisor-mode accesses).
 */
import { probeSystem, readSystem, writeSystem as writeSupervisor } from './access.ts';
import { type Cpu, FAULT_NONE, type MmioPort } from './cpu.ts';

/** Nobody answers. */
export const OPEN_BUS: MmioPort = {
  mmioRead: (_pa, size) => (size === 4 ? 0xffffffff : (1 << (8 * size)) - 1),
  mmioWrite: () => {},
};

function read(cpu: Cpu, linear: number, size: number): number {
  const { mmio } = cpu;
  cpu.mmio = OPEN_BUS;
  const value = readSystem(cpu, linear, size);
  cpu.mmio = mmio;
  return cpu.fault === FAULT_NONE ? value : 0;
}

/** Reads a byte, unsigned. */
export function readSystem8(cpu: Cpu, linear: number): number {
  return read(cpu, linear | 0, 1);
}

/** Reads a word, unsigned. */
export function readSystem16(cpu: Cpu, linear: number): number {
  return read(cpu, linear | 0, 2);
}

/** Reads a doubleword, as int32. */
export function readSystem32(cpu: Cpu, linear: number): number {
  return read(cpu, linear | 0, 4) | 0;
}

/** Writes the low `size` bytes (1, 2 or 4) of `value`. */
export function writeSystem(cpu: Cpu, linear: number, size: number, value: number): void {
  const { mmio } = cpu;
  cpu.mmio = OPEN_BUS;
  writeSupervisor(cpu, linear | 0, size, value);
  cpu.mmio = mmio;
}

/** Writes a byte. */
export function writeSystem8(cpu: Cpu, linear: number, value: number): void {
  writeSystem(cpu, linear, 1, value);
}

/** Writes a word. */
export function writeSystem16(cpu: Cpu, linear: number, value: number): void {
  writeSystem(cpu, linear, 2, value);
}

/** Writes a doubleword. */
export function writeSystem32(cpu: Cpu, linear: number, value: number): void {
  writeSystem(cpu, linear, 4, value);
}

/**
 * Whether a write of `len` bytes (at most a page) at `linear` would succeed: raises the fault it would raise and changes
 * nothing else.
 */
export function probeSystemWrite(cpu: Cpu, linear: number, len: number): boolean {
  const { mmio } = cpu;
  cpu.mmio = OPEN_BUS;
  const isGood = probeSystem(cpu, linear | 0, len);
  cpu.mmio = mmio;
  return isGood && cpu.fault === FAULT_NONE;
}
