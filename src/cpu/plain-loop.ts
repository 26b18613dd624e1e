/**
 * The interpreter's inner loop: the operations that need no call, and nothing else.
 *
 * A call takes every register, so V8 keeps the locals of a loop with one on the stack, and each instruction waits for what the
 * one before it has stored. Here they stay in registers (`perf annotate` of the generated code shows it). So an access to memory
 * is done here when it is plain RAM; everything else ends the loop before it has changed anything, and interpreter.ts does it.
 *
 * test/hot-loop.test.ts holds what makes it so: no call, no second loop, the size.
 */
import { type Insn, NOWHERE, SEG_CS, SEG_SS } from '../decoder/insn.ts';
import { FIRST_PAIR, Op } from '../decoder/op.ts';
import type { Cpu } from './cpu.ts';
import { getPf } from './flags.ts';
import { PAGE_MASK, PAGE_SHIFT, PAGE_SIZE } from './memory.ts';
import { AR_DB, ECX, ESP } from './registers.ts';
import { TLB_DELTA, TLB_READ_MASK, TLB_VALID, TLB_WRITE_MASK } from './tlb.ts';

/** The lazy flags' layout, see flags.ts (repeated as plain constants for V8). */
const RESULT = 0;
const AUX = 1;
const AUX_HIGH = 0xc0000000 | 0;
const AUX_AF = 8;
const AUX_KEEP = 0xc0000008 | 0;
const CARRY_IN = 1 << 30;

const INT_MIN = 1 << 31;

/** Register numbers are within them; V8 then need not ask whether an index is within its array. */
const GPR_MASK = 15;
const R16_MASK = 31;
const R8_MASK = 63;
const SEG_MASK = 7;

/** {@link PlainLoop.counts}: ticks left, and the ticks left at which it ends. */
export const LEFT = 0;
export const STOP = 1;
/** The ticks left at which an instruction was looked up that is not linked: it is done then. */
export const FOUND_AT = 2;
/** In `Cpu.segBound`: where the code segment ends. */
export const CODE_BOUND = (SEG_CS << 3) | 3;

/** The inner loop of one CPU. */
export interface PlainLoop {
  /** By {@link LEFT} … {@link FOUND_AT}. */
  readonly counts: Int32Array;
  /** The instruction before the one returned, when that one has to be looked up or the ticks are used up. */
  before: Insn;
  /**
   * Runs from `first` on, which comes after `previous`. @returns the instruction that has to be done otherwise or looked up, or
   * the next one when no ticks are left. A jump with a known target leads beyond the limit.
   */
  readonly run: (first: Insn, previous: Insn) => Insn;
}

/** Makes the inner loop of `cpu`: a closure, for the reason that the interpreter is one. */
export function createPlainLoop(cpu: Cpu): PlainLoop {
  const gprs = cpu.gpr;
  const r16s = cpu.r16;
  const r8s = cpu.r8;
  const lazies = cpu.lazy;
  const bounds = cpu.segBound;
  const bases = cpu.segBase;
  const attrs = cpu.segAttr;
  // A buffer of more than 64 bytes does not move, so that V8 knows its address as a constant.
  const counts = new Int32Array(new ArrayBuffer(128), 0, 3);
  const loop = { counts, before: NOWHERE, run: runPlain };
  return loop;

  function runPlain(first: Insn, previous: Insn): Insn {
    const gpr = gprs;
    const r16 = r16s;
    const r8 = r8s;
    const lazy = lazies;
    const segBound = bounds;
    const segBase = bases;
    const segAttr = attrs;
    const state = counts;
    const stop = state[STOP];
    let left = state[LEFT];
    let insn = first;
    let before = previous;
    run: while (left > stop) {
      let op = insn.linked | 0;
      if (op < 0) {
        if (left !== state[FOUND_AT]) break;
        op = insn.op | 0;
      }
      // Of a pair: below 0 when JE or JB would jump. (V8 would make an object of a truth value, and compare that.)
      let sign = 0;
      taken: {
        pair: {
          switch (op) {
            case Op.Add8: {
              // DEST ← DEST + SRC
              const d = insn.dst & R8_MASK;
              const a = r8[d];
              const b = r8[insn.src & R8_MASK] + (insn.imm | 0);
              const r = (a + b) | 0;
              r8[d] = r;
              lazy[RESULT] = (r << 24) >> 24;
              const c = (a & b) | ((a | b) & ~r);
              lazy[AUX] = ((c << 24) & AUX_HIGH) | (c & AUX_AF);
              break;
            }
            case Op.Add16: {
              const d = insn.dst & R16_MASK;
              const a = r16[d];
              const b = r16[insn.src & R16_MASK] + (insn.imm | 0);
              const r = (a + b) | 0;
              r16[d] = r;
              lazy[RESULT] = (r << 16) >> 16;
              const c = (a & b) | ((a | b) & ~r);
              lazy[AUX] = ((c << 16) & AUX_HIGH) | (c & AUX_AF);
              break;
            }
            case Op.Add32: {
              const d = insn.dst & GPR_MASK;
              const a = gpr[d];
              const b = (gpr[insn.src & GPR_MASK] + (insn.imm | 0)) | 0;
              const r = (a + b) | 0;
              gpr[d] = r;
              lazy[RESULT] = r;
              lazy[AUX] = ((a & b) | ((a | b) & ~r)) & AUX_KEEP;
              break;
            }
            case Op.Or8: {
              // DEST ← DEST OR SRC; CF, OF ← 0
              const d = insn.dst & R8_MASK;
              const a = r8[d];
              const b = r8[insn.src & R8_MASK] + (insn.imm | 0);
              const r = a | b;
              r8[d] = r;
              lazy[RESULT] = (r << 24) >> 24;
              lazy[AUX] = 0;
              break;
            }
            case Op.Or16: {
              const d = insn.dst & R16_MASK;
              const a = r16[d];
              const b = r16[insn.src & R16_MASK] + (insn.imm | 0);
              const r = a | b;
              r16[d] = r;
              lazy[RESULT] = (r << 16) >> 16;
              lazy[AUX] = 0;
              break;
            }
            case Op.Or32: {
              const d = insn.dst & GPR_MASK;
              const a = gpr[d];
              const b = (gpr[insn.src & GPR_MASK] + (insn.imm | 0)) | 0;
              const r = a | b;
              gpr[d] = r;
              lazy[RESULT] = r;
              lazy[AUX] = 0;
              break;
            }
            case Op.Adc8: {
              // DEST ← DEST + SRC + CF
              const d = insn.dst & R8_MASK;
              const a = r8[d];
              const b = r8[insn.src & R8_MASK] + (insn.imm | 0);
              const r = (a + b + (lazy[AUX] >>> 31)) | 0;
              r8[d] = r;
              lazy[RESULT] = (r << 24) >> 24;
              const c = (a & b) | ((a | b) & ~r);
              lazy[AUX] = ((c << 24) & AUX_HIGH) | (c & AUX_AF);
              break;
            }
            case Op.Adc16: {
              const d = insn.dst & R16_MASK;
              const a = r16[d];
              const b = r16[insn.src & R16_MASK] + (insn.imm | 0);
              const r = (a + b + (lazy[AUX] >>> 31)) | 0;
              r16[d] = r;
              lazy[RESULT] = (r << 16) >> 16;
              const c = (a & b) | ((a | b) & ~r);
              lazy[AUX] = ((c << 16) & AUX_HIGH) | (c & AUX_AF);
              break;
            }
            case Op.Adc32: {
              const d = insn.dst & GPR_MASK;
              const a = gpr[d];
              const b = (gpr[insn.src & GPR_MASK] + (insn.imm | 0)) | 0;
              const r = (a + b + (lazy[AUX] >>> 31)) | 0;
              gpr[d] = r;
              lazy[RESULT] = r;
              lazy[AUX] = ((a & b) | ((a | b) & ~r)) & AUX_KEEP;
              break;
            }
            case Op.Sbb8: {
              // DEST ← DEST − (SRC + CF)
              const d = insn.dst & R8_MASK;
              const a = r8[d];
              const b = r8[insn.src & R8_MASK] + (insn.imm | 0);
              const r = (a - b - (lazy[AUX] >>> 31)) | 0;
              r8[d] = r;
              lazy[RESULT] = (r << 24) >> 24;
              const c = (~a & b) | ((~a | b) & r);
              lazy[AUX] = ((c << 24) & AUX_HIGH) | (c & AUX_AF);
              break;
            }
            case Op.Sbb16: {
              const d = insn.dst & R16_MASK;
              const a = r16[d];
              const b = r16[insn.src & R16_MASK] + (insn.imm | 0);
              const r = (a - b - (lazy[AUX] >>> 31)) | 0;
              r16[d] = r;
              lazy[RESULT] = (r << 16) >> 16;
              const c = (~a & b) | ((~a | b) & r);
              lazy[AUX] = ((c << 16) & AUX_HIGH) | (c & AUX_AF);
              break;
            }
            case Op.Sbb32: {
              const d = insn.dst & GPR_MASK;
              const a = gpr[d];
              const b = (gpr[insn.src & GPR_MASK] + (insn.imm | 0)) | 0;
              const r = (a - b - (lazy[AUX] >>> 31)) | 0;
              gpr[d] = r;
              lazy[RESULT] = r;
              lazy[AUX] = ((~a & b) | ((~a | b) & r)) & AUX_KEEP;
              break;
            }
            case Op.And8: {
              // DEST ← DEST AND SRC; CF, OF ← 0
              const d = insn.dst & R8_MASK;
              const a = r8[d];
              const b = r8[insn.src & R8_MASK] + (insn.imm | 0);
              const r = a & b;
              r8[d] = r;
              lazy[RESULT] = (r << 24) >> 24;
              lazy[AUX] = 0;
              break;
            }
            case Op.And16: {
              const d = insn.dst & R16_MASK;
              const a = r16[d];
              const b = r16[insn.src & R16_MASK] + (insn.imm | 0);
              const r = a & b;
              r16[d] = r;
              lazy[RESULT] = (r << 16) >> 16;
              lazy[AUX] = 0;
              break;
            }
            case Op.And32: {
              const d = insn.dst & GPR_MASK;
              const a = gpr[d];
              const b = (gpr[insn.src & GPR_MASK] + (insn.imm | 0)) | 0;
              const r = a & b;
              gpr[d] = r;
              lazy[RESULT] = r;
              lazy[AUX] = 0;
              break;
            }
            case Op.Sub8: {
              // DEST ← DEST − SRC
              const d = insn.dst & R8_MASK;
              const a = r8[d];
              const b = r8[insn.src & R8_MASK] + (insn.imm | 0);
              const r = (a - b) | 0;
              r8[d] = r;
              lazy[RESULT] = (r << 24) >> 24;
              const c = (~a & b) | ((~a | b) & r);
              lazy[AUX] = ((c << 24) & AUX_HIGH) | (c & AUX_AF);
              break;
            }
            case Op.Sub16: {
              const d = insn.dst & R16_MASK;
              const a = r16[d];
              const b = r16[insn.src & R16_MASK] + (insn.imm | 0);
              const r = (a - b) | 0;
              r16[d] = r;
              lazy[RESULT] = (r << 16) >> 16;
              const c = (~a & b) | ((~a | b) & r);
              lazy[AUX] = ((c << 16) & AUX_HIGH) | (c & AUX_AF);
              break;
            }
            case Op.Sub32: {
              const d = insn.dst & GPR_MASK;
              const a = gpr[d];
              const b = (gpr[insn.src & GPR_MASK] + (insn.imm | 0)) | 0;
              const r = (a - b) | 0;
              gpr[d] = r;
              lazy[RESULT] = r;
              lazy[AUX] = ((~a & b) | ((~a | b) & r)) & AUX_KEEP;
              break;
            }
            case Op.Xor8: {
              // DEST ← DEST XOR SRC; CF, OF ← 0
              const d = insn.dst & R8_MASK;
              const a = r8[d];
              const b = r8[insn.src & R8_MASK] + (insn.imm | 0);
              const r = a ^ b;
              r8[d] = r;
              lazy[RESULT] = (r << 24) >> 24;
              lazy[AUX] = 0;
              break;
            }
            case Op.Xor16: {
              const d = insn.dst & R16_MASK;
              const a = r16[d];
              const b = r16[insn.src & R16_MASK] + (insn.imm | 0);
              const r = a ^ b;
              r16[d] = r;
              lazy[RESULT] = (r << 16) >> 16;
              lazy[AUX] = 0;
              break;
            }
            case Op.Xor32: {
              const d = insn.dst & GPR_MASK;
              const a = gpr[d];
              const b = (gpr[insn.src & GPR_MASK] + (insn.imm | 0)) | 0;
              const r = a ^ b;
              gpr[d] = r;
              lazy[RESULT] = r;
              lazy[AUX] = 0;
              break;
            }
            case Op.Cmp8:
            case Op.Cmp8Jz:
            case Op.Cmp8Jc: {
              // temp ← DEST − SRC
              const a = r8[insn.dst & R8_MASK];
              const b = r8[insn.src & R8_MASK] + (insn.imm | 0);
              const r = (a - b) | 0;
              const v = (r << 24) >> 24;
              lazy[RESULT] = v;
              const c = (~a & b) | ((~a | b) & r);
              lazy[AUX] = ((c << 24) & AUX_HIGH) | (c & AUX_AF);
              if (op < FIRST_PAIR) break;
              sign = op < Op.Cmp8Jc ? ~(v | -v) : c << 24;
              break pair;
            }
            case Op.Cmp16:
            case Op.Cmp16Jz:
            case Op.Cmp16Jc: {
              const a = r16[insn.dst & R16_MASK];
              const b = r16[insn.src & R16_MASK] + (insn.imm | 0);
              const r = (a - b) | 0;
              const v = (r << 16) >> 16;
              lazy[RESULT] = v;
              const c = (~a & b) | ((~a | b) & r);
              lazy[AUX] = ((c << 16) & AUX_HIGH) | (c & AUX_AF);
              if (op < FIRST_PAIR) break;
              sign = op < Op.Cmp8Jc ? ~(v | -v) : c << 16;
              break pair;
            }
            case Op.Cmp32:
            case Op.Cmp32Jz:
            case Op.Cmp32Jc: {
              const a = gpr[insn.dst & GPR_MASK];
              const b = (gpr[insn.src & GPR_MASK] + (insn.imm | 0)) | 0;
              const r = (a - b) | 0;
              lazy[RESULT] = r;
              const c = (~a & b) | ((~a | b) & r);
              lazy[AUX] = c & AUX_KEEP;
              if (op < FIRST_PAIR) break;
              sign = op < Op.Cmp8Jc ? ~(r | -r) : c;
              break pair;
            }
            case Op.Test8:
            case Op.Test8Jz: {
              // temp ← DEST AND SRC; CF, OF ← 0
              const a = r8[insn.dst & R8_MASK];
              const b = r8[insn.src & R8_MASK] + (insn.imm | 0);
              const r = a & b;
              const v = (r << 24) >> 24;
              lazy[RESULT] = v;
              lazy[AUX] = 0;
              if (op < FIRST_PAIR) break;
              sign = ~(v | -v);
              break pair;
            }
            case Op.Test16:
            case Op.Test16Jz: {
              const a = r16[insn.dst & R16_MASK];
              const b = r16[insn.src & R16_MASK] + (insn.imm | 0);
              const r = a & b;
              const v = (r << 16) >> 16;
              lazy[RESULT] = v;
              lazy[AUX] = 0;
              if (op < FIRST_PAIR) break;
              sign = ~(v | -v);
              break pair;
            }
            case Op.Test32:
            case Op.Test32Jz: {
              const a = gpr[insn.dst & GPR_MASK];
              const b = (gpr[insn.src & GPR_MASK] + (insn.imm | 0)) | 0;
              const r = a & b;
              lazy[RESULT] = r;
              lazy[AUX] = 0;
              if (op < FIRST_PAIR) break;
              sign = ~(r | -r);
              break pair;
            }
            case Op.Mov8:
              r8[insn.dst & R8_MASK] = r8[insn.src & R8_MASK] + (insn.imm | 0);
              break;
            case Op.Mov16:
              r16[insn.dst & R16_MASK] = r16[insn.src & R16_MASK] + (insn.imm | 0);
              break;
            case Op.Mov32:
              gpr[insn.dst & GPR_MASK] = gpr[insn.src & GPR_MASK] + (insn.imm | 0);
              break;
            case Op.Inc8: {
              // DEST ← DEST + 1; CF unchanged
              const d = insn.dst & R8_MASK;
              const a = r8[d];
              const r = (a + 1) | 0;
              r8[d] = r;
              lazy[RESULT] = (r << 24) >> 24;
              lazy[AUX] = (((lazy[AUX] >> 1) & AUX_HIGH) ^ ((~a & r & 0x80) << 23)) | (a & ~r & AUX_AF);
              break;
            }
            case Op.Inc16: {
              const d = insn.dst & R16_MASK;
              const a = r16[d];
              const r = (a + 1) | 0;
              r16[d] = r;
              lazy[RESULT] = (r << 16) >> 16;
              lazy[AUX] = (((lazy[AUX] >> 1) & AUX_HIGH) ^ ((~a & r & 0x8000) << 15)) | (a & ~r & AUX_AF);
              break;
            }
            case Op.Inc32: {
              const d = insn.dst & GPR_MASK;
              const a = gpr[d];
              const r = (a + 1) | 0;
              gpr[d] = r;
              lazy[RESULT] = r;
              lazy[AUX] = (((lazy[AUX] >> 1) & AUX_HIGH) ^ (((~a & r) >>> 1) & CARRY_IN)) | (a & ~r & AUX_AF);
              break;
            }
            case Op.Dec8:
            case Op.Dec8Jz: {
              // DEST ← DEST − 1; CF unchanged
              const d = insn.dst & R8_MASK;
              const a = r8[d];
              const r = (a - 1) | 0;
              r8[d] = r;
              const v = (r << 24) >> 24;
              lazy[RESULT] = v;
              lazy[AUX] = (((lazy[AUX] >> 1) & AUX_HIGH) ^ ((a & ~r & 0x80) << 23)) | (~a & r & AUX_AF);
              if (op < FIRST_PAIR) break;
              sign = ~(v | -v);
              break pair;
            }
            case Op.Dec16:
            case Op.Dec16Jz: {
              const d = insn.dst & R16_MASK;
              const a = r16[d];
              const r = (a - 1) | 0;
              r16[d] = r;
              const v = (r << 16) >> 16;
              lazy[RESULT] = v;
              lazy[AUX] = (((lazy[AUX] >> 1) & AUX_HIGH) ^ ((a & ~r & 0x8000) << 15)) | (~a & r & AUX_AF);
              if (op < FIRST_PAIR) break;
              sign = ~(v | -v);
              break pair;
            }
            case Op.Dec32:
            case Op.Dec32Jz: {
              const d = insn.dst & GPR_MASK;
              const a = gpr[d];
              const r = (a - 1) | 0;
              gpr[d] = r;
              lazy[RESULT] = r;
              lazy[AUX] = (((lazy[AUX] >> 1) & AUX_HIGH) ^ (((a & ~r) >>> 1) & CARRY_IN)) | (~a & r & AUX_AF);
              if (op < FIRST_PAIR) break;
              sign = ~(r | -r);
              break pair;
            }
            case Op.Lea16:
              r16[insn.dst & R16_MASK] =
                (gpr[insn.base & GPR_MASK] + (gpr[insn.index & GPR_MASK] << insn.scale) + insn.disp) &
                insn.addrMask;
              break;
            case Op.Lea32:
              gpr[insn.dst & GPR_MASK] =
                (gpr[insn.base & GPR_MASK] + (gpr[insn.index & GPR_MASK] << insn.scale) + insn.disp) &
                insn.addrMask;
              break;
            case Op.Jo:
              if ((lazy[AUX] ^ (lazy[AUX] << 1)) < 0) break taken;
              break;
            case Op.Jno:
              if ((lazy[AUX] ^ (lazy[AUX] << 1)) >= 0) break taken;
              break;
            case Op.Jb:
              if (lazy[AUX] < 0) break taken;
              break;
            case Op.Jae:
              if (lazy[AUX] >= 0) break taken;
              break;
            case Op.Je:
              if (lazy[RESULT] === 0) break taken;
              break;
            case Op.Jne:
              if (lazy[RESULT] !== 0) break taken;
              break;
            case Op.Jbe:
              if (lazy[AUX] < 0 || lazy[RESULT] === 0) break taken;
              break;
            case Op.Ja:
              if (lazy[AUX] >= 0 && lazy[RESULT] !== 0) break taken;
              break;
            case Op.Js:
              if ((lazy[RESULT] ^ (lazy[AUX] << 31)) < 0) break taken;
              break;
            case Op.Jns:
              if ((lazy[RESULT] ^ (lazy[AUX] << 31)) >= 0) break taken;
              break;
            case Op.Jp:
              if (getPf(lazy) !== 0) break taken;
              break;
            case Op.Jnp:
              if (getPf(lazy) === 0) break taken;
              break;
            case Op.Jl:
              if ((lazy[RESULT] ^ (lazy[AUX] << 31) ^ lazy[AUX] ^ (lazy[AUX] << 1)) < 0) break taken;
              break;
            case Op.Jge:
              if ((lazy[RESULT] ^ (lazy[AUX] << 31) ^ lazy[AUX] ^ (lazy[AUX] << 1)) >= 0) break taken;
              break;
            case Op.Jle:
              if (lazy[RESULT] === 0 || (lazy[RESULT] ^ (lazy[AUX] << 31) ^ lazy[AUX] ^ (lazy[AUX] << 1)) < 0)
                break taken;
              break;
            case Op.Jg:
              if (
                lazy[RESULT] !== 0 &&
                (lazy[RESULT] ^ (lazy[AUX] << 31) ^ lazy[AUX] ^ (lazy[AUX] << 1)) >= 0
              )
                break taken;
              break;
            case Op.Jmp:
              break taken;
            case Op.Shl32: {
              // CF ← last bit shifted out; OF ← MSB(DEST) XOR CF (count 1)
              const count = (r8[insn.src & R8_MASK] + (insn.imm | 0)) & 31;
              if (count !== 0) {
                const d = insn.dst & GPR_MASK;
                const a = gpr[d];
                const r = a << count;
                const cf = (a >>> (32 - count)) & 1;
                gpr[d] = r;
                lazy[RESULT] = r;
                lazy[AUX] = (cf << 31) | ((r >>> 1) & CARRY_IN);
              }
              break;
            }
            case Op.Shr32: {
              // OF ← MSB(tempDEST) (count 1)
              const count = (r8[insn.src & R8_MASK] + (insn.imm | 0)) & 31;
              if (count !== 0) {
                const d = insn.dst & GPR_MASK;
                const a = gpr[d];
                const r = a >>> count;
                const cf = (a >>> (count - 1)) & 1;
                gpr[d] = r;
                lazy[RESULT] = r;
                lazy[AUX] = (cf << 31) | ((cf ^ (((r ^ (r << 1)) >>> 31) & 1)) << 30);
              }
              break;
            }
            case Op.Sar32: {
              // OF ← 0
              const count = (r8[insn.src & R8_MASK] + (insn.imm | 0)) & 31;
              if (count !== 0) {
                const d = insn.dst & GPR_MASK;
                const a = gpr[d];
                const r = a >> count;
                const cf = (a >> (count - 1)) & 1;
                gpr[d] = r;
                lazy[RESULT] = r;
                lazy[AUX] = (cf << 31) | (cf << 30);
              }
              break;
            }
            case Op.Nop:
              break;
            case Op.MovzxReg8:
              if (insn.size === 4) gpr[insn.dst & GPR_MASK] = r8[insn.src & R8_MASK];
              else r16[insn.dst & R16_MASK] = r8[insn.src & R8_MASK];
              break;
            case Op.Load8: {
              const off =
                (gpr[insn.base & GPR_MASK] + (gpr[insn.index & GPR_MASK] << insn.scale) + insn.disp) &
                insn.addrMask;
              const seg = insn.seg & SEG_MASK;
              if ((off ^ INT_MIN) >= segBound[seg << 3]) break run;
              const linear = (segBase[seg] + off) | 0;
              const t = cpu.tlb[linear >>> PAGE_SHIFT];
              if ((t & TLB_READ_MASK) !== TLB_VALID) break run;
              const at = (linear + (t & TLB_DELTA)) >>> 0;
              r8[insn.dst & R8_MASK] = cpu.mem.ram[at];
              break;
            }
            case Op.Store8: {
              const off =
                (gpr[insn.base & GPR_MASK] + (gpr[insn.index & GPR_MASK] << insn.scale) + insn.disp) &
                insn.addrMask;
              const seg = insn.seg & SEG_MASK;
              if ((off ^ INT_MIN) >= segBound[(seg << 3) | 4]) break run;
              const linear = (segBase[seg] + off) | 0;
              const t = cpu.tlb[linear >>> PAGE_SHIFT];
              if ((t & TLB_WRITE_MASK) !== TLB_VALID) break run;
              const at = (linear + (t & TLB_DELTA)) >>> 0;
              cpu.mem.ram[at] = r8[insn.src & R8_MASK] + (insn.imm | 0);
              break;
            }
            case Op.Load16: {
              const off =
                (gpr[insn.base & GPR_MASK] + (gpr[insn.index & GPR_MASK] << insn.scale) + insn.disp) &
                insn.addrMask;
              const seg = insn.seg & SEG_MASK;
              if ((off ^ INT_MIN) >= segBound[(seg << 3) | 1]) break run;
              const linear = (segBase[seg] + off) | 0;
              const t = cpu.tlb[linear >>> PAGE_SHIFT];
              if ((t & TLB_READ_MASK) !== TLB_VALID || (linear & PAGE_MASK) === PAGE_MASK) break run;
              const at = (linear + (t & TLB_DELTA)) >>> 0;
              r16[insn.dst & R16_MASK] = cpu.mem.view.getUint16(at, true);
              break;
            }
            case Op.Store16: {
              const off =
                (gpr[insn.base & GPR_MASK] + (gpr[insn.index & GPR_MASK] << insn.scale) + insn.disp) &
                insn.addrMask;
              const seg = insn.seg & SEG_MASK;
              if ((off ^ INT_MIN) >= segBound[(seg << 3) | 5]) break run;
              const linear = (segBase[seg] + off) | 0;
              const t = cpu.tlb[linear >>> PAGE_SHIFT];
              if ((t & TLB_WRITE_MASK) !== TLB_VALID || (linear & PAGE_MASK) === PAGE_MASK) break run;
              const at = (linear + (t & TLB_DELTA)) >>> 0;
              cpu.mem.view.setUint16(at, r16[insn.src & R16_MASK] + (insn.imm | 0), true);
              break;
            }
            case Op.Load32: {
              const off =
                (gpr[insn.base & GPR_MASK] + (gpr[insn.index & GPR_MASK] << insn.scale) + insn.disp) &
                insn.addrMask;
              const seg = insn.seg & SEG_MASK;
              if ((off ^ INT_MIN) >= segBound[(seg << 3) | 2]) break run;
              const linear = (segBase[seg] + off) | 0;
              const t = cpu.tlb[linear >>> PAGE_SHIFT];
              if ((t & TLB_READ_MASK) !== TLB_VALID || (linear & PAGE_MASK) > PAGE_SIZE - 4) break run;
              const at = (linear + (t & TLB_DELTA)) >>> 0;
              gpr[insn.dst & GPR_MASK] = cpu.mem.view.getInt32(at, true);
              break;
            }
            case Op.Store32: {
              const off =
                (gpr[insn.base & GPR_MASK] + (gpr[insn.index & GPR_MASK] << insn.scale) + insn.disp) &
                insn.addrMask;
              const seg = insn.seg & SEG_MASK;
              if ((off ^ INT_MIN) >= segBound[(seg << 3) | 6]) break run;
              const linear = (segBase[seg] + off) | 0;
              const t = cpu.tlb[linear >>> PAGE_SHIFT];
              if ((t & TLB_WRITE_MASK) !== TLB_VALID || (linear & PAGE_MASK) > PAGE_SIZE - 4) break run;
              const at = (linear + (t & TLB_DELTA)) >>> 0;
              cpu.mem.view.setInt32(at, gpr[insn.src & GPR_MASK] + (insn.imm | 0), true);
              break;
            }
            // Quick operations (quicken.ts). A count of 1 to 31.
            case Op.ShlImm32: {
              const d = insn.dst & GPR_MASK;
              const count = insn.imm | 0;
              const a = gpr[d];
              const r = a << count;
              gpr[d] = r;
              lazy[RESULT] = r;
              lazy[AUX] = ((a << (count - 1)) & INT_MIN) | ((r >>> 1) & CARRY_IN);
              break;
            }
            case Op.ShrImm32:
            case Op.ShrImm32Jc: {
              const d = insn.dst & GPR_MASK;
              const count = insn.imm | 0;
              const a = gpr[d];
              const r = a >>> count;
              const out = a << -count;
              gpr[d] = r;
              lazy[RESULT] = r;
              lazy[AUX] = (out & INT_MIN) | (((out ^ r ^ (r << 1)) >>> 1) & CARRY_IN);
              if (op < FIRST_PAIR) break;
              sign = out;
              break pair;
            }
            case Op.SarImm32: {
              const d = insn.dst & GPR_MASK;
              const count = insn.imm | 0;
              const a = gpr[d];
              const r = a >> count;
              gpr[d] = r;
              lazy[RESULT] = r;
              lazy[AUX] = ((a << -count) >> 1) & AUX_HIGH;
              break;
            }
            case Op.Push16: {
              const mask = (segAttr[SEG_SS] & AR_DB) !== 0 ? -1 : 0xffff;
              const sp = (gpr[ESP] - 2) & mask;
              if ((sp ^ INT_MIN) >= segBound[(SEG_SS << 3) | 5]) break run;
              const linear = (segBase[SEG_SS] + sp) | 0;
              const t = cpu.tlb[linear >>> PAGE_SHIFT];
              if ((t & TLB_WRITE_MASK) !== TLB_VALID || (linear & PAGE_MASK) === PAGE_MASK) break run;
              const at = (linear + (t & TLB_DELTA)) >>> 0;
              cpu.mem.view.setUint16(at, r16[insn.dst & R16_MASK], true);
              gpr[ESP] = (gpr[ESP] & ~mask) | sp;
              break;
            }
            case Op.Pop16: {
              const mask = (segAttr[SEG_SS] & AR_DB) !== 0 ? -1 : 0xffff;
              const sp = gpr[ESP] & mask;
              if ((sp ^ INT_MIN) >= segBound[(SEG_SS << 3) | 1]) break run;
              const linear = (segBase[SEG_SS] + sp) | 0;
              const t = cpu.tlb[linear >>> PAGE_SHIFT];
              if ((t & TLB_READ_MASK) !== TLB_VALID || (linear & PAGE_MASK) === PAGE_MASK) break run;
              const at = (linear + (t & TLB_DELTA)) >>> 0;
              const v = cpu.mem.view.getUint16(at, true);
              gpr[ESP] = (gpr[ESP] & ~mask) | ((sp + 2) & mask);
              r16[insn.dst & R16_MASK] = v;
              break;
            }
            case Op.Push32: {
              const mask = (segAttr[SEG_SS] & AR_DB) !== 0 ? -1 : 0xffff;
              const sp = (gpr[ESP] - 4) & mask;
              if ((sp ^ INT_MIN) >= segBound[(SEG_SS << 3) | 6]) break run;
              const linear = (segBase[SEG_SS] + sp) | 0;
              const t = cpu.tlb[linear >>> PAGE_SHIFT];
              if ((t & TLB_WRITE_MASK) !== TLB_VALID || (linear & PAGE_MASK) > PAGE_SIZE - 4) break run;
              const at = (linear + (t & TLB_DELTA)) >>> 0;
              cpu.mem.view.setInt32(at, gpr[insn.dst & GPR_MASK], true);
              gpr[ESP] = (gpr[ESP] & ~mask) | sp;
              break;
            }
            case Op.Pop32: {
              const mask = (segAttr[SEG_SS] & AR_DB) !== 0 ? -1 : 0xffff;
              const sp = gpr[ESP] & mask;
              if ((sp ^ INT_MIN) >= segBound[(SEG_SS << 3) | 2]) break run;
              const linear = (segBase[SEG_SS] + sp) | 0;
              const t = cpu.tlb[linear >>> PAGE_SHIFT];
              if ((t & TLB_READ_MASK) !== TLB_VALID || (linear & PAGE_MASK) > PAGE_SIZE - 4) break run;
              const at = (linear + (t & TLB_DELTA)) >>> 0;
              const v = cpu.mem.view.getInt32(at, true);
              gpr[ESP] = (gpr[ESP] & ~mask) | ((sp + 4) & mask);
              gpr[insn.dst & GPR_MASK] = v;
              break;
            }
            case Op.Call: {
              if (
                insn.leads === 0 &&
                (((insn.eip + insn.disp) & insn.imm2) ^ INT_MIN) >= segBound[CODE_BOUND]
              )
                break run;
              const size = insn.opSize | 0;
              const mask = (segAttr[SEG_SS] & AR_DB) !== 0 ? -1 : 0xffff;
              const sp = (gpr[ESP] - size) & mask;
              if ((sp ^ INT_MIN) >= segBound[(SEG_SS << 3) | 6]) break run;
              const linear = (segBase[SEG_SS] + sp) | 0;
              const t = cpu.tlb[linear >>> PAGE_SHIFT];
              if ((t & TLB_WRITE_MASK) !== TLB_VALID || (linear & PAGE_MASK) > PAGE_SIZE - 4) break run;
              const at = (linear + (t & TLB_DELTA)) >>> 0;
              const back = (insn.eip + insn.len) | 0;
              if (size === 2) cpu.mem.view.setUint16(at, back, true);
              else cpu.mem.view.setInt32(at, back, true);
              gpr[ESP] = (gpr[ESP] & ~mask) | sp;
              break taken;
            }
            case Op.Loop: {
              // Count ← Count − 1 (CX or ECX by address size); jump when it is not 0.
              const mask = insn.addrMask | 0;
              const count = (gpr[ECX] - 1) & mask;
              if (count === 0) {
                gpr[ECX] = gpr[ECX] & ~mask;
                break;
              }
              if (
                insn.leads === 0 &&
                (((insn.eip + insn.disp) & insn.imm2) ^ INT_MIN) >= segBound[CODE_BOUND]
              )
                break run;
              gpr[ECX] = (gpr[ECX] & ~mask) | count;
              break taken;
            }
            case Op.MovzxLoad8: {
              const off =
                (gpr[insn.base & GPR_MASK] + (gpr[insn.index & GPR_MASK] << insn.scale) + insn.disp) &
                insn.addrMask;
              const seg = insn.seg & SEG_MASK;
              if ((off ^ INT_MIN) >= segBound[seg << 3]) break run;
              const linear = (segBase[seg] + off) | 0;
              const t = cpu.tlb[linear >>> PAGE_SHIFT];
              if ((t & TLB_READ_MASK) !== TLB_VALID) break run;
              const v = cpu.mem.ram[(linear + (t & TLB_DELTA)) >>> 0];
              if (insn.size === 4) gpr[insn.dst & GPR_MASK] = v;
              else r16[insn.dst & R16_MASK] = v;
              break;
            }
            default:
              break run;
          }
          left = (left - 1) | 0;
          before = insn;
          insn = insn.next;
          continue;
        }
        // The conditional jump behind it is done with it, as long as there is a tick for that.
        const jcc = insn.next;
        if (((left - 1) | 0) > stop && jcc.linked >= 0) {
          left = (left - 1) | 0;
          insn = jcc;
          before = jcc;
          // NEGATED turns the sign.
          if ((sign ^ (jcc.op << 31)) < 0) break taken;
        }
        left = (left - 1) | 0;
        before = insn;
        insn = insn.next;
        continue;
      }
      // Where a known target lies, the limit has been asked.
      if (insn.leads === 0 && (((insn.eip + insn.disp) & insn.imm2) ^ INT_MIN) >= segBound[CODE_BOUND]) break;
      left = (left - 1) | 0;
      before = insn;
      insn = insn.target;
    }
    state[LEFT] = left;
    if (left <= stop || insn.linked < 0) loop.before = before;
    return insn;
  }
}
