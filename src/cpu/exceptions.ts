/**
 * Delivery of exceptions and interrupts.
 *
 * Intel SDM vol. 3A, “Interrupt and Exception Handling”; vol. 3B, “Interrupt and Exception Handling” of 8086 emulation.
 */
import { SEG_CS, SEG_SS } from '../decoder/insn.ts';
import { checkSegment, raise, readLinear, writeLinear } from './access.ts';
import { ACTIVITY_ACTIVE, ACTIVITY_SHUTDOWN, type Cpu, FAULT_EXCEPTION, FAULT_NONE } from './cpu.ts';
import { DR6_BD } from './debug-state.ts';
import { getEflags } from './flags.ts';
import { IO_NOT_REFUSED } from './io-refusal.ts';
import { deliverProtected, EVENT_EXCEPTION } from './protected-delivery.ts';
import {
  AC_VECTOR,
  BP_VECTOR,
  DB_VECTOR,
  DE_VECTOR,
  DF_VECTOR,
  ESP,
  GP_VECTOR,
  NP_VECTOR,
  OF_VECTOR,
  PF_VECTOR,
  SS_VECTOR,
  TS_VECTOR,
  X86_CR0_PE,
  X86_EFLAGS_AC,
  X86_EFLAGS_IF,
  X86_EFLAGS_RF,
  X86_EFLAGS_TF,
} from './registers.ts';
import { loadSegmentReal } from './segments.ts';
import { setStackPointer, stackMask } from './stack.ts';
import { OPEN_BUS } from './system-access.ts';

/** Bytes of a real-mode frame: IP, CS, FLAGS. */
const REAL_FRAME = 6;

/**
 * Queues an exception for the next entry (KVM: `kvm_queue_exception`; #PF: `kvm_inject_page_fault`, of the address in
 * `cpu.faultAddress`, which CR2 gets at once).
 */
export function queueException(cpu: Cpu, vector: number, errorCode: number): void {
  if (vector === PF_VECTOR) cpu.cr2 = cpu.faultAddress;
  cpu.queuedVector = vector;
  cpu.queuedErrorCode = errorCode;
  cpu.attention = 1;
}

/** #DE, #TS, #NP, #SS, #GP: two of them in a row make a double fault. */
function isContributory(vector: number): boolean {
  return vector === DE_VECTOR || (vector >= TS_VECTOR && vector <= GP_VECTOR);
}

/** Whether a fault of `second` while `first` is being delivered is a double fault. SDM table “Conditions for Generating a Double Fault”. */
function isDoubleFault(first: number, second: number): boolean {
  if (isContributory(first)) return isContributory(second);
  return first === PF_VECTOR && (isContributory(second) || second === PF_VECTOR);
}

/**
 * Real-mode delivery through the IVT:
 *
 *     IF ((vector * 4) + 3) is not within IDT limit THEN #GP
 *     Push(EFLAGS[15:0]); IF ← TF ← AC ← 0; Push(CS); Push(IP)
 *     CS ← IDT[vector * 4].selector; EIP ← IDT[vector * 4].offset AND 0000FFFFH
 *
 * On a fault (`cpu.fault`) nothing has changed.
 */
function deliverRealMode(cpu: Cpu, vector: number, returnEip: number): void {
  if (vector * 4 + 3 > cpu.idtLimit) {
    raise(cpu, GP_VECTOR, 0);
    return;
  }
  const mask = stackMask(cpu);
  const sp = cpu.gpr[ESP];
  for (let at = 2; at <= REAL_FRAME; at += 2) {
    if (!checkSegment(cpu, SEG_SS, (sp - at) & mask, 2, true)) return;
  }
  const ivt = (cpu.idtBase + vector * 4) | 0;
  const offset = readLinear(cpu, ivt, 2);
  const selector = readLinear(cpu, (ivt + 2) | 0, 2);
  const base = cpu.segBase[SEG_SS];
  writeLinear(cpu, (base + ((sp - 2) & mask)) | 0, 2, getEflags(cpu) & 0xffff);
  writeLinear(cpu, (base + ((sp - 4) & mask)) | 0, 2, cpu.segSelector[SEG_CS]);
  writeLinear(cpu, (base + ((sp - 6) & mask)) | 0, 2, returnEip & 0xffff);
  setStackPointer(cpu, (sp - REAL_FRAME) & mask);
  cpu.sysFlags &= ~(X86_EFLAGS_IF | X86_EFLAGS_TF | X86_EFLAGS_AC | X86_EFLAGS_RF);
  loadSegmentReal(cpu, SEG_CS, selector);
  cpu.eip = offset;
}

/** Exceptions that push an error code in protected mode. */
const ERROR_CODE_VECTORS =
  (1 << DF_VECTOR) |
  (1 << TS_VECTOR) |
  (1 << NP_VECTOR) |
  (1 << SS_VECTOR) |
  (1 << GP_VECTOR) |
  (1 << PF_VECTOR) |
  (1 << AC_VECTOR);

/** Exceptions that are traps: the frame's EFLAGS has RF as it is. */
const TRAP_VECTORS = (1 << DB_VECTOR) | (1 << BP_VECTOR) | (1 << OF_VECTOR) | (1 << DF_VECTOR);

/** One attempt, through the IVT or the IDT. On a fault (`cpu.fault`) nothing has changed. */
function deliverOnce(cpu: Cpu, vector: number, errorCode: number, returnEip: number, kind: number): void {
  if ((cpu.cr0 & X86_CR0_PE) === 0) {
    deliverRealMode(cpu, vector, returnEip);
    return;
  }
  const isException = kind === EVENT_EXCEPTION;
  const hasErrorCode = isException && vector < 32 && (ERROR_CODE_VECTORS & (1 << vector)) !== 0;
  const isFault = isException && vector < 32 && (TRAP_VECTORS & (1 << vector)) === 0;
  deliverProtected(cpu, vector, errorCode, hasErrorCode, returnEip, kind, isFault);
}

/**
 * Delivers event `vector` with `returnEip` on the frame. A fault on the way is delivered instead, or becomes a double
 * fault; a fault while that is delivered is a triple fault: `cpu.activityState` = ACTIVITY_SHUTDOWN. Stacks and vectors
 * outside memory read as ones, and writes to them vanish.
 *
 * @param kind EVENT_* (only exceptions make double faults).
 */
export function deliverEvent(
  cpu: Cpu,
  vector: number,
  errorCode: number,
  returnEip: number,
  kind: number,
): void {
  const mmio = cpu.mmio;
  cpu.mmio = OPEN_BUS;
  cpu.fault = FAULT_NONE;
  cpu.interruptShadow = 0;
  cpu.repStarted = 0;
  if (cpu.repSuspended !== 0) {
    // SDM vol. 3B, “Instruction-Breakpoint Exception Condition”: after any iteration of a REP but the last, RF is pushed as 1.
    cpu.repSuspended = 0;
    cpu.sysFlags |= X86_EFLAGS_RF;
  }
  cpu.activityState = ACTIVITY_ACTIVE;
  let current = vector;
  let code = errorCode;
  let currentKind = kind;
  let eip = returnEip;
  for (;;) {
    deliverOnce(cpu, current, code, eip, currentKind);
    if ((cpu.fault & FAULT_EXCEPTION) === 0) break;
    const second = cpu.fault & 0xff;
    if (second === PF_VECTOR) cpu.cr2 = cpu.faultAddress;
    const wasException = currentKind === EVENT_EXCEPTION;
    cpu.fault = FAULT_NONE;
    if (wasException && current === DF_VECTOR) {
      cpu.activityState = ACTIVITY_SHUTDOWN;
      break;
    }
    const isDouble = wasException && isDoubleFault(current, second);
    current = isDouble ? DF_VECTOR : second;
    code = isDouble ? 0 : cpu.faultErrorCode;
    currentKind = EVENT_EXCEPTION;
    // The instruction's own address; behind the commit point of a task switch that of the new task.
    eip = cpu.eip;
  }
  // A refused port access that has a handler is no longer what the machine dies of.
  if (cpu.activityState === ACTIVITY_ACTIVE) cpu.ioRefusal.reason = IO_NOT_REFUSED;
  cpu.mmio = mmio;
}

/**
 * A #DB that is a fault (an instruction breakpoint, DR7.GD): it waits for the boundary, as the traps do, where the host can
 * have it instead.
 */
function deferDebugFault(cpu: Cpu): void {
  const payload = cpu.faultErrorCode;
  cpu.fault = FAULT_NONE;
  // KVM: a general detect of the guest's own DR7 goes to the guest even while a debugger steps (`handle_dr`).
  if (payload === DR6_BD && cpu.debug.isHost === 0) queueException(cpu, DB_VECTOR, payload);
  else cpu.pendingDebugTrap |= payload;
}

/** Delivers the exception that the instruction at `cpu.eip` left in `cpu.fault`. */
export function deliverFault(cpu: Cpu): void {
  if (cpu.fault === (FAULT_EXCEPTION | DB_VECTOR)) {
    deferDebugFault(cpu);
    return;
  }
  const vector = cpu.fault & ~FAULT_EXCEPTION;
  if (vector === PF_VECTOR) cpu.cr2 = cpu.faultAddress;
  deliverEvent(cpu, vector, cpu.faultErrorCode, cpu.eip, EVENT_EXCEPTION);
}
