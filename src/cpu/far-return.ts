/**
 * RET far in protected mode, to the same and to an outer level. IRET shares its checks.
 *
 * Intel SDM vol. 2, pseudo-code of “RET”.
 */
import { type Insn, SEG_CS, SEG_SS } from '../decoder/insn.ts';
import { raise } from './access.ts';
import { type Cpu, FAULT_NONE } from './cpu.ts';
import {
  Descriptor,
  dplOf,
  isCode,
  isConforming,
  isNull,
  isPresent,
  raiseSelector,
  requireDescriptor,
  rplOf,
  setAccessed,
} from './descriptor.ts';
import { cpl, privilegeChanged } from './privilege.ts';
import { AR_DB, ESP, GP_VECTOR, NP_VECTOR, SP } from './registers.ts';
import { checkStackSegment, dropInnerSegments, loadChecked } from './segments.ts';
import { drop, peek } from './stack.ts';
import { COLD_JUMP, COLD_NEXT } from './status.ts';

const code = new Descriptor();
const stack = new Descriptor();

/**
 * The code segment to return to:
 *
 *     IF selector is null THEN #GP(0); IF beyond its table or not code THEN #GP(selector)
 *     IF RPL < CPL THEN #GP(selector)
 *     IF conforming and DPL > RPL, or nonconforming and DPL ≠ RPL THEN #GP(selector)
 *     IF not present THEN #NP(selector)
 */
export function checkReturnCode(cpu: Cpu, selector: number): boolean {
  if (isNull(selector)) return raiseSelector(cpu, GP_VECTOR, 0, 0);
  if (!requireDescriptor(cpu, selector, code, GP_VECTOR, 0)) return false;
  const { attr } = code;
  const rpl = rplOf(selector);
  const dpl = dplOf(attr);
  const fits = isConforming(attr) ? dpl <= rpl : dpl === rpl;
  if (!isCode(attr) || rpl < cpl(cpu) || !fits) return raiseSelector(cpu, GP_VECTOR, selector, 0);
  return isPresent(attr) || raiseSelector(cpu, NP_VECTOR, selector, 0);
}

/**
 * The outer stack: IF null THEN #GP(0); IF not a writable data segment of the new level THEN #GP(SS); IF not present THEN
 * #SS(SS). Then the instruction pointer, and the accessed bits.
 */
export function checkReturnStack(cpu: Cpu, ss: number, cs: number): boolean {
  return checkStackSegment(cpu, ss, rplOf(cs), stack, GP_VECTOR, 0);
}

/** IF instruction pointer is not within the return code segment's limit THEN #GP(0). Sets the accessed bits. */
export function checkReturnOffset(cpu: Cpu, offset: number, isOuter: boolean): boolean {
  if (offset >>> 0 > code.limit) {
    raise(cpu, GP_VECTOR, 0);
    return false;
  }
  return setAccessed(cpu, code) && (!isOuter || setAccessed(cpu, stack));
}

/** CS:EIP ← the checked return address, on the same level. */
export function returnSameLevel(cpu: Cpu, cs: number, offset: number): void {
  loadChecked(cpu, SEG_CS, cs, code);
  cpu.eip = offset | 0;
}

/** CS:EIP and SS:ESP ← the checked frame; data segments that the new level may not use become null. */
export function returnOuterLevel(cpu: Cpu, cs: number, offset: number, ss: number, esp: number): void {
  loadChecked(cpu, SEG_CS, cs, code);
  loadChecked(cpu, SEG_SS, ss, stack);
  cpu.eip = offset | 0;
  if ((stack.attr & AR_DB) !== 0) cpu.gpr[ESP] = esp;
  else cpu.r16[SP] = esp;
  dropInnerSegments(cpu);
  privilegeChanged(cpu);
}

/**
 *     tempEIP ← Pop(); tempCS ← Pop() (checks, see checkReturnCode)
 *     IF RPL = CPL
 *       THEN IF tempEIP not within limit THEN #GP(0); CS:EIP ← temp; ESP ← ESP + imm16
 *       ELSE tempESP ← [stack + imm16]; tempSS ← [stack + imm16] (checks); CS:EIP, SS:ESP ← temp
 *         ES, FS, GS, DS ← null where the new level may not use them; ESP ← ESP + imm16
 */
export function retfProtected(cpu: Cpu, insn: Insn): number {
  const size = insn.opSize;
  const imm = insn.imm & 0xffff;
  const offset = peek(cpu, size, 0);
  const cs = peek(cpu, size, size) & 0xffff;
  if (cpu.fault !== FAULT_NONE || !checkReturnCode(cpu, cs)) return COLD_NEXT;
  if (rplOf(cs) === cpl(cpu)) {
    if (!checkReturnOffset(cpu, offset, false)) return COLD_NEXT;
    drop(cpu, 2 * size + imm);
    returnSameLevel(cpu, cs, offset);
    return COLD_JUMP;
  }
  const esp = peek(cpu, size, 2 * size + imm);
  const ss = peek(cpu, size, 3 * size + imm) & 0xffff;
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  if (!checkReturnStack(cpu, ss, cs) || !checkReturnOffset(cpu, offset, true)) return COLD_NEXT;
  returnOuterLevel(cpu, cs, offset, ss, (esp + imm) | 0);
  return COLD_JUMP;
}
