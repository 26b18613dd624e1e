/**
 * Memory operands: segment check → linear address → physical address → memory.
 *
 * The fast path is one bound check, one page-flags load and the access. Everything else (faults, page crossings, MMIO,
 * pages that hold code) goes through the slow functions below. A fault is left in `cpu.fault`; the access then returns 0
 * or changes nothing.
 *
 * Intel SDM vol. 3A, “Limit Checking”, “Type Checking”.
 */
import { SEG_SS } from '../decoder/insn.ts';
import { type Cpu, FAULT_EXCEPTION, FAULT_MMIO, FAULT_NONE } from './cpu.ts';
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

const SIGN = 1 << 31;

/** Raises an exception in the instruction that is executing. The first one raised counts. */
export function raise(cpu: Cpu, vector: number, errorCode: number): void {
  if (cpu.fault !== FAULT_NONE) return;
  cpu.fault = FAULT_EXCEPTION | vector;
  cpu.faultErrorCode = errorCode;
}

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
  return ok;
}

/** Linear → physical. */
function translate(cpu: Cpu, linear: number): number {
  return linear & cpu.a20Mask;
}

/** The access at `pa` met no memory: leave as an EPT violation. */
function mmioFault(cpu: Cpu, pa: number, isWrite: boolean): void {
  if (cpu.fault !== FAULT_NONE) return;
  cpu.fault = FAULT_MMIO;
  cpu.exitGuestPhysicalAddress = pa;
  cpu.exitQualification = isWrite ? 2 : 1;
}

/** Reads `size` bytes that lie within one page at physical `pa`. Unsigned. */
function readInPage(cpu: Cpu, pa: number, size: number): number {
  if ((cpu.mem.pageFlags[pa >>> PAGE_SHIFT] & PAGE_MMIO) !== 0) {
    if (cpu.mmio !== null) return cpu.mmio.mmioRead(pa >>> 0, size);
    mmioFault(cpu, pa, false);
    return 0;
  }
  let value = 0;
  for (let i = 0; i < size; i++) value += cpu.mem.readByte(pa + i) * 2 ** (8 * i);
  return value;
}

/** Whether a store to the page of `pa` leaves as MMIO. */
function storeLeaves(cpu: Cpu, pa: number): boolean {
  return (cpu.mem.pageFlags[pa >>> PAGE_SHIFT] & (PAGE_MMIO | PAGE_READ_ONLY)) !== 0;
}

/** Writes `size` bytes that lie within one page. The caller has handled a store that must leave. */
function writeInPage(cpu: Cpu, pa: number, size: number, value: number): void {
  if (storeLeaves(cpu, pa)) {
    cpu.mmio?.mmioWrite(pa >>> 0, size, size === 4 ? value >>> 0 : value & ((1 << (8 * size)) - 1));
    return;
  }
  const page = pa >>> PAGE_SHIFT;
  const flags = cpu.mem.pageFlags[page];
  if ((flags & PAGE_READ_SLOW) !== 0) {
    for (let i = 0; i < size; i++) cpu.mem.writeByte(pa + i, (value >>> (8 * i)) & 0xff);
    return;
  }
  if ((flags & PAGE_HAS_CODE) !== 0) cpu.mem.code?.invalidate(pa, size);
  if ((flags & PAGE_CLEAN) !== 0) cpu.mem.pageBecomesDirty(page);
  const at = pa >>> 0;
  const ram = cpu.mem.ram;
  for (let i = 0; i < size; i++) ram[at + i] = value >>> (8 * i);
}

/** Reads 1, 2 or 4 bytes at a linear address; splits at a page boundary. Unsigned. */
export function readLinear(cpu: Cpu, linear: number, size: number): number {
  const inPage = PAGE_SIZE - (linear & PAGE_MASK);
  if (size <= inPage) return readInPage(cpu, translate(cpu, linear), size);
  const low = readInPage(cpu, translate(cpu, linear), inPage);
  const high = readInPage(cpu, translate(cpu, (linear + inPage) | 0), size - inPage);
  return low + high * 2 ** (8 * inPage);
}

/** Writes 1, 2 or 4 bytes at a linear address. Both pages of a crossing are checked before either is written. */
export function writeLinear(cpu: Cpu, linear: number, size: number, value: number): void {
  const inPage = PAGE_SIZE - (linear & PAGE_MASK);
  const pa = translate(cpu, linear);
  if (size <= inPage) {
    if (cpu.mmio === null && storeLeaves(cpu, pa)) {
      mmioFault(cpu, pa, true);
      return;
    }
    writeInPage(cpu, pa, size, value);
    return;
  }
  const pa2 = translate(cpu, (linear + inPage) | 0);
  if (cpu.mmio === null) {
    if (storeLeaves(cpu, pa)) mmioFault(cpu, pa, true);
    else if (storeLeaves(cpu, pa2)) mmioFault(cpu, pa2, true);
    if (cpu.fault !== FAULT_NONE) return;
  }
  writeInPage(cpu, pa, inPage, value);
  writeInPage(cpu, pa2, size - inPage, value >>> (8 * inPage));
}

function loadSlow(cpu: Cpu, seg: number, off: number, size: number): number {
  if (!checkSegment(cpu, seg, off, size, false)) return 0;
  const value = readLinear(cpu, (cpu.segBase[seg] + off) | 0, size);
  return cpu.fault === FAULT_NONE ? value : 0;
}

function storeSlow(cpu: Cpu, seg: number, off: number, size: number, value: number): void {
  if (!checkSegment(cpu, seg, off, size, true)) return;
  writeLinear(cpu, (cpu.segBase[seg] + off) | 0, size, value);
}

/** Loads a byte, 0 … 0xff. */
export function load8(cpu: Cpu, seg: number, off: number): number {
  if ((off ^ SIGN) < cpu.segBound[seg << 3]) {
    const pa = (cpu.segBase[seg] + off) & cpu.a20Mask;
    const mem = cpu.mem;
    if ((mem.pageFlags[pa >>> PAGE_SHIFT] & PAGE_READ_SLOW) === 0) return mem.ram[pa >>> 0];
  }
  return loadSlow(cpu, seg, off, 1);
}

/** Loads a word, 0 … 0xffff. */
export function load16(cpu: Cpu, seg: number, off: number): number {
  if ((off ^ SIGN) < cpu.segBound[(seg << 3) | 1]) {
    const pa = (cpu.segBase[seg] + off) & cpu.a20Mask;
    const mem = cpu.mem;
    if ((pa & PAGE_MASK) !== PAGE_MASK && (mem.pageFlags[pa >>> PAGE_SHIFT] & PAGE_READ_SLOW) === 0) {
      return mem.view.getUint16(pa >>> 0, true);
    }
  }
  return loadSlow(cpu, seg, off, 2);
}

/** Loads a doubleword as int32. */
export function load32(cpu: Cpu, seg: number, off: number): number {
  if ((off ^ SIGN) < cpu.segBound[(seg << 3) | 2]) {
    const pa = (cpu.segBase[seg] + off) & cpu.a20Mask;
    const mem = cpu.mem;
    if ((pa & PAGE_MASK) <= PAGE_SIZE - 4 && (mem.pageFlags[pa >>> PAGE_SHIFT] & PAGE_READ_SLOW) === 0) {
      return mem.view.getInt32(pa >>> 0, true);
    }
  }
  return loadSlow(cpu, seg, off, 4) | 0;
}

/** Stores the low byte of `value`. */
export function store8(cpu: Cpu, seg: number, off: number, value: number): void {
  if ((off ^ SIGN) < cpu.segBound[(seg << 3) | 4]) {
    const pa = (cpu.segBase[seg] + off) & cpu.a20Mask;
    const mem = cpu.mem;
    if (mem.pageFlags[pa >>> PAGE_SHIFT] === 0) {
      mem.ram[pa >>> 0] = value;
      return;
    }
  }
  storeSlow(cpu, seg, off, 1, value);
}

/** Stores the low word of `value`. */
export function store16(cpu: Cpu, seg: number, off: number, value: number): void {
  if ((off ^ SIGN) < cpu.segBound[(seg << 3) | 5]) {
    const pa = (cpu.segBase[seg] + off) & cpu.a20Mask;
    const mem = cpu.mem;
    if ((pa & PAGE_MASK) !== PAGE_MASK && mem.pageFlags[pa >>> PAGE_SHIFT] === 0) {
      mem.view.setUint16(pa >>> 0, value, true);
      return;
    }
  }
  storeSlow(cpu, seg, off, 2, value);
}

/** Stores a doubleword. */
export function store32(cpu: Cpu, seg: number, off: number, value: number): void {
  if ((off ^ SIGN) < cpu.segBound[(seg << 3) | 6]) {
    const pa = (cpu.segBase[seg] + off) & cpu.a20Mask;
    const mem = cpu.mem;
    if ((pa & PAGE_MASK) <= PAGE_SIZE - 4 && mem.pageFlags[pa >>> PAGE_SHIFT] === 0) {
      mem.view.setInt32(pa >>> 0, value, true);
      return;
    }
  }
  storeSlow(cpu, seg, off, 4, value);
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
  if (!checkSegment(cpu, seg, off, size, true)) return false;
  if (cpu.mmio !== null) return true;
  const linear = (cpu.segBase[seg] + off) | 0;
  const pa = translate(cpu, linear);
  const pa2 = translate(cpu, (linear + size - 1) | 0);
  if (storeLeaves(cpu, pa)) mmioFault(cpu, pa, true);
  else if (storeLeaves(cpu, pa2)) mmioFault(cpu, pa2, true);
  return cpu.fault === FAULT_NONE;
}

/** The emulator's read of a memory operand (`segmented_read`). @returns the value, unsigned; 0 on a fault. */
export function segmentedRead(cpu: Cpu, seg: number, off: number, size: number): number {
  return loadSized(cpu, seg, off, size) >>> 0;
}

/** The emulator's write of a memory operand (`segmented_write`). */
export function segmentedWrite(cpu: Cpu, seg: number, off: number, size: number, value: number): void {
  storeSized(cpu, seg, off, size, value);
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
    const pa = translate(cpu, linear);
    if (storeLeaves(cpu, pa) && cpu.mmio === null) {
      mmioFault(cpu, pa, true);
      return false;
    }
    writeRun(cpu, pa, data, at + done, n);
    done += n;
    linear = (linear + n) | 0;
  }
  return true;
}

/** Writes `n` bytes that lie within one page. */
function writeRun(cpu: Cpu, pa: number, data: Uint8Array, at: number, n: number): void {
  const page = pa >>> PAGE_SHIFT;
  const flags = cpu.mem.pageFlags[page];
  if ((flags & (PAGE_MMIO | PAGE_READ_ONLY | PAGE_READ_SLOW)) !== 0) {
    for (let i = 0; i < n; i++) writeInPage(cpu, pa + i, 1, data[at + i]);
    return;
  }
  if ((flags & PAGE_HAS_CODE) !== 0) cpu.mem.code?.invalidate(pa, n);
  if ((flags & PAGE_CLEAN) !== 0) cpu.mem.pageBecomesDirty(page);
  const ram = cpu.mem.ram;
  const to = pa >>> 0;
  for (let i = 0; i < n; i++) ram[to + i] = data[at + i];
}

/** Effective address of a recipe: base + index · 2^scale + displacement, cut to the address size. */
export function effectiveAddress(
  gpr: Int32Array,
  insn: { base: number; index: number; scale: number; disp: number; addrMask: number },
): number {
  return (gpr[insn.base] + (gpr[insn.index] << insn.scale) + insn.disp) & insn.addrMask;
}
