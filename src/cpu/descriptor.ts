/**
 * Segment and gate descriptors in the GDT, LDT and IDT.
 *
 * | bits of the high doubleword | segment | gate |
 * | --- | --- | --- |
 * | 31:16 | base 31:24, G, D/B, L, AVL, limit 19:16, base 23:16 | offset 31:16 |
 * | 15    | P | P |
 * | 14:13 | DPL | DPL |
 * | 12    | S | 0 |
 * | 11:8  | type | type |
 * | 7:0   | base 23:16 | parameter count 4:0 |
 *
 * Intel SDM vol. 3A, “Segment Selectors”, “Segment Descriptors”, “System Descriptor Types”.
 */
import { SEG_LDTR } from '../decoder/insn.ts';
import { raise } from './access.ts';
import { type Cpu, FAULT_NONE } from './cpu.ts';
import {
  AR_DPL_SHIFT,
  AR_G,
  AR_P,
  AR_S,
  AR_TYPE_ACCESSED,
  AR_TYPE_CODE,
  AR_TYPE_CONFORMING,
  AR_TYPE_WRITABLE,
  AR_UNUSABLE,
} from './registers.ts';
import { probeSystemWrite, readSystem32, writeSystem8 } from './system-access.ts';

/** Selector bits: table indicator (1: LDT), and the mask of index and indicator. */
export const SELECTOR_TI = 4;
export const SELECTOR_MASK = 0xfffc;
const SELECTOR_INDEX = 0xfff8;

/** Error code bit: the event was external to the program. */
export const ERROR_EXT = 1;
/** Error code bit: the index is one of the IDT. */
export const ERROR_IDT = 2;

/** System descriptor types. */
export const TYPE_TSS16 = 1;
export const TYPE_LDT = 2;
export const TYPE_TSS16_BUSY = 3;
export const TYPE_CALL_GATE16 = 4;
export const TYPE_TASK_GATE = 5;
export const TYPE_INTERRUPT_GATE16 = 6;
export const TYPE_TRAP_GATE16 = 7;
export const TYPE_TSS32 = 9;
export const TYPE_TSS32_BUSY = 11;
export const TYPE_CALL_GATE32 = 12;
export const TYPE_INTERRUPT_GATE32 = 14;
export const TYPE_TRAP_GATE32 = 15;
/** Bit of a system type that says “32 bits”, and the one that says “busy” of a TSS. */
export const TYPE_32 = 8;
export const TYPE_BUSY = 2;

/** One descriptor, taken apart. Kept and reused: nothing is allocated while a guest runs. */
export class Descriptor {
  /** Linear address it was read from. */
  at = 0;
  low = 0;
  high = 0;
  base = 0;
  /** In bytes, unsigned. */
  limit = 0;
  /** AR_* */
  attr = 0;
}

/** RPL of a selector. */
export const rplOf = (selector: number): number => selector & 3;
/** Index 0 of the GDT. */
export const isNull = (selector: number): boolean => (selector & SELECTOR_MASK) === 0;
/** DPL of access rights. */
export const dplOf = (attr: number): number => (attr >> AR_DPL_SHIFT) & 3;
/** S and type: a system descriptor's type, or 16 and more. */
export const systemType = (attr: number): number => attr & 31;
/** A code segment. */
export const isCode = (attr: number): boolean => (attr & (AR_S | AR_TYPE_CODE)) === (AR_S | AR_TYPE_CODE);
/** A conforming code segment. */
export const isConforming = (attr: number): boolean => isCode(attr) && (attr & AR_TYPE_CONFORMING) !== 0;
/** A writable data segment. */
export const isWritableData = (attr: number): boolean =>
  (attr & (AR_S | AR_TYPE_CODE | AR_TYPE_WRITABLE)) === (AR_S | AR_TYPE_WRITABLE);
/** A data segment, or a readable code segment. */
export const isReadable = (attr: number): boolean =>
  (attr & AR_S) !== 0 && ((attr & AR_TYPE_CODE) === 0 || (attr & AR_TYPE_WRITABLE) !== 0);
/** P */
export const isPresent = (attr: number): boolean => (attr & AR_P) !== 0;
/** The offset of a gate. */
export function gateOffset(d: Descriptor): number {
  return (d.attr & TYPE_32) !== 0 ? (d.low & 0xffff) | (d.high & 0xffff0000) : d.low & 0xffff;
}

/** Raises a fault whose error code is the selector's index (and EXT, where the event is external). @returns false */
export function raiseSelector(cpu: Cpu, vector: number, selector: number, ext: number): false {
  raise(cpu, vector, (selector & SELECTOR_MASK) | ext);
  return false;
}

/** Reads the eight bytes at `at`. @returns false with a fault raised. */
export function readDescriptorAt(cpu: Cpu, at: number, d: Descriptor): boolean {
  const low = readSystem32(cpu, at);
  const high = readSystem32(cpu, (at + 4) | 0);
  if (cpu.fault !== FAULT_NONE) return false;
  d.at = at | 0;
  d.low = low;
  d.high = high;
  d.base = (low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000);
  d.attr = (high >>> 8) & 0xf0ff;
  const limit = (low & 0xffff) | (high & 0xf0000);
  d.limit = (d.attr & AR_G) !== 0 ? limit * 0x1000 + 0xfff : limit;
  return true;
}

/**
 * Reads the descriptor of `selector`. @returns false when it lies beyond its table (nothing is raised), or with a fault
 * raised by the access itself.
 */
export function readDescriptor(cpu: Cpu, selector: number, d: Descriptor): boolean {
  const isLocal = (selector & SELECTOR_TI) !== 0;
  if (isLocal && (cpu.segAttr[SEG_LDTR] & (AR_P | AR_UNUSABLE)) !== AR_P) return false;
  const offset = selector & SELECTOR_INDEX;
  if (offset + 7 > (isLocal ? cpu.segLimit[SEG_LDTR] : cpu.gdtLimit)) return false;
  return readDescriptorAt(cpu, (isLocal ? cpu.segBase[SEG_LDTR] : cpu.gdtBase) + offset, d);
}

/** As {@link readDescriptor}; beyond the table it raises `vector` with the selector as error code. */
export function requireDescriptor(
  cpu: Cpu,
  selector: number,
  d: Descriptor,
  vector: number,
  ext: number,
): boolean {
  return readDescriptor(cpu, selector, d) || raiseSelector(cpu, vector, selector, ext);
}

/** The byte that holds P, DPL, S and the type. */
const ACCESS_BYTE = 5;

/** Whether {@link writeType} would succeed; raises the fault otherwise. */
export function probeType(cpu: Cpu, d: Descriptor): boolean {
  return probeSystemWrite(cpu, (d.at + ACCESS_BYTE) | 0, 1);
}

/** Writes P, DPL, S and the type back as they are in `attr`. */
export function writeType(cpu: Cpu, d: Descriptor): void {
  writeSystem8(cpu, (d.at + ACCESS_BYTE) | 0, d.attr & 0xff);
}

/** Sets the accessed bit of a code or data segment, in memory and in `d`. @returns false with a fault raised. */
export function setAccessed(cpu: Cpu, d: Descriptor): boolean {
  if ((d.attr & AR_TYPE_ACCESSED) !== 0) return true;
  d.attr |= AR_TYPE_ACCESSED;
  writeType(cpu, d);
  return cpu.fault === FAULT_NONE;
}
