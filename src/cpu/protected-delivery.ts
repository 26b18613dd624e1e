/**
 * Delivery of an event through the IDT in protected and virtual-8086 mode: interrupt and trap gates, 16 and 32 bits, on the
 * present stack or on that of an inner level, and task gates.
 *
 * Intel SDM vol. 3A, “Interrupt and Exception Handling in Protected Mode”; pseudo-code of “INT n” in vol. 2.
 */
import { SEG_CS, SEG_DS, SEG_ES, SEG_FS, SEG_GS, SEG_SS } from '../decoder/insn.ts';
import { probeStore, raise, storeSized } from './access.ts';
import { type Cpu, FAULT_EXCEPTION, FAULT_NONE } from './cpu.ts';
import {
  Descriptor,
  dplOf,
  ERROR_EXT,
  ERROR_IDT,
  gateOffset,
  isCode,
  isConforming,
  isNull,
  isPresent,
  raiseSelector,
  readDescriptorAt,
  requireDescriptor,
  SELECTOR_MASK,
  setAccessed,
  systemType,
  TYPE_32,
  TYPE_INTERRUPT_GATE16,
  TYPE_INTERRUPT_GATE32,
  TYPE_TASK_GATE,
  TYPE_TRAP_GATE16,
  TYPE_TRAP_GATE32,
} from './descriptor.ts';
import { getEflags } from './flags.ts';
import { enterInnerStack, frame, markInnerStack, probeInnerFrame, readInnerStack } from './inner-stack.ts';
import { cpl, privilegeChanged } from './privilege.ts';
import {
  ESP,
  GP_VECTOR,
  NP_VECTOR,
  SS_VECTOR,
  X86_EFLAGS_IF,
  X86_EFLAGS_NT,
  X86_EFLAGS_RF,
  X86_EFLAGS_TF,
  X86_EFLAGS_VM,
} from './registers.ts';
import { codeOffsetAllowed, loadChecked, loadNull } from './segments.ts';
import { push, setStackPointer, stackMask } from './stack.ts';
import { requireAvailableTss, switchTask, TASK_CALL } from './task-switch.ts';

/** Where an event comes from. */
export const EVENT_EXCEPTION = 0;
/** External interrupt, NMI. */
export const EVENT_INTERRUPT = 1;
/** INT n, INT3, INTO: the gate's DPL counts. */
export const EVENT_SOFTWARE = 2;

const gate = new Descriptor();
const code = new Descriptor();
const tss = new Descriptor();

/** The event that is being delivered. */
const event = { errorCode: 0, hasErrorCode: false, returnEip: 0, ext: 0, setsRf: false };

/**
 * Delivers `vector` through its gate:
 *
 *     IF the gate is not within the IDT limit, or no gate, THEN #GP(vector × 8 + 2 + EXT)
 *     IF software interrupt and gate DPL < CPL THEN #GP(vector × 8 + 2)
 *     IF gate not present THEN #NP(vector × 8 + 2 + EXT)
 *
 * On a fault (`cpu.fault`) nothing has changed, but behind the commit point of a task switch.
 *
 * @param errorCode pushed when `hasErrorCode`.
 * @param isFault the saved EFLAGS has RF set.
 */
export function deliverProtected(
  cpu: Cpu,
  vector: number,
  errorCode: number,
  hasErrorCode: boolean,
  returnEip: number,
  kind: number,
  isFault: boolean,
): void {
  const ext = kind === EVENT_SOFTWARE ? 0 : ERROR_EXT;
  const idtError = vector * 8 + ERROR_IDT + ext;
  if (vector * 8 + 7 > cpu.idtLimit) {
    raise(cpu, GP_VECTOR, idtError);
    return;
  }
  if (!readDescriptorAt(cpu, cpu.idtBase + vector * 8, gate)) return;
  const type = systemType(gate.attr);
  if (!isEventGate(type) || (kind === EVENT_SOFTWARE && dplOf(gate.attr) < cpl(cpu))) {
    raise(cpu, GP_VECTOR, idtError);
    return;
  }
  if (!isPresent(gate.attr)) {
    raise(cpu, NP_VECTOR, idtError);
    return;
  }
  event.errorCode = errorCode;
  event.hasErrorCode = hasErrorCode;
  event.returnEip = returnEip;
  event.ext = ext;
  event.setsRf = isFault;
  if (type === TYPE_TASK_GATE) throughTaskGate(cpu, gate.low >>> 16);
  else throughGate(cpu, gate.low >>> 16, type);
}

function isEventGate(type: number): boolean {
  return (
    type === TYPE_TASK_GATE ||
    type === TYPE_INTERRUPT_GATE16 ||
    type === TYPE_TRAP_GATE16 ||
    type === TYPE_INTERRUPT_GATE32 ||
    type === TYPE_TRAP_GATE32
  );
}

/**
 *     (checks of the TSS, see requireAvailableTss); SWITCH-TASKS with nesting
 *     IF error code THEN Push(error code), in the width of the new TSS; IF there is no room THEN #SS(EXT)
 *     IF instruction pointer is not within the code segment's limit THEN #GP(EXT)
 */
function throughTaskGate(cpu: Cpu, selector: number): void {
  const { ext } = event;
  if (!requireAvailableTss(cpu, selector, tss, ext)) return;
  const rf = event.setsRf ? X86_EFLAGS_RF : 0;
  if (!switchTask(cpu, selector, tss, TASK_CALL, event.returnEip, ext, rf)) return;
  if (cpu.fault !== FAULT_NONE) return;
  if (event.hasErrorCode) {
    push(cpu, (tss.attr & TYPE_32) !== 0 ? 4 : 2, event.errorCode);
    if (cpu.fault === (FAULT_EXCEPTION | SS_VECTOR)) cpu.faultErrorCode |= ext;
  }
  if (!codeOffsetAllowed(cpu, cpu.eip)) raise(cpu, GP_VECTOR, ext);
}

/**
 *     IF the gate's selector is null THEN #GP(EXT); IF beyond its table or not code or DPL > CPL THEN #GP(selector + EXT)
 *     IF not present THEN #NP(selector + EXT)
 *     IF nonconforming and DPL < CPL
 *       THEN IF VM = 0 THEN inner level ELSE IF DPL ≠ 0 THEN #GP(selector + EXT) ELSE from virtual-8086 mode
 *       ELSE IF VM = 1 THEN #GP(selector + EXT) ELSE same level
 */
function throughGate(cpu: Cpu, selector: number, type: number): void {
  const { ext } = event;
  if (isNull(selector)) {
    raise(cpu, GP_VECTOR, ext);
    return;
  }
  if (!requireDescriptor(cpu, selector, code, GP_VECTOR, ext)) return;
  const level = cpl(cpu);
  const dpl = dplOf(code.attr);
  const isV86 = (cpu.sysFlags & X86_EFLAGS_VM) !== 0;
  const conforming = isConforming(code.attr);
  if (!isCode(code.attr) || dpl > level || (isV86 && (conforming || dpl !== 0))) {
    raiseSelector(cpu, GP_VECTOR, selector, ext);
    return;
  }
  if (!isPresent(code.attr)) {
    raiseSelector(cpu, NP_VECTOR, selector, ext);
    return;
  }
  const toInner = !conforming && dpl < level;
  const offset = gateOffset(gate);
  const width = (type & TYPE_32) !== 0 ? 4 : 2;
  if (!(toInner ? pushInner(cpu, dpl, offset, width) : pushSame(cpu, offset, width))) return;
  loadChecked(cpu, SEG_CS, (selector & SELECTOR_MASK) | (toInner ? dpl : level), code);
  cpu.eip = offset;
  let cleared = X86_EFLAGS_TF | X86_EFLAGS_NT | X86_EFLAGS_RF | X86_EFLAGS_VM;
  if (type === TYPE_INTERRUPT_GATE16 || type === TYPE_INTERRUPT_GATE32) cleared |= X86_EFLAGS_IF;
  cpu.sysFlags &= ~cleared;
  privilegeChanged(cpu);
}

/** EFLAGS, CS, EIP and the error code into {@link frame} from `count` on. @returns how many there are then. */
function fillFrame(cpu: Cpu, count: number): number {
  frame[count] = getEflags(cpu) | (event.setsRf ? X86_EFLAGS_RF : 0);
  frame[count + 1] = cpu.segSelector[SEG_CS];
  frame[count + 2] = event.returnEip;
  frame[count + 3] = event.errorCode;
  return count + (event.hasErrorCode ? 4 : 3);
}

/** IF instruction pointer is not within the code segment's limit THEN #GP(EXT). Sets the accessed bit. */
function checkHandler(cpu: Cpu, offset: number): boolean {
  if (offset >>> 0 > code.limit) raise(cpu, GP_VECTOR, event.ext);
  return cpu.fault === FAULT_NONE && setAccessed(cpu, code);
}

/** The data segment registers that virtual-8086 mode leaves on the frame, in the order of the pushes. */
const V86_DATA: readonly number[] = [SEG_GS, SEG_FS, SEG_DS, SEG_ES];

/**
 * More privilege: Push(VM = 1: GS, FS, DS, ES; then SS, ESP, EFLAGS, CS, EIP, error code) onto the inner stack;
 * VM = 1: GS, FS, DS, ES ← null.
 */
function pushInner(cpu: Cpu, dpl: number, offset: number, width: number): boolean {
  const isV86 = (cpu.sysFlags & X86_EFLAGS_VM) !== 0;
  if (!readInnerStack(cpu, dpl, event.ext)) return false;
  let count = 0;
  if (isV86) for (let i = 0; i < 4; i++) frame[count++] = cpu.segSelector[V86_DATA[i]];
  frame[count++] = cpu.segSelector[SEG_SS];
  frame[count++] = cpu.gpr[ESP];
  count = fillFrame(cpu, count);
  if (!probeInnerFrame(cpu, count, width, event.ext) || !checkHandler(cpu, offset) || !markInnerStack(cpu))
    return false;
  enterInnerStack(cpu, count, width);
  if (isV86) for (let i = 0; i < 4; i++) loadNull(cpu, V86_DATA[i], 0);
  return true;
}

/** The same level: IF the stack has no room THEN #SS(EXT); Push(EFLAGS, CS, EIP, error code). */
function pushSame(cpu: Cpu, offset: number, width: number): boolean {
  const count = fillFrame(cpu, 0);
  const mask = stackMask(cpu);
  const sp = cpu.gpr[ESP];
  for (let i = 1; i <= count; i++) {
    if (probeStore(cpu, SEG_SS, (sp - i * width) & mask, width)) continue;
    if (cpu.fault === (FAULT_EXCEPTION | SS_VECTOR)) cpu.faultErrorCode |= event.ext;
    return false;
  }
  if (!checkHandler(cpu, offset)) return false;
  for (let i = 1; i <= count; i++) {
    storeSized(cpu, SEG_SS, (sp - i * width) & mask, width, frame[i - 1]);
  }
  setStackPointer(cpu, (sp - count * width) & mask);
  return true;
}
