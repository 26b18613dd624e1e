/**
 * Task-state segments: layout, saving and reading the state of a task.
 *
 * | field | 32-bit TSS | 16-bit TSS |
 * | --- | --- | --- |
 * | previous task link | 0 | 0 |
 * | stacks of levels 0–2 | 4 | 2 |
 * | CR3 | 1CH | – |
 * | (E)IP, (E)FLAGS | 20H | 0EH |
 * | eight general registers | 28H | 12H |
 * | ES CS SS DS (FS GS) | 48H | 22H |
 * | LDT | 60H | 2AH |
 * | T, I/O map base | 64H, 66H | – |
 *
 * Intel SDM vol. 3A, “Task-State Segment (TSS)”, “16-Bit Task-State Segment (TSS)”.
 */
import { SEG_FS, SEG_GS, SEG_TR } from '../decoder/insn.ts';
import { type Cpu, FAULT_NONE } from './cpu.ts';
import { TYPE_32 } from './descriptor.ts';
import { probeSystemWrite, readSystem16, readSystem32, writeSystem, writeSystem16 } from './system-access.ts';

/** Smallest limits. */
export const TSS32_MIN_LIMIT = 0x67;
export const TSS16_MIN_LIMIT = 0x2b;

const CR3_OFFSET = 0x1c;
const EIP_OFFSET_32 = 0x20;
const EIP_OFFSET_16 = 0x0e;
const LDT_OFFSET_32 = 0x60;
const LDT_OFFSET_16 = 0x2a;
const UPPER_AFTER_TSS16 = 0xffff_0000 | 0;
const T_OFFSET = 0x64;
/** The 16-bit offset of the I/O permission bit map in a 32-bit TSS. */
export const IO_MAP_BASE_OFFSET = 0x66;

/** A task's state as its TSS holds it. */
export class TaskState {
  is32 = true;
  cr3 = 0;
  eip = 0;
  eflags = 0;
  readonly gpr = new Int32Array(8);
  /** By SEG_*; FS and GS are not in a 16-bit TSS: null then. */
  readonly selectors = new Int32Array(6);
  ldt = 0;
  /** The debug trap flag. */
  trap = false;
}

function readField(cpu: Cpu, at: number, is32: boolean): number {
  return is32 ? readSystem32(cpu, at) : readSystem16(cpu, at);
}

/** Reads a task's state. @returns false with a fault raised. */
export function readTask(cpu: Cpu, base: number, is32: boolean, into: TaskState): boolean {
  const width = is32 ? 4 : 2;
  const first = base + (is32 ? EIP_OFFSET_32 : EIP_OFFSET_16);
  into.is32 = is32;
  into.cr3 = is32 ? readSystem32(cpu, base + CR3_OFFSET) : 0;
  into.eip = readField(cpu, first, is32);
  into.eflags = readField(cpu, first + width, is32);
  // The manual leaves the upper halves after a 16-bit TSS undefined: a 386 has ones there (test386), KVM zeros.
  const upper = is32 ? 0 : UPPER_AFTER_TSS16;
  for (let i = 0; i < 8; i++) into.gpr[i] = readField(cpu, first + (2 + i) * width, is32) | upper;
  for (let seg = 0; seg < (is32 ? 6 : 4); seg++) {
    into.selectors[seg] = readSystem16(cpu, first + (10 + seg) * width);
  }
  // A 16-bit TSS has no FS and GS: they become null (KVM leaves them as they are).
  if (!is32) {
    into.selectors[SEG_FS] = 0;
    into.selectors[SEG_GS] = 0;
  }
  into.ldt = readSystem16(cpu, base + (is32 ? LDT_OFFSET_32 : LDT_OFFSET_16));
  into.trap = is32 && (readSystem16(cpu, base + T_OFFSET) & 1) !== 0;
  return cpu.fault === FAULT_NONE;
}

const is32BitTask = (cpu: Cpu): boolean => (cpu.segAttr[SEG_TR] & TYPE_32) !== 0;

/** Whether {@link saveTask} would succeed; raises the fault otherwise. */
export function probeSaveTask(cpu: Cpu): boolean {
  const first = is32BitTask(cpu) ? EIP_OFFSET_32 : EIP_OFFSET_16;
  const end = is32BitTask(cpu) ? LDT_OFFSET_32 : LDT_OFFSET_16;
  return probeSystemWrite(cpu, (cpu.segBase[SEG_TR] + first) | 0, end - first);
}

/** Writes the state of the present task into its TSS: from EIP to the last segment register. Probed before. */
export function saveTask(cpu: Cpu, eip: number, eflags: number): void {
  const is32 = is32BitTask(cpu);
  const width = is32 ? 4 : 2;
  const first = cpu.segBase[SEG_TR] + (is32 ? EIP_OFFSET_32 : EIP_OFFSET_16);
  writeSystem(cpu, first, width, eip);
  writeSystem(cpu, first + width, width, eflags);
  for (let i = 0; i < 8; i++) writeSystem(cpu, first + (2 + i) * width, width, cpu.gpr[i]);
  // The upper halves of the selector slots are reserved: left alone.
  for (let seg = 0; seg < (is32 ? 6 : 4); seg++) {
    writeSystem(cpu, first + (10 + seg) * width, 2, cpu.segSelector[seg]);
  }
}

/** Whether {@link writeLink} would succeed. */
export function probeLink(cpu: Cpu, base: number): boolean {
  return probeSystemWrite(cpu, base, 2);
}

/** Writes the previous task link of the TSS at `base`. Probed before. */
export function writeLink(cpu: Cpu, base: number, selector: number): void {
  writeSystem16(cpu, base, selector);
}

/** Reads the previous task link of the present task. 0 with a fault raised. */
export function readLink(cpu: Cpu): number {
  return readSystem16(cpu, cpu.segBase[SEG_TR]);
}
