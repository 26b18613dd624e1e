/**
 * Instruction fetch: CS:EIP → physical page → decoded instruction.
 *
 * The interpreter runs inside a *window*: the part of one page in which an instruction needs neither a limit check nor a
 * page check. Outside it, and for instructions near the end of a page, {@link fetchSlow} does both.
 */
import type { CodePage, DecodeCache } from '../decoder/decode-cache.ts';
import { type Insn, LINK_NEXT, LINK_NOWHERE, LINK_TARGET, SEG_CS } from '../decoder/insn.ts';
import { LOWER_TRUNCATED, lower, MAX_INSN_LEN } from '../decoder/lower.ts';
import { Op } from '../decoder/op.ts';
import { quickPair } from '../decoder/quicken.ts';
import { fetchStops } from './breakpoints.ts';
import { type Cpu, FAULT_NONE } from './cpu.ts';
import { EPT_FETCH, raise, raiseEptViolation } from './fault.ts';
import type { FetchWindow } from './fetch-window.ts';
import { PAGE_HAS_CODE, PAGE_MASK, PAGE_SHIFT, PAGE_SIZE } from './memory.ts';
import { GP_VECTOR } from './registers.ts';
import { ACCESS_FETCH, translate } from './translate.ts';

export { EPT_FETCH };

const PAGES = 1 << 20;

const bytes = new Uint8Array(MAX_INSN_LEN);

/** Physical page of instruction bytes; −1 with #PF raised. */
function codePage(cpu: Cpu, linear: number): number {
  return translate(cpu, cpu.space, linear, ACCESS_FETCH);
}

/**
 * Reads bytes `from … to−1` of the instruction, which lie at offset `at` of `page`. @returns how many there are; where memory
 * ends, that is raised as a fault.
 */
function readBytes(cpu: Cpu, page: number, at: number, from: number, to: number): number {
  for (let i = from; i < to; i++) {
    const byte = page < PAGES ? cpu.mem.readByte((page << PAGE_SHIFT) | (at + i - from)) : -1;
    if (byte < 0) {
      raiseEptViolation(cpu, page * PAGE_SIZE + at + i - from, EPT_FETCH);
      return i;
    }
    bytes[i] = byte;
  }
  return to;
}

/** How many bytes of an instruction at `eip` lie within the limit, at most 15. */
function bytesInLimit(cpu: Cpu, eip: number): number {
  const limit = cpu.segLimit[SEG_CS];
  return limit === 0xffffffff ? MAX_INSN_LEN : Math.min(MAX_INSN_LEN, limit - (eip >>> 0) + 1);
}

/**
 * Decodes the instruction at `eip`, which starts in physical page `page`, and enters it into the cache. The next page is looked
 * at only when the instruction reaches into it. @returns null with `cpu.fault` set.
 */
function decodeAt(cpu: Cpu, cache: DecodeCache, eip: number, page: number): Insn | null {
  const linear = (cpu.segBase[SEG_CS] + eip) | 0;
  const at = linear & PAGE_MASK;
  const max = bytesInLimit(cpu, eip);
  const inPage = Math.min(max, PAGE_SIZE - at);
  let available = readBytes(cpu, page, at, 0, inPage);
  let insn = available === 0 ? LOWER_TRUNCATED : lower(bytes, available, cpu.codeIs32, cpu.model.features);
  let page2 = -1;
  if (insn === LOWER_TRUNCATED && cpu.fault === FAULT_NONE && max > inPage) {
    page2 = codePage(cpu, (linear + inPage) | 0);
    if (page2 < 0) return null;
    available = readBytes(cpu, page2, 0, inPage, max);
    insn = lower(bytes, available, cpu.codeIs32, cpu.model.features);
  }
  if (insn === LOWER_TRUNCATED) {
    raise(cpu, GP_VECTOR, 0);
    return null;
  }
  // Memory may end within the bytes read ahead.
  cpu.fault = FAULT_NONE;
  if (at + insn.len > PAGE_SIZE) insn.page2 = page2;
  if (cache.enabled) {
    cache.add(page, cpu.codeIs32, at, insn);
    if (cpu.generator !== null) wantLoop(cache, page, cpu.codeIs32 as 0 | 1, eip, at, insn);
    holdsCode(cpu, page);
    if (insn.page2 >= 0) holdsCode(cpu, insn.page2);
  }
  return insn;
}

/** A jump backwards within the page: its target may become hot. */
function wantLoop(cache: DecodeCache, page: number, is32: 0 | 1, eip: number, at: number, insn: Insn): void {
  const isJump = (insn.op >= Op.Jo && insn.op <= Op.Jmp) || insn.op === Op.Loop || insn.op === Op.Loope;
  if (!isJump && insn.op !== Op.Loopne) return;
  const to = at + (((eip + insn.disp) & insn.imm2) - eip);
  if (to <= at && to >= 0) cache.obtain(page).want(is32, to);
}

function holdsCode(cpu: Cpu, page: number): void {
  if ((cpu.mem.pageFlags[page] & PAGE_HAS_CODE) === 0) cpu.mem.restrict(page, 1, PAGE_HAS_CODE);
}

/**
 * The instruction at `eip`, with every check, and the window around it.
 *
 * @returns null when the fetch faults: `cpu.fault` is #GP(0) (beyond the limit, longer than 15 bytes), #PF, FAULT_MMIO (no
 * memory there), #DB (an instruction breakpoint) or FAULT_TRAP (a data breakpoint of the instruction before).
 */
export function fetchSlow(cpu: Cpu, cache: DecodeCache, window: FetchWindow, eip: number): Insn | null {
  window.len = 0;
  // An instruction breakpoint goes before any fault of the fetch.
  if (cpu.debug.armed !== 0 && fetchStops(cpu, eip)) return null;
  const limit = cpu.segLimit[SEG_CS];
  if (eip >>> 0 > limit) {
    raise(cpu, GP_VECTOR, 0);
    return null;
  }
  const linear = (cpu.segBase[SEG_CS] + eip) | 0;
  const at = linear & PAGE_MASK;
  const page = codePage(cpu, linear);
  if (page < 0) return null;
  let own = cache.find(page);
  let insn = own === null || !cache.enabled ? null : own.insns[cpu.codeIs32 as 0 | 1][at];
  let head =
    insn === null && own !== null && cache.enabled ? own.heads[cpu.codeIs32 as 0 | 1].get(at) : undefined;
  if (head !== undefined) insn = head.insn;
  if (insn !== null && (eip >>> 0) + insn.len - 1 > limit && limit !== 0xffffffff) insn = null;
  if (insn !== null && insn.page2 >= 0) {
    const page2 = codePage(cpu, (linear + insn.len - 1) & ~PAGE_MASK);
    if (page2 < 0) return null;
    if (page2 !== insn.page2) insn = null;
  }
  if (insn === null) {
    insn = decodeAt(cpu, cache, eip, page);
    if (insn === null) return null;
    own = cache.enabled ? cache.obtain(page) : null;
    if (own !== null && cpu.generator?.wantsAll === true) {
      own.want(cpu.codeIs32 as 0 | 1, at);
      head = own.heads[cpu.codeIs32 as 0 | 1].get(at);
    }
  }
  if (own === null) return insn;
  setWindow(cpu, window, own, eip, at);
  const { generator } = cpu;
  if (generator === null || head === undefined || head.insn !== insn) return insn;
  return generator.arrive(cpu, own, head, eip, at);
}

/**
 * EIP of what comes next. @param insn that, as far as `before`, the instruction before it, knows.
 * @param eip EIP when nobody knows.
 */
export function eipOf(insn: Insn, before: Insn, eip: number): number {
  switch (insn.linked) {
    case LINK_NEXT:
      return (before.eip + before.len) | 0;
    case LINK_TARGET:
      return (before.eip + before.disp) & before.imm2;
    case LINK_NOWHERE:
      return eip;
    default:
      return insn.eip;
  }
}

/**
 * The instruction at `eip` when `wanted`, which the one before it knows, is not linked; the one before learns it.
 *
 * @param before the instruction before. @param budget for generated code: ticks left, 0 when it may not run.
 * @returns null as {@link fetchSlow} does.
 */
export function lookUp(
  cpu: Cpu,
  cache: DecodeCache,
  window: FetchWindow,
  eip: number,
  before: Insn,
  wanted: Insn,
  budget: number,
): Insn | null {
  const at = (eip - window.eipBase) | 0;
  if (at >>> 0 < window.len >>> 0) {
    const found = window.insns[at];
    if (found !== null) {
      found.eip = eip;
      if (window.mayLink) {
        if (before.next === wanted) {
          before.next = found;
          if (before.linked >= 0) before.linked = quickPair(before, found);
        } else if (before.target === wanted) {
          before.target = found;
          before.leads = 1;
        }
      }
      return found;
    }
  }
  if (cpu.generator !== null) cpu.generator.budget = budget;
  const found = fetchSlow(cpu, cache, window, eip);
  if (found !== null) found.eip = eip;
  return found;
}

/** Opens the window on `own`, whose offset `at` holds `eip`. */
function setWindow(cpu: Cpu, window: FetchWindow, own: CodePage, eip: number, at: number): void {
  const limit = cpu.segLimit[SEG_CS];
  // Offset 0 of the page may lie before offset 0 of the segment; no instruction is reached there, because every
  // branch checks its target against the limit.
  const base = (eip >>> 0) - at;
  const safe = Math.min(PAGE_SIZE, limit - base + 1) - (MAX_INSN_LEN - 1);
  window.eipBase = base | 0;
  // Each fetch from a page with an instruction breakpoint comes by fetchSlow().
  window.len = cpu.debug.hasCodeBreakpoint((cpu.segBase[SEG_CS] + eip) | 0) ? 0 : Math.max(safe, 0);
  window.mayLink = own.linkUnder(window.eipBase, window.len);
  window.insns = own.insns[cpu.codeIs32 as 0 | 1];
  window.csBase = cpu.segBase[SEG_CS];
  window.csLimit = limit;
  window.is32 = cpu.codeIs32;
  window.tlb = cpu.tlb;
  window.tlbEpoch = cpu.tlbs.epoch;
  window.epoch = cpu.cache.epoch;
  window.page = own.page;
}
