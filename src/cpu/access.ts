/**
 * Memory operands: segment check → linear address → physical address → memory.
 *
 * The fast path is one bound check, one load from the TLB and the access. Everything else (faults, page crossings, page walks,
 * MMIO, pages that hold code) goes through the slow functions below. A fault is left in `cpu.fault`; the access then returns
 * 0 or changes nothing.
 *
 * Names with “linear” act with the rights of CPL, names with “system” for the processor itself.
 *
 * Intel SDM vol. 3A, “Limit Checking”, “Type Checking”.
 */
import { SEG_SS } from '../decoder/insn.ts';
import { checkDataBreakpoints } from './breakpoints.ts';
import { type Cpu, FAULT_NONE } from './cpu.ts';
import { EPT_READ, EPT_WRITE, raise, raiseEptViolation } from './fault.ts';
import {
  PAGE_CLEAN,
  PAGE_HAS_CODE,
  PAGE_MASK,
  PAGE_MMIO,
  PAGE_READ_ONLY,
  PAGE_READ_SLOW,
  PAGE_SHIFT,
  PAGE_SIZE,
} from './memory.ts';
import {
  AC_VECTOR,
  AR_DB,
  AR_P,
  AR_S,
  AR_TYPE_CODE,
  AR_TYPE_EXPAND_DOWN,
  AR_TYPE_WRITABLE,
  AR_UNUSABLE,
  GP_VECTOR,
  SS_VECTOR,
  X86_CR0_PE,
} from './registers.ts';
import {
  TLB_CODE_STORE_MASK,
  TLB_DELTA,
  TLB_READ_MASK,
  TLB_UPDATE_MASK,
  TLB_VALID,
  TLB_WRITE_MASK,
  type Tlb,
} from './tlb.ts';
import { ACCESS_READ, ACCESS_WRITE, translate, translateQuietly } from './translate.ts';

const SIGN = 1 << 31;
const PAGES = 1 << 20;

export { raise };

/**
 * The full segment check of bytes `off … off+len−1`. @returns whether the access is allowed; raises #SS(0) or #GP(0)
 * otherwise.
 */
export function checkSegment(cpu: Cpu, seg: number, off: number, len: number, isWrite: boolean): boolean {
  const attr = cpu.segAttr[seg];
  const limit = cpu.segLimit[seg];
  const first = off >>> 0;
  const last = first + len - 1;
  let ok = true;
  if ((cpu.cr0 & X86_CR0_PE) !== 0) {
    const code = (attr & AR_TYPE_CODE) !== 0;
    if ((attr & (AR_UNUSABLE | AR_P | AR_S)) !== (AR_P | AR_S)) ok = false;
    else if (isWrite) ok = !code && (attr & AR_TYPE_WRITABLE) !== 0;
    else ok = !code || (attr & AR_TYPE_WRITABLE) !== 0;
  }
  if (ok) {
    if ((attr & (AR_TYPE_CODE | AR_TYPE_EXPAND_DOWN)) === AR_TYPE_EXPAND_DOWN) {
      ok = first > limit && last <= ((attr & AR_DB) !== 0 ? 0xffffffff : 0xffff);
    } else {
      ok = last <= limit || limit === 0xffffffff;
    }
  }
  if (!ok) raise(cpu, seg === SEG_SS ? SS_VECTOR : GP_VECTOR, 0);
  else if (cpu.alignmentArmed !== 0 && isMisaligned((cpu.segBase[seg] + off) | 0, len)) {
    raise(cpu, AC_VECTOR, 0);
    ok = false;
  }
  return ok;
}

/** Whether a word, doubleword or quadword lies across its natural boundary. */
function isMisaligned(linear: number, len: number): boolean {
  return (len === 2 || len === 4 || len === 8) && (linear & (len - 1)) !== 0;
}

/** PAGE_* of a physical page: from 4 GiB on there is no memory. */
function flagsOf(cpu: Cpu, page: number): number {
  return page < PAGES ? cpu.mem.pageFlags[page] : PAGE_MMIO;
}

/** Reads `size` bytes at offset `at` of a physical page, within it. Unsigned. */
function readInPage(cpu: Cpu, page: number, at: number, size: number): number {
  if ((flagsOf(cpu, page) & PAGE_MMIO) !== 0) {
    const pa = page * PAGE_SIZE + at;
    if (cpu.mmio !== null) return cpu.mmio.mmioRead(pa, size);
    raiseEptViolation(cpu, pa, EPT_READ);
    return 0;
  }
  const pa = ((page << PAGE_SHIFT) | at) >>> 0;
  const { mem } = cpu;
  if ((flagsOf(cpu, page) & PAGE_READ_SLOW) === 0) {
    if (size === 4) return mem.view.getUint32(pa, true);
    if (size === 2) return mem.view.getUint16(pa, true);
  }
  let value = 0;
  for (let i = 0; i < size; i++) value |= mem.readByte(pa + i) << (8 * i);
  return value >>> 0;
}

/** Whether a store to the page leaves as MMIO. */
function storeLeaves(cpu: Cpu, page: number): boolean {
  return (flagsOf(cpu, page) & (PAGE_MMIO | PAGE_READ_ONLY)) !== 0;
}

/** Writes `size` bytes that lie within one page. The caller has handled a store that must leave. */
function writeInPage(cpu: Cpu, page: number, at: number, size: number, value: number): void {
  if (storeLeaves(cpu, page)) {
    const low = size === 4 ? value >>> 0 : value & ((1 << (8 * size)) - 1);
    cpu.mmio?.mmioWrite(page * PAGE_SIZE + at, size, low);
    return;
  }
  const flags = cpu.mem.pageFlags[page];
  const pa = (page << PAGE_SHIFT) | at;
  if ((flags & PAGE_READ_SLOW) !== 0) {
    for (let i = 0; i < size; i++) cpu.mem.writeByte(pa + i, (value >>> (8 * i)) & 0xff);
    return;
  }
  if ((flags & PAGE_HAS_CODE) !== 0) cpu.mem.code?.invalidate(pa, size);
  if ((flags & PAGE_CLEAN) !== 0) cpu.mem.pageBecomesDirty(page);
  const to = pa >>> 0;
  const ram = cpu.mem.ram;
  for (let i = 0; i < size; i++) ram[to + i] = value >>> (8 * i);
}

/** Reads 1 to 4 bytes. Both pages of a crossing are translated before either is read. */
function readThrough(cpu: Cpu, tlb: Tlb, linear: number, size: number): number {
  if (cpu.debug.armed !== 0) checkDataBreakpoints(cpu, linear, size, false);
  const at = linear & PAGE_MASK;
  const inPage = PAGE_SIZE - at;
  const page = translate(cpu, tlb, linear, ACCESS_READ);
  if (page < 0) return 0;
  if (size <= inPage) return readInPage(cpu, page, at, size);
  const page2 = translate(cpu, tlb, (linear + inPage) | 0, ACCESS_READ);
  if (page2 < 0) return 0;
  const low = readInPage(cpu, page, at, inPage);
  return (low | (readInPage(cpu, page2, 0, size - inPage) << (8 * inPage))) >>> 0;
}

/** The pages that {@link translateStore} found. */
let storePage = 0;
let storePage2 = 0;

/** Translates a store: the pages are left in {@link storePage}. @returns false with a fault raised. */
function translateStore(cpu: Cpu, tlb: Tlb, linear: number, size: number): boolean {
  const inPage = PAGE_SIZE - (linear & PAGE_MASK);
  const page = translate(cpu, tlb, linear, ACCESS_WRITE);
  if (page < 0) return false;
  const page2 = size <= inPage ? page : translate(cpu, tlb, (linear + inPage) | 0, ACCESS_WRITE);
  if (page2 < 0) return false;
  storePage = page;
  storePage2 = page2;
  return true;
}

/** The same, and a store that must leave as MMIO does. */
function prepareStore(cpu: Cpu, tlb: Tlb, linear: number, size: number): boolean {
  if (!translateStore(cpu, tlb, linear, size)) return false;
  if (cpu.mmio !== null) return true;
  if (storeLeaves(cpu, storePage)) {
    raiseEptViolation(cpu, storePage * PAGE_SIZE + (linear & PAGE_MASK), EPT_WRITE);
    return false;
  }
  if (storeLeaves(cpu, storePage2)) {
    raiseEptViolation(cpu, storePage2 * PAGE_SIZE, EPT_WRITE);
    return false;
  }
  return true;
}

/** Writes 1 to 4 bytes. Both pages of a crossing are checked before either is written. */
function writeThrough(cpu: Cpu, tlb: Tlb, linear: number, size: number, value: number): void {
  if (cpu.debug.armed !== 0) checkDataBreakpoints(cpu, linear, size, true);
  if (!prepareStore(cpu, tlb, linear, size)) return;
  const at = linear & PAGE_MASK;
  const inPage = PAGE_SIZE - at;
  if (size <= inPage) {
    writeInPage(cpu, storePage, at, size, value);
    return;
  }
  const page2 = storePage2;
  writeInPage(cpu, storePage, at, inPage, value);
  writeInPage(cpu, page2, 0, size - inPage, value >>> (8 * inPage));
}

/** Reads 1 to 4 bytes at a linear address with the rights of CPL. Unsigned; 0 on a fault. */
export function readLinear(cpu: Cpu, linear: number, size: number): number {
  return readThrough(cpu, cpu.space, linear, size);
}

/** Writes 1 to 4 bytes at a linear address with the rights of CPL. Nothing is written on a fault. */
export function writeLinear(cpu: Cpu, linear: number, size: number, value: number): void {
  writeThrough(cpu, cpu.space, linear, size, value);
}

/** Whether {@link writeLinear} would succeed: raises the fault that it would raise. */
export function probeLinear(cpu: Cpu, linear: number, size: number): boolean {
  return prepareStore(cpu, cpu.space, linear, size);
}

/** As {@link readLinear}, for the processor itself (GDT, LDT, IDT, TSS): an implicit supervisor access, whatever CPL is. */
export function readSystem(cpu: Cpu, linear: number, size: number): number {
  return readThrough(cpu, cpu.tlbs.supervisor, linear, size);
}

/** As {@link writeLinear}, for the processor itself. */
export function writeSystem(cpu: Cpu, linear: number, size: number, value: number): void {
  writeThrough(cpu, cpu.tlbs.supervisor, linear, size, value);
}

/** Whether {@link writeSystem} would succeed: raises the fault that it would raise. */
export function probeSystem(cpu: Cpu, linear: number, size: number): boolean {
  return prepareStore(cpu, cpu.tlbs.supervisor, linear, size);
}

/** One byte for somebody who only looks (traces, debuggers): nothing changes, nothing faults. @returns −1 where nothing is. */
export function peekLinear(cpu: Cpu, linear: number): number {
  const page = translateQuietly(cpu, linear);
  return page < 0 || page >= PAGES ? -1 : cpu.mem.readByte((page << PAGE_SHIFT) | (linear & PAGE_MASK));
}

function loadSlow(cpu: Cpu, seg: number, off: number, size: number): number {
  if (!checkSegment(cpu, seg, off, size, false)) return 0;
  const value = readLinear(cpu, (cpu.segBase[seg] + off) | 0, size);
  return cpu.fault === FAULT_NONE ? value : 0;
}

function updateSlow(cpu: Cpu, seg: number, off: number, size: number): number {
  if (!checkSegment(cpu, seg, off, size, true)) return 0;
  const linear = (cpu.segBase[seg] + off) | 0;
  if (!translateStore(cpu, cpu.space, linear, size)) return 0;
  const value = readLinear(cpu, linear, size);
  return cpu.fault === FAULT_NONE ? value : 0;
}

function storeSlow(cpu: Cpu, seg: number, off: number, size: number, value: number): void {
  if (!checkSegment(cpu, seg, off, size, true)) return;
  const linear = (cpu.segBase[seg] + off) | 0;
  const t = cpu.tlb[linear >>> PAGE_SHIFT];
  if ((t & TLB_CODE_STORE_MASK) !== TLB_VALID || (linear & PAGE_MASK) > PAGE_SIZE - size) {
    writeLinear(cpu, linear, size, value);
    return;
  }
  // Data beside code: the most frequent slow store by far.
  const { mem } = cpu;
  const pa = (linear + (t & TLB_DELTA)) >>> 0;
  mem.code?.invalidate(pa, size);
  if (size === 4) mem.view.setInt32(pa, value, true);
  else if (size === 2) mem.view.setUint16(pa, value, true);
  else mem.ram[pa] = value;
}

/** Loads a byte, 0 … 0xff. */
export function load8(cpu: Cpu, seg: number, off: number): number {
  if ((off ^ SIGN) < cpu.segBound[seg << 3]) {
    const linear = (cpu.segBase[seg] + off) | 0;
    const t = cpu.tlb[linear >>> PAGE_SHIFT];
    if ((t & TLB_READ_MASK) === TLB_VALID) return cpu.mem.ram[(linear + (t & TLB_DELTA)) >>> 0];
  }
  return loadSlow(cpu, seg, off, 1);
}

/** Loads a word, 0 … 0xffff. */
export function load16(cpu: Cpu, seg: number, off: number): number {
  if ((off ^ SIGN) < cpu.segBound[(seg << 3) | 1]) {
    const linear = (cpu.segBase[seg] + off) | 0;
    const t = cpu.tlb[linear >>> PAGE_SHIFT];
    if ((linear & PAGE_MASK) !== PAGE_MASK && (t & TLB_READ_MASK) === TLB_VALID) {
      return cpu.mem.view.getUint16((linear + (t & TLB_DELTA)) >>> 0, true);
    }
  }
  return loadSlow(cpu, seg, off, 2);
}

/** Loads a doubleword as int32. */
export function load32(cpu: Cpu, seg: number, off: number): number {
  if ((off ^ SIGN) < cpu.segBound[(seg << 3) | 2]) {
    const linear = (cpu.segBase[seg] + off) | 0;
    const t = cpu.tlb[linear >>> PAGE_SHIFT];
    if ((linear & PAGE_MASK) <= PAGE_SIZE - 4 && (t & TLB_READ_MASK) === TLB_VALID) {
      return cpu.mem.view.getInt32((linear + (t & TLB_DELTA)) >>> 0, true);
    }
  }
  return loadSlow(cpu, seg, off, 4) | 0;
}

/** Stores the low byte of `value`. */
export function store8(cpu: Cpu, seg: number, off: number, value: number): void {
  if ((off ^ SIGN) < cpu.segBound[(seg << 3) | 4]) {
    const linear = (cpu.segBase[seg] + off) | 0;
    const t = cpu.tlb[linear >>> PAGE_SHIFT];
    if ((t & TLB_WRITE_MASK) === TLB_VALID) {
      cpu.mem.ram[(linear + (t & TLB_DELTA)) >>> 0] = value;
      return;
    }
  }
  storeSlow(cpu, seg, off, 1, value);
}

/** Stores the low word of `value`. */
export function store16(cpu: Cpu, seg: number, off: number, value: number): void {
  if ((off ^ SIGN) < cpu.segBound[(seg << 3) | 5]) {
    const linear = (cpu.segBase[seg] + off) | 0;
    const t = cpu.tlb[linear >>> PAGE_SHIFT];
    if ((linear & PAGE_MASK) !== PAGE_MASK && (t & TLB_WRITE_MASK) === TLB_VALID) {
      cpu.mem.view.setUint16((linear + (t & TLB_DELTA)) >>> 0, value, true);
      return;
    }
  }
  storeSlow(cpu, seg, off, 2, value);
}

/** Stores a doubleword. */
export function store32(cpu: Cpu, seg: number, off: number, value: number): void {
  if ((off ^ SIGN) < cpu.segBound[(seg << 3) | 6]) {
    const linear = (cpu.segBase[seg] + off) | 0;
    const t = cpu.tlb[linear >>> PAGE_SHIFT];
    if ((linear & PAGE_MASK) <= PAGE_SIZE - 4 && (t & TLB_WRITE_MASK) === TLB_VALID) {
      cpu.mem.view.setInt32((linear + (t & TLB_DELTA)) >>> 0, value, true);
      return;
    }
  }
  storeSlow(cpu, seg, off, 4, value);
}

/**
 * Loads an operand that the instruction is going to store to: every check is that of a store, so a fault says so (#PF with the
 * write bit, as processors tell it of read-modify-write instructions), and the store that follows cannot fault any more.
 * 32-bit values come as int32.
 */
export function loadForUpdate(cpu: Cpu, seg: number, off: number, size: number): number {
  // size >> 1: 1, 2, 4 → 0, 1, 2
  if ((off ^ SIGN) < cpu.segBound[(seg << 3) | 4 | (size >> 1)]) {
    const linear = (cpu.segBase[seg] + off) | 0;
    const t = cpu.tlb[linear >>> PAGE_SHIFT];
    if ((linear & PAGE_MASK) <= PAGE_SIZE - size && (t & TLB_UPDATE_MASK) === TLB_VALID) {
      const at = (linear + (t & TLB_DELTA)) >>> 0;
      const { mem } = cpu;
      return size === 4
        ? mem.view.getInt32(at, true)
        : size === 2
          ? mem.view.getUint16(at, true)
          : mem.ram[at];
    }
  }
  const value = updateSlow(cpu, seg, off, size);
  return size === 4 ? value | 0 : value;
}

/** {@link load8}, {@link load16} or {@link load32} by `size`. 32-bit values come as int32. */
export function loadSized(cpu: Cpu, seg: number, off: number, size: number): number {
  return size === 4 ? load32(cpu, seg, off) : size === 2 ? load16(cpu, seg, off) : load8(cpu, seg, off);
}

/** {@link store8}, {@link store16} or {@link store32} by `size`. */
export function storeSized(cpu: Cpu, seg: number, off: number, size: number, value: number): void {
  if (size === 4) store32(cpu, seg, off, value);
  else if (size === 2) store16(cpu, seg, off, value);
  else store8(cpu, seg, off, value);
}

/**
 * Whether a store of `size` bytes would succeed: raises the fault it would raise and changes nothing. For instructions
 * that must not begin what they cannot finish.
 */
export function probeStore(cpu: Cpu, seg: number, off: number, size: number): boolean {
  return checkSegment(cpu, seg, off, size, true) && probeLinear(cpu, (cpu.segBase[seg] + off) | 0, size);
}

/**
 * The emulator's read of a memory operand (`segmented_read`). KVM: its accesses meet no data breakpoint.
 *
 * @returns the value, unsigned; 0 on a fault.
 */
export function segmentedRead(cpu: Cpu, seg: number, off: number, size: number): number {
  const value = loadSized(cpu, seg, off, size) >>> 0;
  cpu.debug.hits = 0;
  return value;
}

/** An element that lies across the end of a page. */
const ELEMENT = new Uint8Array(4);

/**
 * The emulator's write of a memory operand (`segmented_write`). No data breakpoints either.
 *
 * KVM: what lies across the end of a page is written in two pieces (`emulator_read_write`), the first one whatever the second
 * page says; a processor would write nothing.
 */
export function segmentedWrite(cpu: Cpu, seg: number, off: number, size: number, value: number): void {
  if (((cpu.segBase[seg] + off) & PAGE_MASK) <= PAGE_SIZE - size) {
    storeSized(cpu, seg, off, size, value);
    cpu.debug.hits = 0;
    return;
  }
  for (let i = 0; i < size; i++) ELEMENT[i] = value >>> (8 * i);
  segmentedWriteBlock(cpu, seg, off, ELEMENT, 0, size);
}

/**
 * The emulator's write of a block (OP_MEM_STR): one limit check over all of it, then page by page, each written before
 * the next one is looked at.
 *
 * @returns false when `cpu.fault` is set.
 */
export function segmentedWriteBlock(
  cpu: Cpu,
  seg: number,
  off: number,
  data: Uint8Array,
  at: number,
  len: number,
): boolean {
  if (!checkSegment(cpu, seg, off, len, true)) return false;
  let linear = (cpu.segBase[seg] + off) | 0;
  let done = 0;
  while (done < len) {
    const n = Math.min(len - done, PAGE_SIZE - (linear & PAGE_MASK));
    const page = translate(cpu, cpu.space, linear, ACCESS_WRITE);
    if (page < 0) return false;
    if (storeLeaves(cpu, page) && cpu.mmio === null) {
      raiseEptViolation(cpu, page * PAGE_SIZE + (linear & PAGE_MASK), EPT_WRITE);
      return false;
    }
    writeRun(cpu, page, linear & PAGE_MASK, data, at + done, n);
    done += n;
    linear = (linear + n) | 0;
  }
  return true;
}

/** Writes `n` bytes that lie within one page. */
function writeRun(cpu: Cpu, page: number, at: number, data: Uint8Array, from: number, n: number): void {
  const flags = flagsOf(cpu, page);
  if ((flags & (PAGE_MMIO | PAGE_READ_ONLY | PAGE_READ_SLOW)) !== 0) {
    for (let i = 0; i < n; i++) writeInPage(cpu, page, at + i, 1, data[from + i]);
    return;
  }
  const pa = (page << PAGE_SHIFT) | at;
  if ((flags & PAGE_HAS_CODE) !== 0) cpu.mem.code?.invalidate(pa, n);
  if ((flags & PAGE_CLEAN) !== 0) cpu.mem.pageBecomesDirty(page);
  const ram = cpu.mem.ram;
  const to = pa >>> 0;
  for (let i = 0; i < n; i++) ram[to + i] = data[from + i];
}

/** Effective address of a recipe: base + index · 2^scale + displacement, cut to the address size. */
export function effectiveAddress(
  gpr: Int32Array,
  insn: { base: number; index: number; scale: number; disp: number; addrMask: number },
): number {
  return (gpr[insn.base] + (gpr[insn.index] << insn.scale) + insn.disp) & insn.addrMask;
}
