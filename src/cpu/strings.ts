/**
 * String instructions: MOVS CMPS STOS LODS SCAS with every REP form. (INS and OUTS leave the CPU: port-io.ts.)
 *
 * One tick an iteration, and one for the pass that finds the count at 0 and moves EIP. When the budget runs out in the
 * middle, EIP stays at the instruction and the registers tell how far it came: interrupts are taken there. With TF set the
 * last iteration moves EIP itself, so that there is one trap an iteration.
 *
 * Intel SDM vol. 1, “String Instructions”; vol. 2, “REP/REPE/REPZ/REPNE/REPNZ”.
 */
import { type Insn, REP_F3, REP_NONE, SEG_ES } from '../decoder/insn.ts';
import { Op } from '../decoder/op.ts';
import { loadSized, storeSized } from './access.ts';
import { type Cpu, FAULT_NONE } from './cpu.ts';
import { getZf, LAZY_AUX, LAZY_RESULT, setFlagsSub } from './flags.ts';
import { readReg, writeReg } from './operand.ts';
import { EAX, ECX, EDI, ESI, X86_EFLAGS_DF, X86_EFLAGS_TF } from './registers.ts';
import { COLD_NEXT, COLD_REPEAT } from './status.ts';
import { compareBlock, moveBlock } from './string-blocks.ts';

/** Adds to SI, DI or CX, leaving what lies outside the address size alone. */
export function advance(cpu: Cpu, reg: number, by: number, mask: number): void {
  const v = cpu.gpr[reg];
  cpu.gpr[reg] = (v & ~mask) | ((v + by) & mask);
}

/** One iteration. On a fault nothing has changed. */
function step(cpu: Cpu, insn: Insn, by: number): void {
  const size = insn.size;
  const mask = insn.addrMask;
  const si = cpu.gpr[ESI] & mask;
  const di = cpu.gpr[EDI] & mask;
  switch (insn.op) {
    case Op.Movs: {
      // (ES:DI) ← (DS:SI)
      const v = loadSized(cpu, insn.seg, si, size);
      if (cpu.fault !== FAULT_NONE) return;
      storeSized(cpu, SEG_ES, di, size, v);
      if (cpu.fault !== FAULT_NONE) return;
      advance(cpu, ESI, by, mask);
      advance(cpu, EDI, by, mask);
      return;
    }
    case Op.Stos:
      storeSized(cpu, SEG_ES, di, size, cpu.gpr[EAX]);
      if (cpu.fault === FAULT_NONE) advance(cpu, EDI, by, mask);
      return;
    case Op.Lods: {
      const v = loadSized(cpu, insn.seg, si, size);
      if (cpu.fault !== FAULT_NONE) return;
      writeReg(cpu, EAX, size, v);
      advance(cpu, ESI, by, mask);
      return;
    }
    case Op.Cmps: {
      // temp ← (DS:SI) − (ES:DI); where both fault, processors tell the second (vectors hw32/string16).
      // KVM: its emulator, which has the instruction where no memory is, reads the source first.
      const isEmulated = cpu.mmio !== null;
      let a = isEmulated ? loadSized(cpu, insn.seg, si, size) : 0;
      if (cpu.fault !== FAULT_NONE) return;
      const b = loadSized(cpu, SEG_ES, di, size);
      if (cpu.fault !== FAULT_NONE) return;
      if (!isEmulated) a = loadSized(cpu, insn.seg, si, size);
      if (cpu.fault !== FAULT_NONE) return;
      setFlagsSub(cpu.lazy, a, b, (a - b) | 0, size);
      advance(cpu, ESI, by, mask);
      advance(cpu, EDI, by, mask);
      return;
    }
    default: {
      // SCAS: temp ← accumulator − (ES:DI)
      const b = loadSized(cpu, SEG_ES, di, size);
      if (cpu.fault !== FAULT_NONE) return;
      const a = readReg(cpu, EAX, size);
      setFlagsSub(cpu.lazy, a, b, (a - b) | 0, size);
      advance(cpu, EDI, by, mask);
    }
  }
}

/** Any of the five, with or without REP. */
export function stringOperation(cpu: Cpu, insn: Insn): number {
  const by = (cpu.sysFlags & X86_EFLAGS_DF) !== 0 ? -insn.size : insn.size;
  cpu.repSuspended = 0;
  if (insn.rep === REP_NONE) {
    step(cpu, insn, by);
    return COLD_NEXT;
  }
  if (insn.op === Op.Cmps || insn.op === Op.Scas) return repeatCompare(cpu, insn, by);
  const { cache } = cpu;
  const { generation } = cache;
  if (by > 0 && cache.enabled && cpu.debug.armed === 0 && cpu.attention === 0) moveBlocks(cpu, insn);
  for (;;) {
    if ((cpu.gpr[ECX] & insn.addrMask) === 0) return COLD_NEXT;
    step(cpu, insn, by);
    if (cpu.fault !== FAULT_NONE) return COLD_NEXT;
    advance(cpu, ECX, -1, insn.addrMask);
    if (cpu.budgetLeft <= 0 || cpu.attention !== 0) return interrupted(cpu, insn);
    // It may have written over itself: the next iteration is fetched anew, wherever the budget ends.
    if (cache.generation !== generation || !cache.enabled) return suspend(cpu);
    cpu.budgetLeft--;
  }
}

/** As many iterations as blocks can do with the budget; at least one tick of it is left. */
function moveBlocks(cpu: Cpu, insn: Insn): void {
  for (;;) {
    const done = moveBlock(cpu, insn, cpu.budgetLeft);
    if (done === 0) return;
    cpu.budgetLeft -= done;
  }
}

/** Not finished: an event that comes now pushes RF = 1, and its own breakpoint does not count again. */
export function suspend(cpu: Cpu): number {
  cpu.repSuspended = 1;
  if (cpu.debug.armed !== 0) cpu.attention = 1;
  return COLD_REPEAT;
}

/** After an iteration with which the budget ends, or a data breakpoint was met: the last one then moves EIP itself. */
function interrupted(cpu: Cpu, insn: Insn): number {
  const isLast = (cpu.gpr[ECX] & insn.addrMask) === 0;
  const isTrap = (cpu.sysFlags & X86_EFLAGS_TF) !== 0 || cpu.debug.hits !== 0;
  return isLast && isTrap ? COLD_NEXT : suspend(cpu);
}

/**
 * REPE and REPNE with CMPS and SCAS. A fault restores EFLAGS to what they were before the whole instruction (SDM vol. 2,
 * “REP/REPE/REPZ/REPNE/REPNZ”), also when the budget ran out on the way; an interrupt taken there makes a new beginning.
 */
function repeatCompare(cpu: Cpu, insn: Insn, by: number): number {
  const lazy = cpu.lazy;
  if (cpu.repStarted === 0) {
    cpu.repStarted = 1;
    cpu.repResult = lazy[LAZY_RESULT];
    cpu.repAux = lazy[LAZY_AUX];
  }
  const goOn = insn.rep === REP_F3 ? 1 : 0;
  if (by > 0 && cpu.debug.armed === 0 && cpu.attention === 0 && cpu.mmio === null) {
    cpu.budgetLeft -= compareBlock(cpu, insn, cpu.budgetLeft);
  }
  while ((cpu.gpr[ECX] & insn.addrMask) !== 0) {
    step(cpu, insn, by);
    if (cpu.fault !== FAULT_NONE) break;
    advance(cpu, ECX, -1, insn.addrMask);
    if (getZf(lazy) !== goOn) break;
    if (cpu.budgetLeft <= 0 || cpu.attention !== 0) {
      if (interrupted(cpu, insn) === COLD_REPEAT) return COLD_REPEAT;
      break;
    }
    cpu.budgetLeft--;
  }
  if (cpu.fault !== FAULT_NONE) {
    lazy[LAZY_RESULT] = cpu.repResult;
    lazy[LAZY_AUX] = cpu.repAux;
  }
  cpu.repStarted = 0;
  return COLD_NEXT;
}
