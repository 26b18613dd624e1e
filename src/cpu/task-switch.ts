/**
 * Hardware task switching. Before the commit point a fault belongs to the old task and nothing has changed; behind it the
 * new task has the fault.
 *
 * Intel SDM vol. 3A, “Task Switching”, “Exception Conditions Checked During a Task Switch”, “Task Linking”. Linux KVM:
 * arch/x86/kvm/emulate.c, `emulator_do_task_switch`.
 */
import { SEG_CS, SEG_DS, SEG_ES, SEG_FS, SEG_GS, SEG_LDTR, SEG_SS, SEG_TR } from '../decoder/insn.ts';
import { setCr3 } from './control-registers.ts';
import { type Cpu, FAULT_NONE } from './cpu.ts';
import {
  Descriptor,
  dplOf,
  isCode,
  isConforming,
  isNull,
  isPresent,
  probeType,
  raiseSelector,
  readDescriptorAt,
  requireDescriptor,
  rplOf,
  SELECTOR_MASK,
  SELECTOR_TI,
  setAccessed,
  systemType,
  TYPE_32,
  TYPE_BUSY,
  TYPE_LDT,
  TYPE_TSS16,
  TYPE_TSS16_BUSY,
  TYPE_TSS32,
  TYPE_TSS32_BUSY,
  writeType,
} from './descriptor.ts';
import { raise } from './fault.ts';
import { getEflags, setEflags } from './flags.ts';
import { privilegeChanged } from './privilege.ts';
import {
  AR_DPL_SHIFT,
  AR_UNUSABLE,
  EFLAGS_MASK,
  GP_VECTOR,
  NP_VECTOR,
  TS_VECTOR,
  X86_CR0_TS,
  X86_EFLAGS_NT,
  X86_EFLAGS_VM,
} from './registers.ts';
import { checkDataSegment, checkStackSegment, loadChecked, loadNull, loadSegmentV86 } from './segments.ts';
import {
  probeLink,
  probeSaveTask,
  readTask,
  saveTask,
  TaskState,
  TSS16_MIN_LIMIT,
  TSS32_MIN_LIMIT,
  writeLink,
} from './tss.ts';

/** What causes the switch. */
export const TASK_JMP = 0;
/** CALL, and events through a task gate: the new task is nested in the old one. */
export const TASK_CALL = 1;
export const TASK_IRET = 2;

/** `Cpu.pendingDebugTrap`, and the bit of DR6: the T flag of the TSS. */
export const DR6_BT = 1 << 15;

/** DR7.L0–L3 and LE: cleared by every task switch. */
const DR7_LOCAL = 0x155;

const oldTss = new Descriptor();
const ldt = new Descriptor();
const segment = new Descriptor();
const state = new TaskState();

/**
 * The TSS that JMP, CALL or an event names:
 *
 *     IF selector in the LDT, beyond the GDT, not an available TSS THEN #GP(selector); IF not present THEN #NP(selector)
 */
export function requireAvailableTss(cpu: Cpu, selector: number, d: Descriptor, ext: number): boolean {
  if ((selector & SELECTOR_TI) !== 0) return raiseSelector(cpu, GP_VECTOR, selector, ext);
  if (!requireDescriptor(cpu, selector, d, GP_VECTOR, ext)) return false;
  const type = systemType(d.attr);
  if (type !== TYPE_TSS16 && type !== TYPE_TSS32) return raiseSelector(cpu, GP_VECTOR, selector, ext);
  return isPresent(d.attr) || raiseSelector(cpu, NP_VECTOR, selector, ext);
}

/**
 * The TSS that IRET goes back to:
 *
 *     IF selector in the LDT, beyond the GDT, not a busy TSS THEN #TS(selector); IF not present THEN #NP(selector)
 */
export function requireBusyTss(cpu: Cpu, selector: number, d: Descriptor): boolean {
  if ((selector & SELECTOR_TI) !== 0) return raiseSelector(cpu, TS_VECTOR, selector, 0);
  if (!requireDescriptor(cpu, selector, d, TS_VECTOR, 0)) return false;
  const type = systemType(d.attr);
  if (type !== TYPE_TSS16_BUSY && type !== TYPE_TSS32_BUSY) return raiseSelector(cpu, TS_VECTOR, selector, 0);
  return isPresent(d.attr) || raiseSelector(cpu, NP_VECTOR, selector, 0);
}

/** Everything that can refuse the switch in the old task's context. */
function probeSwitch(cpu: Cpu, selector: number, d: Descriptor, source: number, ext: number): boolean {
  const is32 = (d.attr & TYPE_32) !== 0;
  if (d.limit < (is32 ? TSS32_MIN_LIMIT : TSS16_MIN_LIMIT))
    return raiseSelector(cpu, TS_VECTOR, selector, ext);
  if (source !== TASK_CALL) {
    // A task that was there from the start has no descriptor to mark.
    const at = cpu.gdtBase + (cpu.segSelector[SEG_TR] & SELECTOR_MASK);
    if (!readDescriptorAt(cpu, at, oldTss) || !probeType(cpu, oldTss)) return false;
  } else if (!probeLink(cpu, d.base)) return false;
  if (source !== TASK_IRET && !probeType(cpu, d)) return false;
  return probeSaveTask(cpu) && readTask(cpu, d.base, is32, state);
}

/**
 * Switches to the task of TSS descriptor `d` (available for JMP, CALL and events, busy for IRET, as the caller has
 * checked):
 *
 *     IF TSS limit < 67H (32-bit) or < 2BH (16-bit) THEN #TS(selector)
 *     JMP, IRET: old TSS descriptor ← not busy
 *     IRET: NT ← 0 in the image that is saved
 *     old TSS ← EIP, EFLAGS, registers, segment selectors
 *     CALL, event: link of the new TSS ← TR; NT ← 1 in the image that is loaded
 *     JMP, CALL, event: new TSS descriptor ← busy
 *     TR ← new TSS; CR0.TS ← 1     (the commit point)
 *     CR3, registers, EFLAGS, EIP, selectors ← new TSS; then LDTR, CS, SS, DS, ES, FS, GS, each with its checks
 *
 * @param returnEip EIP that the old task goes on at.
 * @param savedFlags EFLAGS bits (RF) that are set in the saved image besides.
 * @returns false with a fault in the old task, nothing having changed; true behind the commit point, perhaps with a
 * fault of the new task in `cpu.fault`.
 */
export function switchTask(
  cpu: Cpu,
  selector: number,
  d: Descriptor,
  source: number,
  returnEip: number,
  ext: number,
  savedFlags = 0,
): boolean {
  if (!probeSwitch(cpu, selector, d, source, ext)) return false;
  const is32 = (d.attr & TYPE_32) !== 0;
  if (source !== TASK_CALL && (cpu.segSelector[SEG_TR] & SELECTOR_MASK) !== 0) {
    oldTss.attr &= ~TYPE_BUSY;
    writeType(cpu, oldTss);
  }
  const eflags = getEflags(cpu) | savedFlags;
  saveTask(cpu, returnEip, source === TASK_IRET ? eflags & ~X86_EFLAGS_NT : eflags);
  // Once more: the new TSS may share memory with the old one.
  readTask(cpu, d.base, is32, state);
  if (source === TASK_CALL) {
    writeLink(cpu, d.base, cpu.segSelector[SEG_TR]);
    state.eflags |= X86_EFLAGS_NT;
  }
  d.attr |= TYPE_BUSY;
  if (source !== TASK_IRET) writeType(cpu, d);
  loadChecked(cpu, SEG_TR, selector, d);
  cpu.cr0 |= X86_CR0_TS;
  loadTask(cpu, ext);
  return true;
}

/** Behind the commit point: everything but the descriptors cannot fail. */
function loadTask(cpu: Cpu, ext: number): void {
  // KVM: also without paging; page-directory pointers with reserved bits are #GP(0).
  if (state.is32 && !setCr3(cpu, state.cr3)) raise(cpu, GP_VECTOR, 0);
  cpu.dr[7] &= ~DR7_LOCAL;
  cpu.debug.update(cpu);
  cpu.eip = state.eip;
  setEflags(cpu, state.eflags & EFLAGS_MASK);
  cpu.gpr.set(state.gpr);
  cpu.interruptShadow = 0;
  const isV86 = (state.eflags & X86_EFLAGS_VM) !== 0;
  const level = isV86 ? 3 : rplOf(state.selectors[SEG_CS]);
  // Selectors first: a fault on the way finds them loaded, their descriptors not.
  for (let seg = 0; seg < 6; seg++) {
    const selector = state.selectors[seg];
    if (isV86) loadSegmentV86(cpu, seg, selector);
    else cpu.setSegment(seg, selector, 0, 0, AR_UNUSABLE | (level << AR_DPL_SHIFT));
  }
  cpu.setSegment(SEG_LDTR, state.ldt, 0, 0, AR_UNUSABLE);
  privilegeChanged(cpu);
  const good =
    loadLdt(cpu, ext) && (isV86 || (loadCodeAndStack(cpu, level, ext) && loadData(cpu, level, ext)));
  if (good && state.trap) cpu.pendingDebugTrap |= DR6_BT;
}

/** IF LDT selector not null and (in the LDT, beyond the GDT, no LDT, or not present) THEN #TS(selector) */
function loadLdt(cpu: Cpu, ext: number): boolean {
  const selector = state.ldt;
  if (isNull(selector)) return true;
  if ((selector & SELECTOR_TI) !== 0) return raiseSelector(cpu, TS_VECTOR, selector, ext);
  if (!requireDescriptor(cpu, selector, ldt, TS_VECTOR, ext)) return false;
  if (systemType(ldt.attr) !== TYPE_LDT || !isPresent(ldt.attr))
    return raiseSelector(cpu, TS_VECTOR, selector, ext);
  loadChecked(cpu, SEG_LDTR, selector, ldt);
  return true;
}

/**
 *     IF CS null, beyond its table, not code, or DPL does not fit RPL THEN #TS(CS); IF not present THEN #NP(CS)
 *     IF SS null, beyond its table, not writable data, DPL ≠ CPL or RPL ≠ CPL THEN #TS(SS); IF not present THEN #SS(SS)
 */
function loadCodeAndStack(cpu: Cpu, level: number, ext: number): boolean {
  const cs = state.selectors[SEG_CS];
  if (isNull(cs)) return raiseSelector(cpu, TS_VECTOR, 0, ext);
  if (!requireDescriptor(cpu, cs, segment, TS_VECTOR, ext)) return false;
  const { attr } = segment;
  const fits = isConforming(attr) ? dplOf(attr) <= level : dplOf(attr) === level;
  if (!isCode(attr) || !fits) return raiseSelector(cpu, TS_VECTOR, cs, ext);
  if (!isPresent(attr)) return raiseSelector(cpu, NP_VECTOR, cs, ext);
  if (!setAccessed(cpu, segment)) return false;
  loadChecked(cpu, SEG_CS, cs, segment);
  const ss = state.selectors[SEG_SS];
  if (!checkStackSegment(cpu, ss, level, segment, TS_VECTOR, ext) || !setAccessed(cpu, segment)) return false;
  loadChecked(cpu, SEG_SS, ss, segment);
  return true;
}

const DATA_SEGMENTS: readonly number[] = [SEG_DS, SEG_ES, SEG_FS, SEG_GS];

/** As a segment register load, with #TS in the place of #GP. */
function loadData(cpu: Cpu, level: number, ext: number): boolean {
  for (const seg of DATA_SEGMENTS) {
    const selector = state.selectors[seg];
    if (isNull(selector)) {
      loadNull(cpu, seg, selector);
      continue;
    }
    if (!checkDataSegment(cpu, selector, level, segment, TS_VECTOR, ext)) return false;
    if (!setAccessed(cpu, segment)) return false;
    loadChecked(cpu, seg, selector, segment);
  }
  return cpu.fault === FAULT_NONE;
}
