/**
 * Far JMP and CALL in protected mode: to a code segment, through a call gate, to a task.
 *
 * Intel SDM vol. 3A, “Privilege Level Checking When Transferring Program Control Between Code Segments”; pseudo-code of
 * “JMP” and “CALL” in vol. 2.
 */
import { type Insn, SEG_CS, SEG_SS } from '../decoder/insn.ts';
import { loadSized, probeStore, raise, storeSized } from './access.ts';
import { type Cpu, FAULT_NONE } from './cpu.ts';
import {
  Descriptor,
  dplOf,
  gateOffset,
  isCode,
  isConforming,
  isNull,
  isPresent,
  raiseSelector,
  requireDescriptor,
  rplOf,
  SELECTOR_MASK,
  setAccessed,
  systemType,
  TYPE_32,
  TYPE_CALL_GATE16,
  TYPE_CALL_GATE32,
  TYPE_TASK_GATE,
  TYPE_TSS16,
  TYPE_TSS16_BUSY,
  TYPE_TSS32,
  TYPE_TSS32_BUSY,
} from './descriptor.ts';
import { deliverFault } from './exceptions.ts';
import { enterInnerStack, frame, markInnerStack, probeInnerFrame, readInnerStack } from './inner-stack.ts';
import { cpl, privilegeChanged } from './privilege.ts';
import { ESP, GP_VECTOR, NP_VECTOR } from './registers.ts';
import { loadChecked } from './segments.ts';
import { setStackPointer, stackMask } from './stack.ts';
import { COLD_EVENT, COLD_JUMP, COLD_NEXT } from './status.ts';
import { requireAvailableTss, switchTask, TASK_CALL, TASK_JMP } from './task-switch.ts';

const target = new Descriptor();
const code = new Descriptor();

/** Greatest number of parameters of a call gate. */
const PARAMETERS_MASK = 31;

/** CS:EIP ← the checked segment, at level `level`. */
function enterCode(cpu: Cpu, selector: number, level: number, d: Descriptor, offset: number): number {
  loadChecked(cpu, SEG_CS, (selector & SELECTOR_MASK) | level, d);
  privilegeChanged(cpu);
  cpu.eip = offset | 0;
  return COLD_JUMP;
}

/**
 *     IF conforming THEN IF DPL > CPL THEN #GP(selector)
 *     ELSE IF RPL > CPL or DPL ≠ CPL THEN #GP(selector)
 *     IF segment not present THEN #NP(selector)
 */
function checkDirect(cpu: Cpu, selector: number): boolean {
  const level = cpl(cpu);
  const dpl = dplOf(target.attr);
  const refused = isConforming(target.attr) ? dpl > level : rplOf(selector) > level || dpl !== level;
  if (refused) return raiseSelector(cpu, GP_VECTOR, selector, 0);
  return isPresent(target.attr) || raiseSelector(cpu, NP_VECTOR, selector, 0);
}

/** IF instruction pointer is not within the code segment's limit THEN #GP(0) */
function checkOffset(cpu: Cpu, d: Descriptor, offset: number): boolean {
  if (offset >>> 0 <= d.limit) return true;
  raise(cpu, GP_VECTOR, 0);
  return false;
}

/** Both slots of CS and EIP on the present stack, or the fault. */
function probeReturnFrame(cpu: Cpu, size: number): boolean {
  const mask = stackMask(cpu);
  const sp = cpu.gpr[ESP];
  return (
    probeStore(cpu, SEG_SS, (sp - size) & mask, size) && probeStore(cpu, SEG_SS, (sp - 2 * size) & mask, size)
  );
}

/** Push(CS); Push(EIP). Probed before. */
function pushReturnFrame(cpu: Cpu, size: number, nextEip: number): void {
  const mask = stackMask(cpu);
  const sp = cpu.gpr[ESP];
  storeSized(cpu, SEG_SS, (sp - size) & mask, size, cpu.segSelector[SEG_CS]);
  storeSized(cpu, SEG_SS, (sp - 2 * size) & mask, size, nextEip);
  setStackPointer(cpu, (sp - 2 * size) & mask);
}

/**
 * After {@link switchTask}: a fault on loading the new task belongs to the new task.
 */
export function afterTaskSwitch(cpu: Cpu): number {
  if (cpu.fault !== FAULT_NONE) deliverFault(cpu);
  cpu.attention = 1;
  return COLD_EVENT;
}

/** Gate and TSS descriptors: IF DPL < CPL or DPL < RPL THEN #GP(selector); IF not present THEN #NP(selector) */
function checkSystemAccess(cpu: Cpu, selector: number, d: Descriptor): boolean {
  const dpl = dplOf(d.attr);
  if (dpl < cpl(cpu) || dpl < rplOf(selector)) return raiseSelector(cpu, GP_VECTOR, selector, 0);
  return true;
}

/** JMP or CALL to a TSS descriptor or through a task gate. */
function taskTransfer(cpu: Cpu, selector: number, source: number, nextEip: number): number {
  if (!checkSystemAccess(cpu, selector, target)) return COLD_NEXT;
  let tss = selector;
  if (systemType(target.attr) === TYPE_TASK_GATE) {
    if (!isPresent(target.attr)) {
      raiseSelector(cpu, NP_VECTOR, selector, 0);
      return COLD_NEXT;
    }
    tss = target.low >>> 16;
  }
  if (!requireAvailableTss(cpu, tss, target, 0)) return COLD_NEXT;
  if (!switchTask(cpu, tss, target, source, nextEip, 0)) return COLD_NEXT;
  return afterTaskSwitch(cpu);
}

/**
 * The code segment that a call gate names, into {@link code}:
 *
 *     IF selector is null THEN #GP(0); IF beyond its table or not code THEN #GP(selector)
 *     IF DPL > CPL, or (JMP) nonconforming and DPL ≠ CPL THEN #GP(selector)
 *     IF not present THEN #NP(selector)
 */
function checkGateTarget(cpu: Cpu, selector: number, source: number): boolean {
  if (isNull(selector)) return raiseSelector(cpu, GP_VECTOR, 0, 0);
  if (!requireDescriptor(cpu, selector, code, GP_VECTOR, 0)) return false;
  const level = cpl(cpu);
  const dpl = dplOf(code.attr);
  const outward = source === TASK_JMP && !isConforming(code.attr) && dpl !== level;
  if (!isCode(code.attr) || dpl > level || outward) return raiseSelector(cpu, GP_VECTOR, selector, 0);
  return isPresent(code.attr) || raiseSelector(cpu, NP_VECTOR, selector, 0);
}

/**
 * JMP or CALL through a call gate ({@link target}):
 *
 *     IF call gate DPL < CPL or RPL > DPL THEN #GP(gate selector); IF not present THEN #NP(gate selector)
 *     (checks of the code segment, see checkGateTarget)
 *     IF nonconforming and DPL < CPL (CALL) THEN more privilege ELSE same privilege
 */
function throughCallGate(cpu: Cpu, selector: number, source: number, nextEip: number): number {
  if (!checkSystemAccess(cpu, selector, target)) return COLD_NEXT;
  if (!isPresent(target.attr)) {
    raiseSelector(cpu, NP_VECTOR, selector, 0);
    return COLD_NEXT;
  }
  const to = target.low >>> 16;
  if (!checkGateTarget(cpu, to, source)) return COLD_NEXT;
  const offset = gateOffset(target);
  const level = cpl(cpu);
  const dpl = dplOf(code.attr);
  const width = (target.attr & TYPE_32) !== 0 ? 4 : 2;
  if (!isConforming(code.attr) && dpl < level) return toInnerLevel(cpu, to, dpl, offset, width, nextEip);
  if (source === TASK_CALL && !probeReturnFrame(cpu, width)) return COLD_NEXT;
  if (!checkOffset(cpu, code, offset) || !setAccessed(cpu, code)) return COLD_NEXT;
  if (source === TASK_CALL) pushReturnFrame(cpu, width, nextEip);
  return enterCode(cpu, to, level, code, offset);
}

/**
 * CALL through a gate to more privilege:
 *
 *     (the new stack, see readInnerStack)
 *     IF the new stack does not have room for parameters plus 4 slots THEN #SS(SS)
 *     IF instruction pointer is not within the code segment's limit THEN #GP(0)
 *     SS:ESP ← TSS(SS:ESP); Push(SS:ESP of the caller); Push(parameters from its stack); Push(CS:EIP)
 *     CPL ← DPL of the code segment; RPL of CS ← CPL
 */
function toInnerLevel(
  cpu: Cpu,
  selector: number,
  level: number,
  offset: number,
  width: number,
  nextEip: number,
): number {
  const parameters = target.high & PARAMETERS_MASK;
  if (!readInnerStack(cpu, level, 0)) return COLD_NEXT;
  const mask = stackMask(cpu);
  const sp = cpu.gpr[ESP];
  let count = 0;
  frame[count++] = cpu.segSelector[SEG_SS];
  frame[count++] = sp;
  for (let i = parameters - 1; i >= 0; i--) {
    frame[count++] = loadSized(cpu, SEG_SS, (sp + i * width) & mask, width);
    if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  }
  frame[count++] = cpu.segSelector[SEG_CS];
  frame[count++] = nextEip;
  if (!probeInnerFrame(cpu, count, width, 0) || !checkOffset(cpu, code, offset)) return COLD_NEXT;
  if (!markInnerStack(cpu) || !setAccessed(cpu, code)) return COLD_NEXT;
  enterInnerStack(cpu, count, width);
  return enterCode(cpu, selector, level, code, offset);
}

/**
 *     IF selector is null THEN #GP(0); IF beyond its table THEN #GP(selector)
 *     CASE type: code segment, call gate, task gate, TSS; else #GP(selector)
 */
function farTransfer(
  cpu: Cpu,
  selector: number,
  offset: number,
  size: number,
  source: number,
  nextEip: number,
): number {
  if (isNull(selector)) {
    raise(cpu, GP_VECTOR, 0);
    return COLD_NEXT;
  }
  if (!requireDescriptor(cpu, selector, target, GP_VECTOR, 0)) return COLD_NEXT;
  if (isCode(target.attr)) {
    if (!checkDirect(cpu, selector)) return COLD_NEXT;
    if (source === TASK_CALL && !probeReturnFrame(cpu, size)) return COLD_NEXT;
    if (!checkOffset(cpu, target, offset) || !setAccessed(cpu, target)) return COLD_NEXT;
    if (source === TASK_CALL) pushReturnFrame(cpu, size, nextEip);
    return enterCode(cpu, selector, cpl(cpu), target, offset);
  }
  switch (systemType(target.attr)) {
    case TYPE_CALL_GATE16:
    case TYPE_CALL_GATE32:
      return throughCallGate(cpu, selector, source, nextEip);
    case TYPE_TASK_GATE:
    case TYPE_TSS16:
    case TYPE_TSS16_BUSY:
    case TYPE_TSS32:
    case TYPE_TSS32_BUSY:
      return taskTransfer(cpu, selector, source, nextEip);
    default:
      raiseSelector(cpu, GP_VECTOR, selector, 0);
      return COLD_NEXT;
  }
}

/** Far JMP in protected mode. */
export function farJumpProtected(cpu: Cpu, insn: Insn, selector: number, offset: number): number {
  return farTransfer(cpu, selector, offset, insn.opSize, TASK_JMP, (cpu.eip + insn.len) | 0);
}

/** Far CALL in protected mode. */
export function farCallProtected(cpu: Cpu, insn: Insn, selector: number, offset: number): number {
  return farTransfer(cpu, selector, offset, insn.opSize, TASK_CALL, (cpu.eip + insn.len) | 0);
}
