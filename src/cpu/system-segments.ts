/**
 * The registers of system segments: LLDT SLDT LTR STR. Protected mode only.
 *
 * Intel SDM vol. 3A, “Local Descriptor Table Register (LDTR)”, “Task Register”; vol. 2 for the pseudo-code.
 */
import { FORM_REG, type Insn, SEG_LDTR, SEG_TR } from '../decoder/insn.ts';
import { Op } from '../decoder/op.ts';
import { effectiveAddress, raise, storeSized } from './access.ts';
import { type Cpu, FAULT_NONE } from './cpu.ts';
import {
  Descriptor,
  isNull,
  isPresent,
  raiseSelector,
  requireDescriptor,
  SELECTOR_TI,
  systemType,
  TYPE_BUSY,
  TYPE_LDT,
  TYPE_TSS16,
  TYPE_TSS32,
  writeType,
} from './descriptor.ts';
import { readDst, writeReg } from './operand.ts';
import { GP_VECTOR, NP_VECTOR } from './registers.ts';
import { loadChecked, loadNull } from './segments.ts';
import { COLD_NEXT } from './status.ts';

const d = new Descriptor();

/** A memory destination is always 16 bits; a 32-bit register gets zeros above. */
export function storeSystemSegment(cpu: Cpu, insn: Insn): number {
  const selector = cpu.segSelector[insn.op === Op.Sldt ? SEG_LDTR : SEG_TR];
  if (insn.form === FORM_REG) writeReg(cpu, insn.dst, insn.size, selector);
  else storeSized(cpu, insn.seg, effectiveAddress(cpu.gpr, insn), 2, selector);
  return COLD_NEXT;
}

/**
 *     IF selector is null THEN mark LDTR invalid
 *     IF it is in the LDT, beyond the GDT, or no LDT THEN #GP(selector); IF not present THEN #NP(selector)
 */
export function lldt(cpu: Cpu, insn: Insn): number {
  const selector = readDst(cpu, insn, 2);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  if (isNull(selector)) {
    loadNull(cpu, SEG_LDTR, selector);
    return COLD_NEXT;
  }
  if (!findInGdt(cpu, selector)) return COLD_NEXT;
  if (systemType(d.attr) !== TYPE_LDT) raiseSelector(cpu, GP_VECTOR, selector, 0);
  else if (!isPresent(d.attr)) raiseSelector(cpu, NP_VECTOR, selector, 0);
  else loadChecked(cpu, SEG_LDTR, selector, d);
  return COLD_NEXT;
}

/**
 *     IF selector is null THEN #GP(0)
 *     IF it is in the LDT, beyond the GDT, or no available TSS THEN #GP(selector); IF not present THEN #NP(selector)
 *     TSS descriptor ← busy
 */
export function ltr(cpu: Cpu, insn: Insn): number {
  const selector = readDst(cpu, insn, 2);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  if (isNull(selector)) {
    raise(cpu, GP_VECTOR, 0);
    return COLD_NEXT;
  }
  if (!findInGdt(cpu, selector)) return COLD_NEXT;
  const type = systemType(d.attr);
  if (type !== TYPE_TSS16 && type !== TYPE_TSS32) raiseSelector(cpu, GP_VECTOR, selector, 0);
  else if (!isPresent(d.attr)) raiseSelector(cpu, NP_VECTOR, selector, 0);
  else {
    d.attr |= TYPE_BUSY;
    writeType(cpu, d);
    if (cpu.fault === FAULT_NONE) loadChecked(cpu, SEG_TR, selector, d);
  }
  return COLD_NEXT;
}

function findInGdt(cpu: Cpu, selector: number): boolean {
  if ((selector & SELECTOR_TI) !== 0) return raiseSelector(cpu, GP_VECTOR, selector, 0);
  return requireDescriptor(cpu, selector, d, GP_VECTOR, 0);
}
