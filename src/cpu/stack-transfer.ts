/**
 * PUSH and POP of immediates, memory and segment registers, PUSHA, POPA, ENTER, LEAVE.
 *
 * Intel SDM vol. 1, “Stack Manipulation Instructions”, “Procedure Calls for Block-Structured Languages”.
 */
import { type Insn, SEG_SS } from '../decoder/insn.ts';
import { effectiveAddress, loadSized, probeStore, storeSized } from './access.ts';
import { type Cpu, FAULT_NONE } from './cpu.ts';
import { loadSegmentShadowed } from './data-transfer.ts';
import { readDst, writeReg } from './operand.ts';
import { EBP, EDI, ESP } from './registers.ts';
import { drop, peek, pop, push, setStackPointer, stackMask } from './stack.ts';
import { COLD_NEXT } from './status.ts';

/** Push(SRC), sign-extended to the operand size */
export function pushImm(cpu: Cpu, insn: Insn): number {
  push(cpu, insn.opSize, insn.imm);
  return COLD_NEXT;
}

/** Push(SRC): the address of SRC uses ESP as it was. */
export function pushMem(cpu: Cpu, insn: Insn): number {
  const v = readDst(cpu, insn, insn.size);
  if (cpu.fault === FAULT_NONE) push(cpu, insn.size, v);
  return COLD_NEXT;
}

/** The address of a memory destination is worked out with the stack pointer already incremented. */
export function popMem(cpu: Cpu, insn: Insn): number {
  const v = peek(cpu, insn.size, 0);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  const sp = cpu.gpr[ESP];
  drop(cpu, insn.size);
  if (insn.form === 0) writeReg(cpu, insn.dst, insn.size, v);
  else storeSized(cpu, insn.seg, effectiveAddress(cpu.gpr, insn), insn.size, v);
  if (cpu.fault !== FAULT_NONE) cpu.gpr[ESP] = sp;
  return COLD_NEXT;
}

/** A 32-bit push of a segment register writes 16 bits and leaves the upper half of the slot, as processors since P6 do. */
export function pushSreg(cpu: Cpu, insn: Insn): number {
  const sp = (cpu.gpr[ESP] - insn.opSize) & stackMask(cpu);
  if (insn.opSize === 4 && !probeStore(cpu, SEG_SS, sp, 4)) return COLD_NEXT;
  storeSized(cpu, SEG_SS, sp, 2, cpu.segSelector[insn.sub]);
  if (cpu.fault === FAULT_NONE) setStackPointer(cpu, sp);
  return COLD_NEXT;
}

/** Sreg ← Pop(): a slot of the operand size, its low 16 bits count. */
export function popSreg(cpu: Cpu, insn: Insn): number {
  const selector = peek(cpu, insn.opSize, 0);
  if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  // The size of the pop is that of the stack as it was: SS.B may change with the load.
  const sp = (cpu.gpr[ESP] + insn.opSize) & stackMask(cpu);
  const mask = stackMask(cpu);
  if (!loadSegmentShadowed(cpu, insn.sub, selector & 0xffff)) return COLD_NEXT;
  cpu.gpr[ESP] = (cpu.gpr[ESP] & ~mask) | sp;
  return COLD_NEXT;
}

/** Push(EAX) … Push(EDI), with the original ESP. All slots are checked first: it begins only what it can finish. */
export function pusha(cpu: Cpu, insn: Insn): number {
  const size = insn.opSize;
  const mask = stackMask(cpu);
  const sp = cpu.gpr[ESP];
  for (let i = 1; i <= 8; i++) if (!probeStore(cpu, SEG_SS, (sp - i * size) & mask, size)) return COLD_NEXT;
  for (let i = 1; i <= 8; i++) storeSized(cpu, SEG_SS, (sp - i * size) & mask, size, cpu.gpr[i - 1]);
  setStackPointer(cpu, (sp - 8 * size) & mask);
  return COLD_NEXT;
}

const popped = new Int32Array(8);

/** Pops EDI … EAX; the slot of ESP is skipped. Each slot is read once: it may be a device. */
export function popa(cpu: Cpu, insn: Insn): number {
  const size = insn.opSize;
  for (let i = 0; i < 8; i++) {
    popped[i] = peek(cpu, size, i * size);
    if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
  }
  for (let i = 0; i < 8; i++) {
    const reg = EDI - i;
    if (reg === ESP) continue;
    if (size === 4) cpu.gpr[reg] = popped[i];
    else cpu.r16[reg * 2] = popped[i];
  }
  drop(cpu, 8 * size);
  return COLD_NEXT;
}

/**
 *     Push(EBP); FrameTemp ← ESP
 *     FOR i ← 1 TO NestingLevel − 1: EBP ← EBP − size; Push([EBP])
 *     IF NestingLevel > 0 THEN Push(FrameTemp)
 *     EBP ← FrameTemp; ESP ← ESP − AllocSize
 *
 * The final stack pointer is probed as a write of the operand size. All slots are tried first: on a fault nothing has
 * changed.
 */
export function enter(cpu: Cpu, insn: Insn): number {
  const size = insn.opSize;
  const mask = stackMask(cpu);
  const level = insn.imm2 & 31;
  const alloc = insn.imm & 0xffff;
  if (!probeEnter(cpu, size, level, alloc)) return COLD_NEXT;
  push(cpu, size, cpu.gpr[EBP]);
  const frame = cpu.gpr[ESP];
  const bp = cpu.gpr[EBP];
  for (let i = 1; i < level; i++) push(cpu, size, loadSized(cpu, SEG_SS, (bp - i * size) & mask, size));
  if (level > 0) push(cpu, size, frame);
  writeReg(cpu, size === 4 ? EBP : EBP * 2, size, frame);
  drop(cpu, -alloc);
  return COLD_NEXT;
}

/** Whether every access of {@link enter} would succeed; raises the fault otherwise. */
function probeEnter(cpu: Cpu, size: number, level: number, alloc: number): boolean {
  const mask = stackMask(cpu);
  const sp = cpu.gpr[ESP];
  const slots = level === 0 ? 1 : level + 1;
  for (let i = 1; i <= slots; i++) {
    if (!probeStore(cpu, SEG_SS, (sp - i * size) & mask, size)) return false;
    if (i >= level) continue;
    loadSized(cpu, SEG_SS, (cpu.gpr[EBP] - i * size) & mask, size);
    if (cpu.fault !== FAULT_NONE) return false;
  }
  return probeStore(cpu, SEG_SS, (sp - slots * size - alloc) & mask, size);
}

/** ESP ← EBP; EBP ← Pop() */
export function leave(cpu: Cpu, insn: Insn): number {
  const oldSp = cpu.gpr[ESP];
  setStackPointer(cpu, cpu.gpr[EBP]);
  const v = pop(cpu, insn.opSize);
  if (cpu.fault !== FAULT_NONE) cpu.gpr[ESP] = oldSp;
  else writeReg(cpu, insn.opSize === 4 ? EBP : EBP * 2, insn.opSize, v);
  return COLD_NEXT;
}
