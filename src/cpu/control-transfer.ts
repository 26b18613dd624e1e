/**
 * Transfers of control that have no hot case: indirect and far jumps and calls, returns, software interrupts, BOUND,
 * LOOPcc, JCXZ. (IRET: interrupt-return.ts.)
 *
 * Intel SDM vol. 1, “Control Transfer Instructions”.
 */
import { type Insn, SEG_CS, SEG_SS } from '../decoder/insn.ts';
import { Op } from '../decoder/op.ts';
import { effectiveAddress, load16, loadSized, probeStore, raise } from './access.ts';
import { type Cpu, FAULT_NONE } from './cpu.ts';
import { deliverDebugException, exceptionExit, isIntercepted } from './debug-exception.ts';
import { deliverEvent } from './exceptions.ts';
import { retfProtected } from './far-return.ts';
import { farCallProtected, farJumpProtected } from './far-transfer.ts';
import { getOf, getZf, signExtend } from './flags.ts';
import { readDst, readReg } from './operand.ts';
import { EVENT_SOFTWARE } from './protected-delivery.ts';
import {
  BP_VECTOR,
  BR_VECTOR,
  DB_VECTOR,
  ECX,
  ESP,
  GP_VECTOR,
  OF_VECTOR,
  X86_EFLAGS_VM,
} from './registers.ts';
import { codeOffsetAllowed, loadSegmentReal, loadSegmentV86 } from './segments.ts';
import { drop, peek, push, stackMask } from './stack.ts';
import { COLD_EVENT, COLD_EXIT, COLD_JUMP, COLD_NEXT } from './status.ts';
import { INT_REDIRECTED, INT_THROUGH_IDT, virtualInterrupt } from './virtual-8086.ts';

/** Near transfer to `target`; #GP(0) beyond the limit. @returns whether it was allowed. */
function nearTarget(cpu: Cpu, target: number): boolean {
  if (codeOffsetAllowed(cpu, target)) return true;
  raise(cpu, GP_VECTOR, 0);
  return false;
}

/** EIP ← DEST; #GP(0) beyond the limit, before anything has changed. */
export function jmpIndirect(cpu: Cpu, insn: Insn): number {
  const target = readDst(cpu, insn, insn.size);
  if (cpu.fault !== FAULT_NONE || !nearTarget(cpu, target)) return COLD_NEXT;
  cpu.eip = target;
  return COLD_JUMP;
}

/** Push(EIP of the next instruction); EIP ← DEST. The target is read and checked before the push. */
export function callIndirect(cpu: Cpu, insn: Insn): number {
  const target = readDst(cpu, insn, insn.size);
  if (cpu.fault !== FAULT_NONE || !nearTarget(cpu, target)) return COLD_NEXT;
  push(cpu, insn.size, (cpu.eip + insn.len) | 0);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  cpu.eip = target;
  return COLD_JUMP;
}

/** CS ← selector in real and virtual-8086 mode. */
function loadCode(cpu: Cpu, selector: number): void {
  if ((cpu.sysFlags & X86_EFLAGS_VM) !== 0) loadSegmentV86(cpu, SEG_CS, selector);
  else loadSegmentReal(cpu, SEG_CS, selector);
}

/** CS ← selector, EIP ← offset; an offset beyond the limit is #GP(0). Protected mode: far-transfer.ts. */
function farJump(cpu: Cpu, insn: Insn, selector: number, offset: number): number {
  if (cpu.isProtected) return farJumpProtected(cpu, insn, selector, offset);
  if (!nearTarget(cpu, offset)) return COLD_NEXT;
  loadCode(cpu, selector);
  cpu.eip = offset;
  return COLD_JUMP;
}

/** Push(CS); Push(EIP); then as a far jump. Both slots are checked first. Protected mode: far-transfer.ts. */
function farCall(cpu: Cpu, insn: Insn, selector: number, offset: number): number {
  if (cpu.isProtected) return farCallProtected(cpu, insn, selector, offset);
  const size = insn.opSize;
  const mask = stackMask(cpu);
  const sp = cpu.gpr[ESP];
  if (!probeStore(cpu, SEG_SS, (sp - size) & mask, size)) return COLD_NEXT;
  if (!probeStore(cpu, SEG_SS, (sp - 2 * size) & mask, size)) return COLD_NEXT;
  if (!nearTarget(cpu, offset)) return COLD_NEXT;
  push(cpu, size, cpu.segSelector[SEG_CS]);
  push(cpu, size, (cpu.eip + insn.len) | 0);
  return farJump(cpu, insn, selector, offset);
}

/** CS:EIP ← ptr16:16 or ptr16:32 */
export function jmpFar(cpu: Cpu, insn: Insn): number {
  return farJump(cpu, insn, insn.imm2, insn.imm);
}

/** Push(CS); Push(EIP); CS:EIP ← ptr16:16 or ptr16:32 */
export function callFar(cpu: Cpu, insn: Insn): number {
  return farCall(cpu, insn, insn.imm2, insn.imm);
}

/** CS:EIP ← m16:16 or m16:32: the offset first, then the selector behind it. */
export function jmpFarMem(cpu: Cpu, insn: Insn): number {
  const ea = effectiveAddress(cpu.gpr, insn);
  const offset = loadSized(cpu, insn.seg, ea, insn.opSize);
  const selector = load16(cpu, insn.seg, (ea + insn.opSize) & insn.addrMask);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  return farJump(cpu, insn, selector, offset);
}

/** Push(CS); Push(EIP); CS:EIP ← m16:16 or m16:32 */
export function callFarMem(cpu: Cpu, insn: Insn): number {
  const ea = effectiveAddress(cpu.gpr, insn);
  const offset = loadSized(cpu, insn.seg, ea, insn.opSize);
  const selector = load16(cpu, insn.seg, (ea + insn.opSize) & insn.addrMask);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  return farCall(cpu, insn, selector, offset);
}

/** EIP ← Pop(); ESP ← ESP + imm16 */
export function retImm(cpu: Cpu, insn: Insn): number {
  const target = peek(cpu, insn.opSize, 0);
  if (cpu.fault !== FAULT_NONE || !nearTarget(cpu, target)) return COLD_NEXT;
  drop(cpu, insn.opSize + (insn.imm & 0xffff));
  cpu.eip = target;
  return COLD_JUMP;
}

/** EIP ← Pop(); CS ← Pop(); ESP ← ESP + imm16. Protected mode: far-return.ts. */
export function retf(cpu: Cpu, insn: Insn): number {
  if (cpu.isProtected) return retfProtected(cpu, insn);
  const size = insn.opSize;
  const offset = peek(cpu, size, 0);
  const selector = peek(cpu, size, size);
  if (cpu.fault !== FAULT_NONE || !nearTarget(cpu, offset)) return COLD_NEXT;
  drop(cpu, 2 * size + (insn.imm & 0xffff));
  loadCode(cpu, selector);
  cpu.eip = offset;
  return COLD_JUMP;
}

/** A software interrupt: the frame holds the address of the next instruction. */
function softwareInterrupt(cpu: Cpu, insn: Insn, vector: number): number {
  deliverEvent(cpu, vector, 0, (cpu.eip + insn.len) | 0, EVENT_SOFTWARE);
  // A shutdown must reach the boundary.
  cpu.attention = 1;
  return COLD_EVENT;
}

/** INT imm8. In virtual-8086 mode IOPL and the redirection map decide (virtual-8086.ts). */
export function int(cpu: Cpu, insn: Insn): number {
  const vector = insn.imm & 0xff;
  if ((cpu.sysFlags & X86_EFLAGS_VM) !== 0) {
    const way = virtualInterrupt(cpu, vector, (cpu.eip + insn.len) | 0);
    if (way !== INT_THROUGH_IDT) return way === INT_REDIRECTED ? COLD_EVENT : COLD_NEXT;
  }
  return softwareInterrupt(cpu, insn, vector);
}

/** INT3: #BP, a trap; or out to the host, with EIP at the instruction. Neither IOPL nor the redirection map has a say. */
export function int3(cpu: Cpu, insn: Insn): number {
  if (isIntercepted(cpu, BP_VECTOR)) {
    exceptionExit(cpu, BP_VECTOR, 0, insn.len);
    return COLD_EXIT;
  }
  return softwareInterrupt(cpu, insn, BP_VECTOR);
}

/** INT1: #DB without a condition in DR6; unlike INT n it does not ask for the gate's DPL, and EXT is set. */
export function int1(cpu: Cpu, insn: Insn): number {
  if (isIntercepted(cpu, DB_VECTOR)) {
    exceptionExit(cpu, DB_VECTOR, 0, insn.len);
    return COLD_EXIT;
  }
  deliverDebugException(cpu, 0, (cpu.eip + insn.len) | 0);
  cpu.attention = 1;
  return COLD_EVENT;
}

/** IF OF = 1 THEN INT 4 */
export function into(cpu: Cpu, insn: Insn): number {
  return getOf(cpu.lazy) !== 0 ? softwareInterrupt(cpu, insn, OF_VECTOR) : COLD_NEXT;
}

/** IF index < lower bound or index > upper bound THEN #BR */
export function bound(cpu: Cpu, insn: Insn): number {
  const size = insn.opSize;
  const ea = effectiveAddress(cpu.gpr, insn);
  const lower = signExtend(loadSized(cpu, insn.seg, ea, size), size);
  const upper = signExtend(loadSized(cpu, insn.seg, (ea + size) & insn.addrMask, size), size);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  const index = signExtend(readReg(cpu, insn.dst, size), size);
  if (index < lower || index > upper) raise(cpu, BR_VECTOR, 0);
  return COLD_NEXT;
}

function branch(cpu: Cpu, insn: Insn): number {
  const target = (cpu.eip + insn.disp) & insn.imm2;
  if (!nearTarget(cpu, target)) return COLD_NEXT;
  cpu.eip = target;
  return COLD_JUMP;
}

/** LOOPE and LOOPNE: Count ← Count − 1; jump when Count ≠ 0 and ZF matches. */
export function loopcc(cpu: Cpu, insn: Insn): number {
  const count = (cpu.gpr[ECX] - 1) & insn.addrMask;
  const wanted = insn.op === Op.Loope ? 1 : 0;
  let status = COLD_NEXT;
  if (count !== 0 && getZf(cpu.lazy) === wanted) status = branch(cpu, insn);
  if (cpu.fault === FAULT_NONE) cpu.gpr[ECX] = (cpu.gpr[ECX] & ~insn.addrMask) | count;
  return status;
}

/** IF CX or ECX (by address size) = 0 THEN jump */
export function jcxz(cpu: Cpu, insn: Insn): number {
  return (cpu.gpr[ECX] & insn.addrMask) === 0 ? branch(cpu, insn) : COLD_NEXT;
}
