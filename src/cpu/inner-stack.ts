/**
 * The stack of an inner privilege level: where the TSS says it is, what makes it fit to be used, and the frame that a call
 * gate or an interrupt puts there. Nothing changes before the whole frame is known to go in.
 *
 * Intel SDM vol. 3A, “Stack Switching”, “Task-State Segment (TSS)”; pseudo-code of “CALL” and “INT n” in vol. 2.
 */
import { SEG_SS, SEG_TR } from '../decoder/insn.ts';
import { type Cpu, FAULT_NONE } from './cpu.ts';
import { Descriptor, raiseSelector, setAccessed, TYPE_32 } from './descriptor.ts';
import { AR_DB, AR_TYPE_EXPAND_DOWN, ESP, SS_VECTOR, TS_VECTOR } from './registers.ts';
import { checkStackSegment, loadChecked } from './segments.ts';
import { probeSystemWrite, readSystem16, readSystem32, writeSystem } from './system-access.ts';

/** The stack that {@link readInnerStack} found. */
const stack = new Descriptor();
const found = { selector: 0, esp: 0 };

/** Values to push, in this order: at most SS, ESP, 31 parameters, CS, EIP; or GS … EIP and an error code. */
export const frame = new Int32Array(40);

/**
 *     IF TSS is 32-bit
 *       THEN address ← (DPL × 8) + 4; IF address + 5 > TSS limit THEN #TS(TR); SS ← [address + 4]; ESP ← [address]
 *       ELSE address ← (DPL × 4) + 2; IF address + 3 > TSS limit THEN #TS(TR); SS ← [address + 2]; SP ← [address]
 *     IF SS is null, beyond its table, or not a writable data segment of level DPL THEN #TS(SS)
 *     IF not present THEN #SS(SS)
 *
 * @returns false with the fault raised.
 */
export function readInnerStack(cpu: Cpu, level: number, ext: number): boolean {
  const width = (cpu.segAttr[SEG_TR] & TYPE_32) !== 0 ? 4 : 2;
  const at = width + level * 2 * width;
  // KVM on a host that delivers events in software does not look at the limit (vectors pio-prot3, pio-v86: limit 0).
  if (cpu.emulatedHost === 0 && at + width + 1 > cpu.segLimit[SEG_TR]) {
    return raiseSelector(cpu, TS_VECTOR, cpu.segSelector[SEG_TR], ext);
  }
  const address = cpu.segBase[SEG_TR] + at;
  found.esp = width === 4 ? readSystem32(cpu, address) : readSystem16(cpu, address);
  found.selector = readSystem16(cpu, address + width);
  if (cpu.fault !== FAULT_NONE) return false;
  return checkStackSegment(cpu, found.selector, level, stack, TS_VECTOR, ext);
}

/** Whether `len` bytes from `offset` lie within the stack segment. */
function isWithin(offset: number, len: number): boolean {
  const first = offset >>> 0;
  const last = first + len - 1;
  if ((stack.attr & AR_TYPE_EXPAND_DOWN) === 0) return last <= stack.limit;
  return first > stack.limit && last <= ((stack.attr & AR_DB) !== 0 ? 0xffffffff : 0xffff);
}

/**
 * Whether `count` values of `width` bytes can be pushed onto the inner stack.
 *
 *     IF the new stack does not have room THEN #SS(SS)
 */
export function probeInnerFrame(cpu: Cpu, count: number, width: number, ext: number): boolean {
  const mask = (stack.attr & AR_DB) !== 0 ? -1 : 0xffff;
  for (let i = 1; i <= count; i++) {
    const offset = (found.esp - i * width) & mask;
    if (!isWithin(offset, width)) return raiseSelector(cpu, SS_VECTOR, found.selector, ext);
    if (!probeSystemWrite(cpu, stack.base + offset, width)) return false;
  }
  return true;
}

/** Sets the accessed bit of the inner stack, when no other check is left. @returns false with a fault raised. */
export function markInnerStack(cpu: Cpu): boolean {
  return setAccessed(cpu, stack);
}

/** Pushes the first `count` values of {@link frame} and makes the inner stack the present one. Probed before. */
export function enterInnerStack(cpu: Cpu, count: number, width: number): void {
  const is32 = (stack.attr & AR_DB) !== 0;
  const mask = is32 ? -1 : 0xffff;
  for (let i = 1; i <= count; i++) {
    writeSystem(cpu, (stack.base + ((found.esp - i * width) & mask)) | 0, width, frame[i - 1]);
  }
  const sp = (found.esp - count * width) & mask;
  loadChecked(cpu, SEG_SS, found.selector, stack);
  // With a 16-bit stack the rest of ESP is what the TSS has there.
  cpu.gpr[ESP] = is32 ? sp : (found.esp & ~0xffff) | sp;
}
