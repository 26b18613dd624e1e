/**
 * How the reference model's exceptions reach their handlers: through the vector table of real mode, or through the interrupt
 * gates of `case-memory.ts` to a flat segment of privilege level 0.
 *
 * Intel SDM vol. 3A, “Exception- and Interrupt-Handler Procedures”, “Real-Address Mode”.
 */
import { IDT_BASE, TSS_BASE } from './case-layout.ts';
import type { ReferenceMemory } from './reference-memory.ts';
import type { ReferenceState } from './reference-state.ts';

export const UD = 6;
export const SS = 12;
export const GP = 13;
export const PF = 14;
const TF_IF_RF_AC = 0x5_0300;
const TF_IF_NT_RF_VM = 0x3_4300;
const RF = 0x1_0000;
const VM = 0x2_0000;
const U32 = 0xffff_ffff;
const TSS_ESP0 = 4;
const TSS_SS0 = 8;
const SEGMENTS_OF_V86 = ['gs', 'fs', 'ds', 'es'] as const;

/** @returns false when what follows is not modelled: a fault on the way. */
export function deliver(
  state: ReferenceState,
  memory: ReferenceMemory,
  vector: number,
  errorCode: number,
): boolean {
  return state.mode === 'real'
    ? deliverReal(state, memory, vector)
    : deliverProtected(state, memory, vector, errorCode);
}

/** FLAGS, CS, IP to the stack, IF and TF clear, on through the vector table. */
function deliverReal(state: ReferenceState, memory: ReferenceMemory, vector: number): boolean {
  const sp = state.esp & 0xffff;
  if (sp < 6 && sp % 2 !== 0) return false;
  push16(state, memory, state.eflags);
  push16(state, memory, state.cs.selector);
  push16(state, memory, state.eip);
  state.eflags &= ~TF_IF_RF_AC;
  state.eip = memory.read(vector * 4, 2, false);
  const selector = memory.read(vector * 4 + 2, 2, false);
  const { limit, access } = state.cs;
  state.cs = { selector, base: selector * 16, limit, access };
  return true;
}

/** From level 3 onto the stack that the TSS names. */
function deliverProtected(
  state: ReferenceState,
  memory: ReferenceMemory,
  vector: number,
  errorCode: number,
): boolean {
  const isV86 = state.mode === 'v86';
  const flags = state.eflags | RF | (isV86 ? VM : 0);
  const { ss, esp } = state;
  let isDone = true;
  if (state.cpl === 3) {
    state.esp = memory.read(TSS_BASE + TSS_ESP0, 4, false);
    const selector = memory.read(TSS_BASE + TSS_SS0, 2, false);
    state.ss = { selector, base: 0, limit: U32, access: 'rw' };
    if (isV86) {
      for (const name of SEGMENTS_OF_V86) {
        isDone &&= push32(state, memory, state[name].selector);
        state[name] = { selector: 0, base: 0, limit: 0, access: 'null' };
      }
    }
    isDone &&= push32(state, memory, ss.selector) && push32(state, memory, esp);
  }
  isDone &&= push32(state, memory, flags) && push32(state, memory, state.cs.selector);
  isDone &&= push32(state, memory, state.eip);
  // #UD has no error code.
  if (vector !== UD) isDone &&= push32(state, memory, errorCode);
  state.eflags &= ~TF_IF_NT_RF_VM;
  const gate = IDT_BASE + vector * 8;
  const low = memory.read(gate, 2, false);
  const high = memory.read(gate + 6, 2, false);
  state.eip = low + high * 0x1_0000;
  state.cs = { selector: memory.read(gate + 2, 2, false), base: 0, limit: U32, access: 'ro' };
  state.cpl = 0;
  state.mode = 'prot32';
  return isDone && low >= 0 && high >= 0;
}

function push16(state: ReferenceState, memory: ReferenceMemory, value: number): void {
  const sp = (state.esp - 2) & 0xffff;
  state.esp = ((state.esp & 0xffff_0000) | sp) >>> 0;
  // SP is even, or high enough: a word that wraps is a fault, which is not modelled.
  memory.write(state.ss.base + sp, 2, value, false);
}

function push32(state: ReferenceState, memory: ReferenceMemory, value: number): boolean {
  state.esp -= 4;
  return memory.write(state.ss.base + state.esp, 4, value, false);
}
