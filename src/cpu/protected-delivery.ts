/**
 * Delivery of an event through the IDT in protected and virtual-8086 mode: interrupt and trap gates, 16 and 32 bits, with the
 * stack switch through the TSS.
 *
 * Intel SDM vol. 3A, “Interrupt and Exception Handling in Protected Mode”; pseudo-code of “INT n” in vol. 2.
 */
import { SEG_CS, SEG_DS, SEG_ES, SEG_FS, SEG_GS, SEG_SS, SEG_TR } from '../decoder/insn.ts';
import { checkSegment, probeLinear, raise, readSystem, writeLinear } from './access.ts';
import { type Cpu, FAULT_INTERNAL, FAULT_NONE } from './cpu.ts';
import { descriptor, readDescriptor, SELECTOR_MASK } from './descriptor.ts';
import { getEflags } from './flags.ts';
import { cpl } from './privilege.ts';
import {
  AR_DPL_SHIFT,
  AR_P,
  AR_S,
  AR_TYPE_ACCESSED,
  AR_TYPE_CODE,
  AR_TYPE_WRITABLE,
  AR_UNUSABLE,
  ESP,
  GP_VECTOR,
  NP_VECTOR,
  SS_VECTOR,
  TS_VECTOR,
  X86_EFLAGS_IF,
  X86_EFLAGS_NT,
  X86_EFLAGS_RF,
  X86_EFLAGS_TF,
  X86_EFLAGS_VM,
} from './registers.ts';
import { setStackPointer, stackMask } from './stack.ts';

/** Where an event comes from. */
export const EVENT_EXCEPTION = 0;
/** External interrupt, NMI. */
export const EVENT_INTERRUPT = 1;
/** INT n, INT3, INTO: the gate's DPL counts. */
export const EVENT_SOFTWARE = 2;

/** Gate types. */
const GATE_TASK = 5;
const GATE_INT16 = 6;
const GATE_TRAP16 = 7;
const GATE_INT32 = 14;
const GATE_TRAP32 = 15;
/** Bit of a type that says “32 bits”, of gates and of TSSs. */
const TYPE_32 = 8;

/** Error code bits: the descriptor is in the IDT; the event was external to the program. */
const ERROR_IDT = 2;
const ERROR_EXT = 1;

/** Conforming code. */
const AR_TYPE_CONFORMING = 4;

const dplOf = (attr: number): number => (attr >> AR_DPL_SHIFT) & 3;

/** The inner stack that the TSS names for level `dpl`; in {@link newStack}. @returns false with a fault raised. */
function readInnerStack(cpu: Cpu, dpl: number, ext: number): boolean {
  const is32 = (cpu.segAttr[SEG_TR] & TYPE_32) !== 0;
  const width = is32 ? 4 : 2;
  const at = width + dpl * 2 * width;
  const trError = (cpu.segSelector[SEG_TR] & SELECTOR_MASK) | ext;
  // KVM on a host that delivers events in software does not look at the limit (vectors pio-prot3, pio-v86: limit 0).
  if (cpu.emulatedHost === 0 && at + width + 1 > cpu.segLimit[SEG_TR]) {
    raise(cpu, TS_VECTOR, trError);
    return false;
  }
  const tss = cpu.segBase[SEG_TR];
  newStack.esp = readSystem(cpu, (tss + at) | 0, width) | 0;
  newStack.selector = readSystem(cpu, (tss + at + width) | 0, 2);
  if (cpu.fault !== FAULT_NONE) return false;
  const error = (newStack.selector & SELECTOR_MASK) | ext;
  const wrong =
    (newStack.selector & SELECTOR_MASK) === 0 ||
    (newStack.selector & 3) !== dpl ||
    !readDescriptor(cpu, newStack.selector) ||
    dplOf(descriptor.attr) !== dpl ||
    (descriptor.attr & (AR_S | AR_TYPE_CODE | AR_TYPE_WRITABLE)) !== (AR_S | AR_TYPE_WRITABLE);
  if (wrong) {
    raise(cpu, TS_VECTOR, error);
    return false;
  }
  if ((descriptor.attr & AR_P) === 0) {
    raise(cpu, SS_VECTOR, error);
    return false;
  }
  return true;
}
const newStack = { esp: 0, selector: 0 };

/** Values of a frame, pushed in this order; at most GS FS DS ES SS ESP EFLAGS CS EIP and an error code. */
const frame = new Int32Array(10);

/**
 * Pushes `count` values of the frame in `width` bytes each onto the present stack. @returns false with #SS or #PF
 * raised and nothing written.
 */
function pushFrame(cpu: Cpu, count: number, width: number, error: number): boolean {
  const mask = stackMask(cpu);
  const sp = cpu.gpr[ESP];
  const base = cpu.segBase[SEG_SS];
  for (let i = 1; i <= count; i++) {
    const at = (sp - i * width) & mask;
    if (!checkSegment(cpu, SEG_SS, at, width, true)) {
      cpu.faultErrorCode = error;
      return false;
    }
    if (!probeLinear(cpu, (base + at) | 0, width)) return false;
  }
  for (let i = 1; i <= count; i++)
    writeLinear(cpu, (base + ((sp - i * width) & mask)) | 0, width, frame[i - 1]);
  setStackPointer(cpu, (sp - count * width) & mask);
  return true;
}

/**
 * Delivers `vector` through its gate. On a fault (`cpu.fault`) nothing has changed.
 *
 * @param errorCode pushed when `hasErrorCode`.
 * @param isFault the pushed EFLAGS has RF set.
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
  const low = readSystem(cpu, (cpu.idtBase + vector * 8) | 0, 4);
  const high = readSystem(cpu, (cpu.idtBase + vector * 8 + 4) | 0, 4);
  if (cpu.fault !== FAULT_NONE) return;
  const gate = (high >>> 8) & 31;
  const isKnown = gate === GATE_INT16 || gate === GATE_TRAP16 || gate === GATE_INT32 || gate === GATE_TRAP32;
  if (!isKnown && gate !== GATE_TASK) {
    raise(cpu, GP_VECTOR, idtError);
    return;
  }
  const oldCpl = cpl(cpu);
  if (kind === EVENT_SOFTWARE && ((high >>> 13) & 3) < oldCpl) {
    raise(cpu, GP_VECTOR, idtError);
    return;
  }
  if ((high & 0x8000) === 0) {
    raise(cpu, NP_VECTOR, idtError);
    return;
  }
  if (gate === GATE_TASK) {
    cpu.fault = FAULT_INTERNAL;
    cpu.internalError = 'a task gate is not built yet';
    return;
  }
  throughGate(cpu, low >>> 16, gate, low, high, ext, errorCode, hasErrorCode, returnEip, isFault, oldCpl);
}

/** The gate is good: the handler's code segment, then the stack, then the frame. */
function throughGate(
  cpu: Cpu,
  selector: number,
  gate: number,
  low: number,
  high: number,
  ext: number,
  errorCode: number,
  hasErrorCode: boolean,
  returnEip: number,
  isFault: boolean,
  oldCpl: number,
): void {
  const csError = (selector & SELECTOR_MASK) | ext;
  if ((selector & SELECTOR_MASK) === 0 || !readDescriptor(cpu, selector)) {
    raise(cpu, GP_VECTOR, (selector & SELECTOR_MASK) === 0 ? ext : csError);
    return;
  }
  const { base: csBase, limit: csLimit, attr: csAttr } = descriptor;
  const dpl = dplOf(csAttr);
  const isCode = (csAttr & (AR_S | AR_TYPE_CODE)) === (AR_S | AR_TYPE_CODE);
  const isV86 = (cpu.sysFlags & X86_EFLAGS_VM) !== 0;
  const conforming = (csAttr & AR_TYPE_CONFORMING) !== 0;
  if (!isCode || dpl > oldCpl || (isV86 && (conforming || dpl !== 0))) {
    raise(cpu, GP_VECTOR, csError);
    return;
  }
  if ((csAttr & AR_P) === 0) {
    raise(cpu, NP_VECTOR, csError);
    return;
  }
  const is32 = (gate & TYPE_32) !== 0;
  const width = is32 ? 4 : 2;
  const offset = is32 ? (low & 0xffff) | (high & 0xffff0000) : low & 0xffff;
  const toInner = !conforming && dpl < oldCpl;
  const newCpl = toInner ? dpl : oldCpl;
  const eflags = getEflags(cpu) | (isFault ? X86_EFLAGS_RF : 0);
  const oldEsp = cpu.gpr[ESP];
  const { segSelector: sel, segBase, segLimit, segAttr } = cpu;
  const old = {
    selector: sel[SEG_SS],
    base: segBase[SEG_SS],
    limit: segLimit[SEG_SS],
    attr: segAttr[SEG_SS],
  };
  let count = 0;
  if (toInner) {
    if (!readInnerStack(cpu, dpl, ext)) return;
    if (isV86) for (const seg of [SEG_GS, SEG_FS, SEG_DS, SEG_ES]) frame[count++] = sel[seg];
    frame[count++] = old.selector;
    frame[count++] = oldEsp;
    const attr = descriptor.attr | AR_TYPE_ACCESSED;
    cpu.sysFlags &= ~X86_EFLAGS_VM;
    cpu.setSegment(SEG_SS, newStack.selector, descriptor.base, descriptor.limit, attr);
    cpu.gpr[ESP] = newStack.esp;
  }
  frame[count++] = eflags;
  frame[count++] = sel[SEG_CS];
  frame[count++] = returnEip;
  if (hasErrorCode) frame[count++] = errorCode;
  const ssError = toInner ? (newStack.selector & SELECTOR_MASK) | ext : ext;
  const outOfCode = offset >>> 0 > csLimit;
  if (outOfCode) raise(cpu, GP_VECTOR, ext);
  if (outOfCode || !pushFrame(cpu, count, width, ssError)) {
    cpu.gpr[ESP] = oldEsp;
    if (isV86) cpu.sysFlags |= X86_EFLAGS_VM;
    if (toInner) cpu.setSegment(SEG_SS, old.selector, old.base, old.limit, old.attr);
    return;
  }
  if (isV86) for (const seg of [SEG_GS, SEG_FS, SEG_DS, SEG_ES]) cpu.setSegment(seg, 0, 0, 0, AR_UNUSABLE);
  cpu.setSegment(SEG_CS, (selector & SELECTOR_MASK) | newCpl, csBase, csLimit, csAttr | AR_TYPE_ACCESSED);
  cpu.eip = offset;
  cpu.sysFlags &= ~(X86_EFLAGS_TF | X86_EFLAGS_NT | X86_EFLAGS_RF | X86_EFLAGS_VM);
  if (gate === GATE_INT16 || gate === GATE_INT32) cpu.sysFlags &= ~X86_EFLAGS_IF;
  cpu.fault = FAULT_NONE;
}
