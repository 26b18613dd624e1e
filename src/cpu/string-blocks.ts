/**
 * Repeated string instructions over plain memory: many iterations at once, as long as none of them could do anything but move data.
 * A block ends with the page, the budget, or the first byte that is not plain RAM; registers, flags and ticks are as after so many
 * single iterations (strings.ts).
 *
 * Only upwards (DF = 0): downward strings are rare.
 */
import { type Insn, REP_F3, SEG_ES } from '../decoder/insn.ts';
import { Op } from '../decoder/op.ts';
import type { Cpu } from './cpu.ts';
import { setFlagsSub, signExtend } from './flags.ts';
import { readReg, writeReg } from './operand.ts';
import { elementsInPage, isPlainRam, plainAddress } from './plain-ram.ts';
import { EAX, ECX, EDI, ESI } from './registers.ts';

/** Below this many iterations a block is not worth its checks. */
const MIN_COUNT = 4;

/** Where the elements of this block lie in the direct window; set by {@link prepare}. */
let from = 0;
let to = 0;

/** How many of `count` elements can be done at once; 0: none. */
function prepare(
  cpu: Cpu,
  insn: Insn,
  count: number,
  reads: boolean,
  hasDestination: boolean,
  writes: boolean,
): number {
  const { size, addrMask: mask } = insn;
  let n = count;
  const si = cpu.gpr[ESI] & mask;
  const di = cpu.gpr[EDI] & mask;
  if (reads) n = Math.min(n, elementsInPage(cpu, insn.seg, si, size, mask));
  if (hasDestination) n = Math.min(n, elementsInPage(cpu, SEG_ES, di, size, mask));
  if (n < MIN_COUNT) return 0;
  if (reads) {
    if (!isPlainRam(cpu, insn.seg, si, n * size, false)) return 0;
    from = plainAddress(cpu, insn.seg, si);
  }
  if (hasDestination) {
    if (!isPlainRam(cpu, SEG_ES, di, n * size, writes)) return 0;
    to = plainAddress(cpu, SEG_ES, di);
  }
  // Upwards into what is still to be read: each element is seen by a later one.
  if (reads && writes && to > from && to < from + n * size) n = Math.floor((to - from) / size);
  return n < MIN_COUNT ? 0 : n;
}

function store(cpu: Cpu, size: number, n: number): void {
  const { ram, view } = cpu.mem;
  const value = cpu.gpr[EAX];
  const end = to + n * size;
  if (size === 1) {
    ram.fill(value, to, end);
    return;
  }
  if (size === 2) view.setUint16(to, value, true);
  else view.setInt32(to, value, true);
  // What is there already, behind itself: twice as much each time.
  for (let done = size; to + done < end; done *= 2) {
    ram.copyWithin(to + done, to, Math.min(to + done, end - done));
  }
}

function element(cpu: Cpu, at: number, size: number): number {
  const { ram, view } = cpu.mem;
  return size === 1 ? ram[at] : size === 2 ? view.getUint16(at, true) : view.getInt32(at, true);
}

/** Adds `bytes` to SI or DI, and takes `n` off CX; what lies outside the address size stays. */
function moved(cpu: Cpu, reg: number, by: number, mask: number): void {
  const v = cpu.gpr[reg];
  cpu.gpr[reg] = (v & ~mask) | ((v + by) & mask);
}

/**
 * Does iterations of REP MOVS, STOS or LODS.
 *
 * @param most how many may be done.
 * @returns how many were done, 0 when it must be done one by one.
 */
export function moveBlock(cpu: Cpu, insn: Insn, most: number): number {
  const { op, size, addrMask: mask } = insn;
  const count = Math.min(most, (cpu.gpr[ECX] & mask) >>> 0);
  const reads = op !== Op.Stos;
  const writes = op !== Op.Lods;
  const n = prepare(cpu, insn, count, reads, writes, writes);
  if (n === 0) return 0;
  if (op === Op.Movs) cpu.mem.ram.copyWithin(to, from, from + n * size);
  else if (op === Op.Stos) store(cpu, size, n);
  else writeReg(cpu, EAX, size, element(cpu, from + (n - 1) * size, size));
  if (reads) moved(cpu, ESI, n * size, mask);
  if (writes) moved(cpu, EDI, n * size, mask);
  moved(cpu, ECX, -n, mask);
  return n;
}

/**
 * Does iterations of REPE or REPNE CMPS or SCAS that do not end it: the last one, with which it may end, is left.
 *
 * @returns how many were done; the flags are those of the last of them.
 */
export function compareBlock(cpu: Cpu, insn: Insn, most: number): number {
  const { op, size, addrMask: mask } = insn;
  const count = Math.min(most, (cpu.gpr[ECX] & mask) >>> 0);
  const isCmps = op === Op.Cmps;
  const n = prepare(cpu, insn, count, isCmps, true, false);
  if (n === 0) return 0;
  const goesOnWhileEqual = insn.rep === REP_F3;
  const accumulator = signExtend(readReg(cpu, EAX, size), size);
  let done = 0;
  for (; done < n; done++) {
    const at = done * size;
    const a = isCmps ? signExtend(element(cpu, from + at, size), size) : accumulator;
    if ((a === signExtend(element(cpu, to + at, size), size)) !== goesOnWhileEqual) break;
  }
  if (done === 0) return 0;
  const at = (done - 1) * size;
  const b = element(cpu, to + at, size);
  const a = isCmps ? element(cpu, from + at, size) : readReg(cpu, EAX, size);
  setFlagsSub(cpu.lazy, a, b, (a - b) | 0, size);
  if (isCmps) moved(cpu, ESI, done * size, mask);
  moved(cpu, EDI, done * size, mask);
  moved(cpu, ECX, -done, mask);
  return done;
}
