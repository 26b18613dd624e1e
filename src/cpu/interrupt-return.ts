/**
 * IRET: real mode, virtual-8086 mode with and without VME, protected mode to the same and to an outer level, to
 * virtual-8086 mode, and back to the task that was interrupted.
 *
 * Intel SDM vol. 2, pseudo-code of “IRET/IRETD”.
 */
import { type Insn, SEG_CS, SEG_DS, SEG_ES, SEG_FS, SEG_GS, SEG_SS } from '../decoder/insn.ts';
import { raise } from './access.ts';
import { type Cpu, FAULT_NONE } from './cpu.ts';
import { Descriptor, rplOf } from './descriptor.ts';
import {
  checkReturnCode,
  checkReturnOffset,
  checkReturnStack,
  returnOuterLevel,
  returnSameLevel,
} from './far-return.ts';
import { afterTaskSwitch } from './far-transfer.ts';
import { loadIretFlags } from './flag-control.ts';
import { setEflags } from './flags.ts';
import { cpl, iopl, privilegeChanged } from './privilege.ts';
import { EFLAGS_MASK, ESP, GP_VECTOR, X86_EFLAGS_NT, X86_EFLAGS_VM } from './registers.ts';
import { codeOffsetAllowed, loadSegmentReal, loadSegmentV86 } from './segments.ts';
import { drop, peek } from './stack.ts';
import { COLD_JUMP, COLD_NEXT } from './status.ts';
import { requireBusyTss, switchTask, TASK_IRET } from './task-switch.ts';
import { readLink } from './tss.ts';
import { loadVirtualFlags, virtualFlagsAllowed } from './virtual-8086.ts';

const back = new Descriptor();

/** What was popped. */
const popped = { eip: 0, cs: 0, eflags: 0 };

/** EIP ← Pop(); CS ← Pop(); EFLAGS ← Pop(), into {@link popped}; the stack pointer stays. */
function readFrame(cpu: Cpu, size: number): boolean {
  popped.eip = peek(cpu, size, 0);
  popped.cs = peek(cpu, size, size) & 0xffff;
  popped.eflags = peek(cpu, size, 2 * size);
  return cpu.fault === FAULT_NONE;
}

/** IRET. NMIs are open again once it has succeeded. */
export function iret(cpu: Cpu, insn: Insn): number {
  let status: number;
  if ((cpu.sysFlags & X86_EFLAGS_VM) !== 0) status = fromV86(cpu, insn.opSize);
  else if (!cpu.isProtected) status = inRealMode(cpu, insn.opSize);
  else if ((cpu.sysFlags & X86_EFLAGS_NT) !== 0) return toTask(cpu, (cpu.eip + insn.len) | 0);
  else status = inProtectedMode(cpu, insn.opSize);
  if (cpu.fault === FAULT_NONE) cpu.nmiMasked = 0;
  return status;
}

/** Whether the popped offset is within the code segment, which keeps its limit. */
function offsetAllowed(cpu: Cpu): boolean {
  if (codeOffsetAllowed(cpu, popped.eip)) return true;
  raise(cpu, GP_VECTOR, 0);
  return false;
}

/** EIP ← Pop(); CS ← Pop(); EFLAGS ← Pop() */
function inRealMode(cpu: Cpu, size: number): number {
  if (!readFrame(cpu, size) || !offsetAllowed(cpu)) return COLD_NEXT;
  drop(cpu, 3 * size);
  loadSegmentReal(cpu, SEG_CS, popped.cs);
  cpu.eip = popped.eip;
  loadIretFlags(cpu, popped.eflags, size);
  return COLD_JUMP;
}

/**
 *     IF IOPL = 3 THEN EIP, CS, EFLAGS ← Pop(), VM, IOPL, VIP, VIF unchanged
 *     ELSE IF CR4.VME = 0 or operand size is 32 THEN #GP(0)
 *     ELSE IF TF in the image, or VIP = 1 and IF in the image THEN #GP(0)
 *       ELSE as with IOPL 3, but VIF ← IF of the image and IF unchanged
 */
function fromV86(cpu: Cpu, size: number): number {
  const isVirtual = iopl(cpu) < 3;
  if (isVirtual && !virtualFlagsAllowed(cpu, size)) return COLD_NEXT;
  if (!readFrame(cpu, size) || !offsetAllowed(cpu)) return COLD_NEXT;
  const { eip, cs, eflags } = popped;
  if (!isVirtual) loadIretFlags(cpu, eflags, size);
  else if (!loadVirtualFlags(cpu, eflags)) return COLD_NEXT;
  drop(cpu, 3 * size);
  loadSegmentV86(cpu, SEG_CS, cs);
  cpu.eip = eip;
  return COLD_JUMP;
}

/**
 *     (checks of CS, see checkReturnCode)
 *     IF RPL > CPL THEN SS:ESP ← Pop() (checks)
 *     EFLAGS: CF PF AF ZF SF TF DF OF NT; with 32 bits RF AC ID; IF where CPL ≤ IOPL; at level 0 IOPL, and with 32 bits
 *     VIF VIP — the level being the one before
 */
function inProtectedMode(cpu: Cpu, size: number): number {
  if (!readFrame(cpu, size)) return COLD_NEXT;
  const { eip, cs, eflags } = popped;
  const level = cpl(cpu);
  if (size === 4 && level === 0 && (eflags & X86_EFLAGS_VM) !== 0) return toV86(cpu);
  if (!checkReturnCode(cpu, cs)) return COLD_NEXT;
  if (rplOf(cs) === level) {
    if (!checkReturnOffset(cpu, eip, false)) return COLD_NEXT;
    drop(cpu, 3 * size);
    loadIretFlags(cpu, eflags, size);
    returnSameLevel(cpu, cs, eip);
    privilegeChanged(cpu);
    return COLD_JUMP;
  }
  const esp = peek(cpu, size, 3 * size);
  const ss = peek(cpu, size, 4 * size) & 0xffff;
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  if (!checkReturnStack(cpu, ss, cs) || !checkReturnOffset(cpu, eip, true)) return COLD_NEXT;
  loadIretFlags(cpu, eflags, size);
  returnOuterLevel(cpu, cs, eip, ss, esp);
  return COLD_JUMP;
}

/** The order of the frame behind ESP. */
const V86_FRAME: readonly number[] = [SEG_SS, SEG_ES, SEG_DS, SEG_FS, SEG_GS];

/**
 *     IF instruction pointer is not within 64 KiB THEN #GP(0)
 *     EFLAGS ← tempEFLAGS; ESP, SS, ES, DS, FS, GS ← Pop(); CS:EIP ← temp; CPL ← 3
 */
function toV86(cpu: Cpu): number {
  const { eip, cs, eflags } = popped;
  const esp = peek(cpu, 4, 12);
  for (let i = 0; i < V86_FRAME.length; i++) peek(cpu, 4, 16 + 4 * i);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  if (eip >>> 0 > 0xffff) {
    raise(cpu, GP_VECTOR, 0);
    return COLD_NEXT;
  }
  // SS, with which the frame is read, goes last.
  for (let i = V86_FRAME.length - 1; i >= 0; i--) {
    loadSegmentV86(cpu, V86_FRAME[i], peek(cpu, 4, 16 + 4 * i));
  }
  loadSegmentV86(cpu, SEG_CS, cs);
  cpu.gpr[ESP] = esp;
  cpu.eip = eip;
  setEflags(cpu, eflags & EFLAGS_MASK);
  privilegeChanged(cpu);
  return COLD_JUMP;
}

/** NT = 1: switch back to the task that the link names. */
function toTask(cpu: Cpu, nextEip: number): number {
  const selector = readLink(cpu);
  if (cpu.fault !== FAULT_NONE || !requireBusyTss(cpu, selector, back)) return COLD_NEXT;
  if (!switchTask(cpu, selector, back, TASK_IRET, nextEip, 0)) return COLD_NEXT;
  cpu.nmiMasked = 0;
  return afterTaskSwitch(cpu);
}
