/**
 * The interpreter: the outer loop. It looks instructions up, leaves what needs no call to plain-loop.ts, and switches over the
 * dense operation for the rest. Rare operations live in cold.ts.
 *
 * This file is longer than others on purpose: V8 compiles one function well only when everything hot is inside it.
 * test/hot-loop.test.ts holds its bytecode below the size at which V8 gives up.
 *
 * `runGuest(cpu, budget): exit reason` is the seam behind which a second engine can stand. Guest registers are in typed
 * arrays; the budget is a local, EIP is the instruction's (`Insn.eip`); both are written back whenever something else could look.
 */
import { NOWHERE } from '../decoder/insn.ts';
import { ALU_CMP, Op, PLAIN_OPS } from '../decoder/op.ts';
import {
  EXIT_REASON_EPT_VIOLATION,
  EXIT_REASON_PREEMPTION_TIMER,
  EXIT_REASON_TRIPLE_FAULT,
} from '../uapi/vmx.ts';
import { load8, load16, load32, raise, store8, store16, store32 } from './access.ts';
import { alu, aluStore } from './alu.ts';
import { boundary, NO_EXIT } from './boundary.ts';
import { COLD_TABLE } from './cold.ts';
import {
  ACTIVITY_SHUTDOWN,
  type Cpu,
  FAULT_EXCEPTION,
  FAULT_INTERNAL,
  FAULT_MMIO,
  FAULT_NONE,
  FAULT_TRAP,
  KVM_X86_SHADOW_INT_MOV_SS,
} from './cpu.ts';
import { DR6_BS } from './debug-state.ts';
import { deliverFault } from './exceptions.ts';
import { eipOf, lookUp } from './fetch.ts';
import { isCurrent } from './fetch-window.ts';
import { INLINE_REPEAT } from './inline-port-io.ts';
import { NATIVE_REPEAT } from './native-port-io.ts';
import { CODE_BOUND, createPlainLoop, FOUND_AT, LEFT, STOP } from './plain-loop.ts';
import { INLINE_IO, INLINE_IO_DONE, portIoExit, shortIoOf } from './port-io.ts';
import { GP_VECTOR, X86_EFLAGS_RF, X86_EFLAGS_TF } from './registers.ts';
import { drop, peek, pop, push } from './stack.ts';
import { COLD_EVENT, COLD_EXIT, COLD_NEXT, COLD_REPEAT } from './status.ts';

/** The lazy flags' layout, see flags.ts (repeated as plain constants for V8). */
const RESULT = 0;
const AUX = 1;
const AUX_HIGH = 0xc0000000 | 0;
const AUX_AF = 8;
const CARRY_IN = 1 << 30;

/** As in plain-loop.ts. */
const GPR_MASK = 15;
const R16_MASK = 31;
const R8_MASK = 63;

const INT_MIN = 1 << 31;

/** Largest budget of one call: whoever runs the processor gets to look around that often. */
const MAX_BUDGET = 1 << 20;

/** Most ticks of one {@link createRunner}'s segment: V8 enters the function's own code only when it is called. */
const SEGMENT_TICKS = 4_000;

/** Writes back what the exit needs. The exiting instruction itself is not counted. */
function leave(cpu: Cpu, eip: number, retired: number, reason: number): number {
  cpu.eip = eip;
  cpu.retired = retired;
  cpu.exitReason = reason;
  return reason;
}

/** Runs generated code. @returns the ticks left. */
function enterGenerated(cpu: Cpu, left: number): number {
  return cpu.generator === null ? left : cpu.generator.run(cpu, left);
}

/** A compiled-in engine: runs one CPU for at most `budget` ticks. */
export type Runner = (budget: number) => number;

/**
 * Runs the guest for at most `budget` ticks (retired instructions and REP iterations); one call may use less of it.
 *
 * @returns the basic exit reason (EXIT_REASON_*): EXIT_REASON_PREEMPTION_TIMER when the budget is used up. `cpu.retired`
 * says how many ticks passed; `cpu.eip` stands at the instruction that caused the exit, which is not among them.
 */
export function runGuest(cpu: Cpu, budget: number): number {
  if (cpu.runner === null) cpu.runner = createRunner(cpu);
  return cpu.runner(budget);
}

/**
 * The interpreter of one CPU. A closure, because V8 then knows the register arrays as constants (as long as there is one
 * CPU in the process; with more it works on, somewhat slower).
 */
function createRunner(cpu: Cpu): Runner {
  const gprs = cpu.gpr;
  const r16s = cpu.r16;
  const r8s = cpu.r8;
  const lazies = cpu.lazy;
  const cache = cpu.cache;
  const window = cpu.window;
  const bounds = cpu.segBound;
  const plain = createPlainLoop(cpu);
  const { counts } = plain;

  /**
   * Runs instructions up to the next boundary at which something may be due, and for {@link SEGMENT_TICKS} at most.
   *
   * What stands before the loop is one straight line. V8 keeps the code that it made in the middle of the loop (where it knows
   * no constants) as long as that code is never wrong, and never asks for the function as a whole again: so the whole must not
   * be wrong either, on a way that is taken rarely.
   *
   * @returns an exit reason, or NO_EXIT to go on.
   */
  function runSegment(): number {
    // Locals: V8 then knows them as constants in the loop, too.
    const gpr = gprs;
    const r16 = r16s;
    const r8 = r8s;
    const lazy = lazies;
    const segBound = bounds;
    const state = counts;
    let start = cpu.segmentStart | 0;
    let left = cpu.segmentLeft | 0;
    let eip = cpu.eip | 0;

    // After STI or MOV SS, with TF or with RF set, exactly one instruction (or REP iteration) runs to the next boundary.
    const shadow = cpu.interruptShadow | 0;
    const flags = cpu.sysFlags | 0;
    const oneShot = flags & (X86_EFLAGS_TF | X86_EFLAGS_RF);
    const single = (shadow | oneShot) !== 0;
    const most = single ? 1 : SEGMENT_TICKS;
    const end = (left - most) | 0;
    const stop = end > 0 || single ? end : 0;
    cpu.interruptShadow = 0;
    cpu.sysFlags = flags & ~X86_EFLAGS_RF;
    const mayStay = (shadow | (oneShot & X86_EFLAGS_TF)) === 0;
    let completed = true;
    const first = left;

    // What comes next, as far as the instruction before it knows; and that one.
    let insn = NOWHERE;
    let before = NOWHERE;
    state[STOP] = stop;
    state[FOUND_AT] = -1;

    run: while (left > stop) {
      fault: {
        let op = insn.linked | 0;
        if (op < 0 && left !== state[FOUND_AT]) {
          eip = eipOf(insn, before, eip) | 0;
          const found = lookUp(cpu, cache, window, eip, before, insn, single ? 0 : left);
          if (found === null) {
            insn = NOWHERE;
            left = (left - 1) | 0;
            break fault;
          }
          insn = found;
          state[FOUND_AT] = left;
          continue;
        }
        // The first instruction of a segment goes there whatever it is: V8 then knows this call before it makes code of the function,
        // also under a guest that hardly ever needs it.
        if (op < PLAIN_OPS || left === first) {
          state[LEFT] = left;
          insn = plain.run(insn, before);
          left = state[LEFT] | 0;
          before = plain.before;
          if (left <= stop) break;
          op = insn.linked | 0;
          if (op < 0) {
            if (left !== state[FOUND_AT]) continue;
            op = insn.op | 0;
          }
        }
        state[FOUND_AT] = -1;
        left = (left - 1) | 0;
        before = insn;
        taken: {
          next: {
            pair: {
              switch (op) {
                case Op.Load8: {
                  const v = load8(
                    cpu,
                    insn.seg,
                    (gpr[insn.base] + (gpr[insn.index] << insn.scale) + insn.disp) & insn.addrMask,
                  );
                  if (cpu.fault === FAULT_NONE) r8[insn.dst] = v;
                  break;
                }
                case Op.Load16: {
                  const v = load16(
                    cpu,
                    insn.seg,
                    (gpr[insn.base] + (gpr[insn.index] << insn.scale) + insn.disp) & insn.addrMask,
                  );
                  if (cpu.fault === FAULT_NONE) r16[insn.dst] = v;
                  break;
                }
                case Op.Load32: {
                  const v = load32(
                    cpu,
                    insn.seg,
                    (gpr[insn.base] + (gpr[insn.index] << insn.scale) + insn.disp) & insn.addrMask,
                  );
                  if (cpu.fault === FAULT_NONE) gpr[insn.dst] = v;
                  break;
                }
                case Op.Store8:
                  store8(
                    cpu,
                    insn.seg,
                    (gpr[insn.base] + (gpr[insn.index] << insn.scale) + insn.disp) & insn.addrMask,
                    r8[insn.src] + insn.imm,
                  );
                  break;
                case Op.Store16:
                  store16(
                    cpu,
                    insn.seg,
                    (gpr[insn.base] + (gpr[insn.index] << insn.scale) + insn.disp) & insn.addrMask,
                    r16[insn.src] + insn.imm,
                  );
                  break;
                case Op.Store32:
                  store32(
                    cpu,
                    insn.seg,
                    (gpr[insn.base] + (gpr[insn.index] << insn.scale) + insn.disp) & insn.addrMask,
                    gpr[insn.src] + insn.imm,
                  );
                  break;
                case Op.AluLoad8: {
                  const b = load8(
                    cpu,
                    insn.seg,
                    (gpr[insn.base] + (gpr[insn.index] << insn.scale) + insn.disp) & insn.addrMask,
                  );
                  if (cpu.fault !== FAULT_NONE) break;
                  const r = alu(lazy, insn.sub, r8[insn.dst], b, 1);
                  if (insn.sub < ALU_CMP) r8[insn.dst] = r;
                  break;
                }
                case Op.AluLoad16: {
                  const b = load16(
                    cpu,
                    insn.seg,
                    (gpr[insn.base] + (gpr[insn.index] << insn.scale) + insn.disp) & insn.addrMask,
                  );
                  if (cpu.fault !== FAULT_NONE) break;
                  const r = alu(lazy, insn.sub, r16[insn.dst], b, 2);
                  if (insn.sub < ALU_CMP) r16[insn.dst] = r;
                  break;
                }
                case Op.AluLoad32: {
                  const b = load32(
                    cpu,
                    insn.seg,
                    (gpr[insn.base] + (gpr[insn.index] << insn.scale) + insn.disp) & insn.addrMask,
                  );
                  if (cpu.fault !== FAULT_NONE) break;
                  const r = alu(lazy, insn.sub, gpr[insn.dst], b, 4);
                  if (insn.sub < ALU_CMP) gpr[insn.dst] = r;
                  break;
                }
                case Op.AluStore8:
                  aluStore(
                    cpu,
                    insn,
                    (gpr[insn.base] + (gpr[insn.index] << insn.scale) + insn.disp) & insn.addrMask,
                    1,
                    r8[insn.src] + insn.imm,
                  );
                  break;
                case Op.AluStore16:
                  aluStore(
                    cpu,
                    insn,
                    (gpr[insn.base] + (gpr[insn.index] << insn.scale) + insn.disp) & insn.addrMask,
                    2,
                    r16[insn.src] + insn.imm,
                  );
                  break;
                case Op.AluStore32:
                  aluStore(
                    cpu,
                    insn,
                    (gpr[insn.base] + (gpr[insn.index] << insn.scale) + insn.disp) & insn.addrMask,
                    4,
                    gpr[insn.src] + insn.imm,
                  );
                  break;
                case Op.Call: {
                  const target = (insn.eip + insn.disp) & insn.imm2;
                  if ((target ^ INT_MIN) >= segBound[CODE_BOUND]) {
                    raise(cpu, GP_VECTOR, 0);
                    break;
                  }
                  push(cpu, insn.opSize, (insn.eip + insn.len) | 0);
                  if (cpu.fault !== FAULT_NONE) break;
                  eip = target;
                  insn = NOWHERE;
                  continue;
                }
                case Op.Ret: {
                  const target = peek(cpu, insn.opSize, 0) | 0;
                  if (cpu.fault !== FAULT_NONE) break;
                  if ((target ^ INT_MIN) >= segBound[CODE_BOUND]) {
                    raise(cpu, GP_VECTOR, 0);
                    break;
                  }
                  drop(cpu, insn.opSize);
                  eip = target;
                  insn = NOWHERE;
                  continue;
                }
                case Op.Push16:
                  push(cpu, 2, r16[insn.dst]);
                  break;
                case Op.Push32:
                  push(cpu, 4, gpr[insn.dst]);
                  break;
                case Op.Pop16: {
                  const v = pop(cpu, 2);
                  if (cpu.fault === FAULT_NONE) r16[insn.dst] = v;
                  break;
                }
                case Op.Pop32: {
                  const v = pop(cpu, 4);
                  if (cpu.fault === FAULT_NONE) gpr[insn.dst] = v;
                  break;
                }
                case Op.MovzxLoad8: {
                  const v = load8(
                    cpu,
                    insn.seg,
                    (gpr[insn.base] + (gpr[insn.index] << insn.scale) + insn.disp) & insn.addrMask,
                  );
                  if (cpu.fault !== FAULT_NONE) break;
                  if (insn.size === 4) gpr[insn.dst] = v;
                  else r16[insn.dst] = v;
                  break;
                }
                case Op.Generated: {
                  cpu.eip = insn.eip;
                  left = enterGenerated(cpu, left + 1) | 0;
                  eip = cpu.eip | 0;
                  insn = NOWHERE;
                  if (cpu.fault !== FAULT_NONE) break fault;
                  if (cpu.generatedYield !== 0) {
                    cpu.generatedYield = 0;
                    start = (start - left) | 0;
                    left = 0;
                    break run;
                  }
                  if (cpu.attention !== 0) break run;
                  continue;
                }
                // What usually stands behind a port access is here, too: a call of the plain loop would cost more.
                case Op.Test8Jz: {
                  const r = r8[insn.dst & R8_MASK] & (r8[insn.src & R8_MASK] + (insn.imm | 0));
                  lazy[RESULT] = (r << 24) >> 24;
                  lazy[AUX] = 0;
                  break pair;
                }
                case Op.Test16Jz: {
                  const r = r16[insn.dst & R16_MASK] & (r16[insn.src & R16_MASK] + (insn.imm | 0));
                  lazy[RESULT] = (r << 16) >> 16;
                  lazy[AUX] = 0;
                  break pair;
                }
                case Op.Test32Jz:
                  lazy[RESULT] = gpr[insn.dst & GPR_MASK] & (gpr[insn.src & GPR_MASK] + (insn.imm | 0));
                  lazy[AUX] = 0;
                  break pair;
                case Op.Dec8Jz: {
                  const d = insn.dst & R8_MASK;
                  const a = r8[d];
                  const r = (a - 1) | 0;
                  r8[d] = r;
                  lazy[RESULT] = (r << 24) >> 24;
                  lazy[AUX] = (((lazy[AUX] >> 1) & AUX_HIGH) ^ ((a & ~r & 0x80) << 23)) | (~a & r & AUX_AF);
                  break pair;
                }
                case Op.Dec16Jz: {
                  const d = insn.dst & R16_MASK;
                  const a = r16[d];
                  const r = (a - 1) | 0;
                  r16[d] = r;
                  lazy[RESULT] = (r << 16) >> 16;
                  lazy[AUX] = (((lazy[AUX] >> 1) & AUX_HIGH) ^ ((a & ~r & 0x8000) << 15)) | (~a & r & AUX_AF);
                  break pair;
                }
                case Op.Dec32Jz: {
                  const d = insn.dst & GPR_MASK;
                  const a = gpr[d];
                  const r = (a - 1) | 0;
                  gpr[d] = r;
                  lazy[RESULT] = r;
                  lazy[AUX] =
                    (((lazy[AUX] >> 1) & AUX_HIGH) ^ (((a & ~r) >>> 1) & CARRY_IN)) | (~a & r & AUX_AF);
                  break pair;
                }
                case Op.PortIo: {
                  cpu.eip = insn.eip;
                  const exit = portIoExit(cpu, insn, mayStay ? (left + 1) | 0 : 0);
                  if (exit === INLINE_IO_DONE) break next;
                  if (exit === NO_EXIT) break;
                  if (exit < NATIVE_REPEAT) {
                    const result = exit - INLINE_IO;
                    eip = insn.eip | 0;
                    if (result >= INLINE_REPEAT) left = (left + 1 - cpu.inlineTicks) | 0;
                    else eip = (eip + insn.len) | 0;
                    insn = NOWHERE;
                    if (result === INLINE_REPEAT) continue;
                    // Nothing is left of the budget: KVM_RUN looks at what is due.
                    start = (start - left) | 0;
                    left = 0;
                    break run;
                  }
                  if (exit === NATIVE_REPEAT) {
                    eip = insn.eip | 0;
                    insn = NOWHERE;
                    if (cpu.attention !== 0) break run;
                    continue;
                  }
                  if (single) {
                    cpu.interruptShadow = shadow;
                    cpu.sysFlags |= oneShot & X86_EFLAGS_RF;
                  }
                  return leave(cpu, insn.eip, start - left - 1, exit);
                }
                case Op.Jo:
                case Op.Jno:
                case Op.Jb:
                case Op.Jae:
                case Op.Je:
                case Op.Jne:
                case Op.Jbe:
                case Op.Ja:
                case Op.Js:
                case Op.Jns:
                case Op.Jp:
                case Op.Jnp:
                case Op.Jl:
                case Op.Jge:
                case Op.Jle:
                case Op.Jg:
                case Op.Jmp:
                case Op.Loop:
                  // Taken, and beyond the limit.
                  raise(cpu, GP_VECTOR, 0);
                  break;
                default: {
                  cpu.eip = insn.eip;
                  cpu.budgetLeft = left - stop;
                  cpu.retired = start - left;
                  const status = COLD_TABLE[op](cpu, insn);
                  left = (cpu.budgetLeft + stop) | 0;
                  if (cpu.fault !== FAULT_NONE) break;
                  if (status !== COLD_NEXT) {
                    if (status === COLD_EXIT) {
                      if (single) {
                        cpu.interruptShadow = shadow;
                        cpu.sysFlags |= oneShot & X86_EFLAGS_RF;
                      }
                      return leave(cpu, insn.eip, start - left - 1, cpu.exitReason);
                    }
                    eip = insn.eip | 0;
                    insn = NOWHERE;
                    if (status === COLD_REPEAT) {
                      if (cpu.attention !== 0) break run;
                      continue;
                    }
                    // COLD_JUMP or COLD_EVENT
                    completed = status !== COLD_EVENT;
                    eip = cpu.eip | 0;
                    window.len = 0;
                    if (cpu.attention !== 0) break run;
                    continue;
                  }
                  if (cpu.attention === 0) break next;
                  eip = (insn.eip + insn.len) | 0;
                  insn = NOWHERE;
                  break run;
                }
              }
              if (cpu.fault !== FAULT_NONE) break fault;
              break next;
            }
            // As in the plain loop; JE and JNE alone, NEGATED turns the sign.
            const jcc = insn.next;
            if (left <= stop || jcc.linked < 0) break next;
            left = (left - 1) | 0;
            insn = jcc;
            before = jcc;
            if ((~(lazy[RESULT] | -lazy[RESULT]) ^ (jcc.op << 31)) < 0) break taken;
          }
          insn = insn.next;
          continue;
        }
        if (insn.leads !== 0 || (((insn.eip + insn.disp) & insn.imm2) ^ INT_MIN) < segBound[CODE_BOUND]) {
          insn = insn.target;
          continue;
        }
        raise(cpu, GP_VECTOR, 0);
      }

      // A fault, in the fetch or in the instruction. It counts as a tick, so that a guest that only faults ends too.
      eip = eipOf(insn, before, eip) | 0;
      insn = NOWHERE;
      cpu.eip = eip;
      if (single) cpu.sysFlags |= oneShot & X86_EFLAGS_RF;
      if ((cpu.fault & FAULT_EXCEPTION) === 0) {
        if (single) cpu.interruptShadow = shadow;
        completed = false;
        // Nothing was fetched, no tick has passed: boundary() has a trap to deliver. (A trap whose own delivery meets a
        // breakpoint takes a tick each time, so that it ends.)
        if (cpu.fault === FAULT_TRAP && cpu.debug.isDelivery === 0) left = (left + 1) | 0;
        // FAULT_INTERNAL: boundary() leaves with it.
        if (cpu.fault !== FAULT_MMIO) break;
        cpu.fault = FAULT_NONE;
        return leave(cpu, eip, start - left - 1, EXIT_REASON_EPT_VIOLATION);
      }
      completed = false;
      deliverFault(cpu);
      eip = cpu.eip | 0;
      if (cpu.activityState === ACTIVITY_SHUTDOWN)
        return leave(cpu, eip, start - left, EXIT_REASON_TRIPLE_FAULT);
      break;
    }
    cpu.eip = eipOf(insn, before, eip);
    if (single) {
      // The same shadow twice in a row holds nothing back again (KVM: toggle_interruptibility).
      cpu.interruptShadow &= ~shadow;
      // No trap after a load of SS: the one after the next instruction stands for both.
      const isTrap = completed && (cpu.interruptShadow & KVM_X86_SHADOW_INT_MOV_SS) === 0;
      if (isTrap && (oneShot & X86_EFLAGS_TF) !== 0) cpu.pendingDebugTrap |= DR6_BS;
    }
    cpu.segmentStart = start;
    cpu.segmentLeft = left;
    return NO_EXIT;
  }

  return function runGuest(budget: number): number {
    const start = budget > MAX_BUDGET ? MAX_BUDGET : budget | 0;
    if (cpu.generator !== null) cpu.generator.timePasses(cpu.retired);
    cpu.startBudget = start;
    cpu.segmentStart = start;
    cpu.segmentLeft = start;
    // FAULT_INTERNAL of an event injected from outside stays: boundary() leaves with it.
    if (cpu.fault !== FAULT_INTERNAL) cpu.fault = FAULT_NONE;
    for (;;) {
      cpu.attention = 0;
      let reason = cpu.oneInstruction === 0 ? boundary(cpu) : NO_EXIT;
      if (reason === NO_EXIT && cpu.segmentLeft <= 0) reason = EXIT_REASON_PREEMPTION_TIMER;
      if (reason !== NO_EXIT) return leave(cpu, cpu.eip, cpu.segmentStart - cpu.segmentLeft, reason);
      if (!isCurrent(window, cpu)) window.len = 0;
      cpu.shortIo = shortIoOf(cpu);
      reason = runSegment();
      if (reason !== NO_EXIT) return reason;
    }
  };
}
