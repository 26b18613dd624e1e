/**
 * Segment register loads: MOV, POP, LDS … LSS, and the caches that far transfers leave.
 *
 * In real mode a load sets selector and base; limit and access rights stay as they are (“unreal mode” lives on that).
 *
 * Intel SDM vol. 3A, “Segment Registers”, “Type Checking”, “Privilege Level Checking When Accessing Data Segments”;
 * vol. 3B, “Real-Address Mode Operation”, “Virtual-8086 Mode”; pseudo-code of “MOV” in vol. 2.
 */
import { SEG_CS, SEG_DS, SEG_ES, SEG_FS, SEG_GS, SEG_SS } from '../decoder/insn.ts';
import type { Cpu } from './cpu.ts';
import {
  Descriptor,
  dplOf,
  isConforming,
  isNull,
  isPresent,
  isReadable,
  isWritableData,
  raiseSelector,
  requireDescriptor,
  rplOf,
  setAccessed,
} from './descriptor.ts';
import { cpl } from './privilege.ts';
import {
  AR_DPL_SHIFT,
  AR_REAL_DATA,
  AR_UNUSABLE,
  GP_VECTOR,
  NP_VECTOR,
  SS_VECTOR,
  X86_EFLAGS_VM,
} from './registers.ts';

/** Access rights of every segment in virtual-8086 mode: as in real mode, DPL 3. */
const AR_V86 = AR_REAL_DATA | (3 << AR_DPL_SHIFT);

const d = new Descriptor();

/** Loads a segment register in real mode. */
export function loadSegmentReal(cpu: Cpu, seg: number, selector: number): void {
  cpu.segSelector[seg] = selector & 0xffff;
  cpu.segBase[seg] = (selector & 0xffff) << 4;
}

/** Loads a segment register in virtual-8086 mode: limit and access rights are fixed. */
export function loadSegmentV86(cpu: Cpu, seg: number, selector: number): void {
  cpu.setSegment(seg, selector & 0xffff, (selector & 0xffff) << 4, 0xffff, AR_V86);
}

/** Puts a null selector into a data segment register: it may be held, not used. */
export function loadNull(cpu: Cpu, seg: number, selector: number): void {
  cpu.setSegment(seg, selector & 0xffff, 0, 0, AR_UNUSABLE);
}

/** Puts a checked descriptor into a segment register. The level may change with CS and SS: see privilegeChanged. */
export function loadChecked(cpu: Cpu, seg: number, selector: number, from: Readonly<Descriptor>): void {
  cpu.setSegment(seg, selector & 0xffff, from.base, from.limit, from.attr);
}

/**
 * A stack segment for level `level`:
 *
 *     IF RPL ≠ level or segment is not writable data or DPL ≠ level THEN `vector`(selector)
 *     IF segment not present THEN #SS(selector)
 *
 * Leaves the descriptor in `into`, its accessed bit not yet set. @returns false with a fault raised.
 */
export function checkStackSegment(
  cpu: Cpu,
  selector: number,
  level: number,
  into: Descriptor,
  vector: number,
  ext: number,
): boolean {
  if (isNull(selector)) return raiseSelector(cpu, vector, 0, ext);
  if (!requireDescriptor(cpu, selector, into, vector, ext)) return false;
  if (rplOf(selector) !== level || !isWritableData(into.attr) || dplOf(into.attr) !== level) {
    return raiseSelector(cpu, vector, selector, ext);
  }
  return isPresent(into.attr) || raiseSelector(cpu, SS_VECTOR, selector, ext);
}

/**
 * A data segment (not a null selector) at level `level`:
 *
 *     IF not a data or readable code segment
 *       or ((data or nonconforming code) and (RPL > DPL or CPL > DPL)) THEN `vector`(selector)
 *     IF segment not present THEN #NP(selector)
 */
export function checkDataSegment(
  cpu: Cpu,
  selector: number,
  level: number,
  into: Descriptor,
  vector: number,
  ext: number,
): boolean {
  if (!requireDescriptor(cpu, selector, into, vector, ext)) return false;
  const { attr } = into;
  const dpl = dplOf(attr);
  if (!isReadable(attr) || (!isConforming(attr) && (rplOf(selector) > dpl || level > dpl))) {
    return raiseSelector(cpu, vector, selector, ext);
  }
  return isPresent(attr) || raiseSelector(cpu, NP_VECTOR, selector, ext);
}

/**
 * Sreg ← selector, for MOV, POP and LDS … LSS (never CS).
 *
 * @returns false with the fault raised and nothing loaded.
 */
export function loadSegment(cpu: Cpu, seg: number, selector: number): boolean {
  if (!cpu.isProtected) {
    if ((cpu.sysFlags & X86_EFLAGS_VM) !== 0) loadSegmentV86(cpu, seg, selector);
    else loadSegmentReal(cpu, seg, selector);
    return true;
  }
  if (seg === SEG_SS) {
    if (!checkStackSegment(cpu, selector, cpl(cpu), d, GP_VECTOR, 0)) return false;
  } else if (isNull(selector)) {
    loadNull(cpu, seg, selector);
    return true;
  } else if (!checkDataSegment(cpu, selector, cpl(cpu), d, GP_VECTOR, 0)) {
    return false;
  }
  if (!setAccessed(cpu, d)) return false;
  loadChecked(cpu, seg, selector, d);
  return true;
}

/** The data segments that a return to an outer level looks at. */
const RETURN_SEGMENTS: readonly number[] = [SEG_ES, SEG_FS, SEG_GS, SEG_DS];

/**
 * After a return to an outer level:
 *
 *     FOR each of ES, FS, GS, DS
 *       IF (data or nonconforming code) and CPL > DPL THEN SegmentSelector ← 0 (the register is invalid)
 */
export function dropInnerSegments(cpu: Cpu): void {
  const level = cpl(cpu);
  for (const seg of RETURN_SEGMENTS) {
    const attr = cpu.segAttr[seg];
    if ((attr & AR_UNUSABLE) === 0 && !isConforming(attr) && level > dplOf(attr)) loadNull(cpu, seg, 0);
  }
}

/** Whether offset `eip` lies within the code segment: the check of every near transfer. */
export function codeOffsetAllowed(cpu: Cpu, eip: number): boolean {
  return eip >>> 0 <= cpu.segLimit[SEG_CS];
}
