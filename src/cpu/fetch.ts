/**
 * Instruction fetch: CS:EIP → physical page → decoded instruction.
 *
 * The interpreter runs inside a *window*: the part of one page in which an instruction needs neither a limit check nor a
 * page check. Outside it, and for instructions near the end of a page, {@link fetchSlow} does both.
 */
import type { CodePage, DecodeCache } from '../decoder/decode-cache.ts';
import { type Insn, SEG_CS } from '../decoder/insn.ts';
import { LOWER_TRUNCATED, lower, MAX_INSN_LEN } from '../decoder/lower.ts';
import { raise } from './access.ts';
import { fetchStops } from './breakpoints.ts';
import { type Cpu, FAULT_EXCEPTION, FAULT_MMIO } from './cpu.ts';
import type { FetchWindow } from './fetch-window.ts';
import { PAGE_HAS_CODE, PAGE_MASK, PAGE_SHIFT, PAGE_SIZE } from './memory.ts';
import { GP_VECTOR } from './registers.ts';

/** `Cpu.exitQualification` bit of an EPT violation: it was an instruction fetch. */
export const EPT_FETCH = 4;

const bytes = new Uint8Array(MAX_INSN_LEN);
/** Whether {@link readBytes} came to an end where no memory is. */
let metHole = false;

/** Physical page of a linear address. */
function physicalPage(cpu: Cpu, linear: number): number {
  return (linear & cpu.a20Mask) >>> PAGE_SHIFT;
}

/** Reads instruction bytes up to the segment limit or the end of memory. @returns how many could be read. */
function readBytes(cpu: Cpu, eip: number, linear: number): number {
  metHole = false;
  const left = cpu.segLimit[SEG_CS] - (eip >>> 0) + 1;
  const max = cpu.segLimit[SEG_CS] === 0xffffffff ? MAX_INSN_LEN : Math.min(MAX_INSN_LEN, left);
  for (let i = 0; i < max; i++) {
    const byte = cpu.mem.readByte((linear + i) & cpu.a20Mask);
    if (byte < 0) {
      metHole = true;
      return i;
    }
    bytes[i] = byte;
  }
  return max;
}

/** Decodes the instruction at `eip` and enters it into the cache. @returns null with `cpu.fault` set. */
function decodeAt(cpu: Cpu, cache: DecodeCache, eip: number): Insn | null {
  const linear = (cpu.segBase[SEG_CS] + eip) | 0;
  const available = readBytes(cpu, eip, linear);
  const insn = available === 0 ? LOWER_TRUNCATED : lower(bytes, available, cpu.codeIs32);
  if (insn === LOWER_TRUNCATED) {
    if (metHole) {
      cpu.fault = FAULT_MMIO;
      cpu.exitGuestPhysicalAddress = ((linear + available) & cpu.a20Mask) | 0;
      cpu.exitQualification = EPT_FETCH;
    } else {
      raise(cpu, GP_VECTOR, 0);
    }
    return null;
  }
  const page = physicalPage(cpu, linear);
  const at = linear & PAGE_MASK;
  if (at + insn.len > PAGE_SIZE) insn.page2 = physicalPage(cpu, (linear + insn.len - 1) | 0);
  if (cache.enabled) {
    cache.add(page, cpu.codeIs32, at, insn);
    cpu.mem.pageFlags[page] |= PAGE_HAS_CODE;
    if (insn.page2 >= 0) cpu.mem.pageFlags[insn.page2] |= PAGE_HAS_CODE;
  }
  return insn;
}

/**
 * The instruction at `eip`, with every check, and the window around it.
 *
 * @returns null when the fetch faults: `cpu.fault` is #GP(0) (beyond the limit, longer than 15 bytes), FAULT_MMIO
 * (no memory there), #DB (an instruction breakpoint) or FAULT_TRAP (a data breakpoint of the instruction before).
 */
export function fetchSlow(cpu: Cpu, cache: DecodeCache, window: FetchWindow, eip: number): Insn | null {
  // An instruction breakpoint goes before any fault of the fetch.
  if (cpu.debug.armed !== 0 && fetchStops(cpu, eip)) {
    window.len = 0;
    return null;
  }
  const limit = cpu.segLimit[SEG_CS];
  if (eip >>> 0 > limit) {
    window.len = 0;
    cpu.fault = FAULT_EXCEPTION | GP_VECTOR;
    cpu.faultErrorCode = 0;
    return null;
  }
  const linear = (cpu.segBase[SEG_CS] + eip) | 0;
  const at = linear & PAGE_MASK;
  const page = physicalPage(cpu, linear);
  let own = cache.find(page);
  let insn = own === null || !cache.enabled ? null : own.insns[cpu.codeIs32 as 0 | 1][at];
  if (insn !== null && (eip >>> 0) + insn.len - 1 > limit && limit !== 0xffffffff) insn = null;
  if (insn !== null && insn.page2 >= 0 && insn.page2 !== physicalPage(cpu, (linear + insn.len - 1) | 0))
    insn = null;
  if (insn === null) {
    insn = decodeAt(cpu, cache, eip);
    if (insn === null) {
      window.len = 0;
      return null;
    }
    own = cache.enabled ? cache.obtain(page) : null;
  }
  if (own === null) {
    window.len = 0;
    return insn;
  }
  setWindow(cpu, window, own, eip, at);
  return insn;
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
  window.insns = own.insns[cpu.codeIs32 as 0 | 1];
  window.csBase = cpu.segBase[SEG_CS];
  window.csLimit = limit;
  window.is32 = cpu.codeIs32;
  window.a20Mask = cpu.a20Mask;
  window.epoch = cpu.cache.epoch;
  window.page = own.page;
}
