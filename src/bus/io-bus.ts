/**
 * `kvm_io_bus`: address ranges and the devices behind them, kept sorted and searched as KVM does it
 * (Linux: virt/kvm/kvm_main.c; `struct kvm_io_bus`, include/linux/kvm_host.h).
 *
 * The order is only partial: an access is “equal” to every range that contains it whole, so of two nested ranges
 * the binary search can miss the outer one. The kernel does that too; keep the algorithm, do not repair it.
 */
import { ENOENT, ENOSPC, EOPNOTSUPP } from '../uapi/errno.ts';
import { type IoSize, NR_IOBUS_DEVS } from '../uapi/kvm.ts';
import { IO_NOT_HANDLED, type IoDevice } from './io-device.ts';

/** Slots of the memo of lookups for each access length, which is from 1 to 8. Others, and addresses beyond 4 GiB, are searched each time. */
const MEMO_SLOTS_OF_LEN = 4096;
const MEMO_LENS = 8;
/** A slot without an answer; answers (indices, and −ENOENT) are kept plus 1. */
const MEMO_EMPTY = 0;

/** The functions of this file that call each other, so that a run with probes can swap in traced variants. */
export interface KvmIoBusFunctions {
  kvmIoBusRead(bus: KvmIoBus, addr: number, len: IoSize): number;
  kvmIoBusWrite(bus: KvmIoBus, addr: number, len: IoSize, value: number): boolean;
  kvmIoBusWriteCookie(bus: KvmIoBus, addr: number, len: IoSize, value: number, cookie: number): number;
  __kvmIoBusRead(bus: KvmIoBus, addr: number, len: IoSize): number;
  __kvmIoBusWrite(bus: KvmIoBus, addr: number, len: IoSize, value: number): number;
  kvmIoBusGetFirstDev(bus: KvmIoBus, addr: number, len: number): number;
  kvmIodeviceRead(dev: IoDevice, addr: number, len: IoSize): number;
  kvmIodeviceWrite(dev: IoDevice, addr: number, len: IoSize, value: number): boolean;
  kvmIoBusRegisterDev(bus: KvmIoBus, addr: number, len: number, dev: IoDevice): number;
  kvmIoBusUnregisterDev(bus: KvmIoBus, dev: IoDevice): number;
}

/** `struct kvm_io_range range[]`, a field an array, sorted. An address is a gpa_t: more than int32. */
export interface KvmIoRanges {
  readonly addr: Float64Array;
  readonly len: Int32Array;
  readonly dev: readonly IoDevice[];
}

/**
 * One bus. Registering and unregistering replaces the ranges (the kernel swaps the whole bus under RCU), so a
 * dispatch that is under way goes on with what it started on.
 */
export class KvmIoBus {
  /** KVM_*_BUS. */
  readonly idx: number;
  dev_count = 0;
  /** How many of `dev_count` are ioeventfds; they do not count towards NR_IOBUS_DEVS. */
  ioeventfd_count = 0;
  range: KvmIoRanges = { addr: new Float64Array(0), len: new Int32Array(0), dev: [] };
  /** Accesses whose first range is known: the address, and what was found there. */
  readonly memoAddr = new Int32Array(MEMO_SLOTS_OF_LEN * MEMO_LENS);
  readonly memoFirst = new Int32Array(MEMO_SLOTS_OF_LEN * MEMO_LENS);
  /** Whether the memo may hold anything: emptying it costs more than many a guest's whole business with the bus. */
  hasMemo = false;
  /** Counts registrations, and changes of who answers behind the bus: what was found out holds while it stays the same. */
  generation = 0;
  /** Plain or traced. */
  fn: KvmIoBusFunctions = KVM_IO_BUS_FUNCTIONS;

  constructor(idx: number) {
    this.idx = idx;
  }
}

/**
 * Compares an access (first range) with a device (second range): 0 when the device contains all of the access, or,
 * for a device of length 0, when both start at the same address.
 *
 * @kvm kvm_io_bus_cmp(r1, r2) virt/kvm/kvm_main.c
 */
export function kvmIoBusCmp(addr1: number, len1: number, addr2: number, len2: number): number {
  if (addr1 < addr2) return -1;
  // A device of length 0 answers an access of any length at its very address: only the starts are compared.
  if (len2 !== 0) return addr1 + len1 > addr2 + len2 ? 1 : 0;
  return addr1 > addr2 ? 1 : 0;
}

/** The kernel's search: lib/bsearch.c, then back to the first neighbour that matches too. */
function searchFirstDev(bus: KvmIoBus, addr: number, len: number): number {
  const { addr: addrs, len: lens } = bus.range;
  let base = 0;
  // The pivot is the element in the middle of those left.
  for (let num = bus.dev_count; num > 0; num >>= 1) {
    const pivot = base + (num >> 1);
    const order = kvmIoBusCmp(addr, len, addrs[pivot], lens[pivot]);
    if (order > 0) {
      base = pivot + 1;
      num--;
    } else if (order === 0) {
      let off = pivot;
      while (off > 0 && kvmIoBusCmp(addr, len, addrs[off - 1], lens[off - 1]) === 0) off--;
      return off;
    }
  }
  return -ENOENT;
}

/**
 * Index of the first range, in array order, that the access matches; −ENOENT without one. The answer to an access is
 * remembered until the bus changes, so that a full bus is as fast as an empty one.
 *
 * @kvm kvm_io_bus_get_first_dev(bus, addr, len) virt/kvm/kvm_main.c
 */
export function kvmIoBusGetFirstDev(bus: KvmIoBus, addr: number, len: number): number {
  const low = addr | 0;
  const row = (len - 1) | 0;
  // Bits 0 to 3 go to the top: devices a power of two apart fall into different slots, not far from each other.
  const at = ((low >>> 4) ^ (low << 8) ^ (low >>> 16)) & (MEMO_SLOTS_OF_LEN - 1);
  const slot = (row & (MEMO_LENS - 1)) * MEMO_SLOTS_OF_LEN + at;
  if (bus.memoAddr[slot] === low && low >>> 0 === addr && row >>> 0 < MEMO_LENS) {
    const found = bus.memoFirst[slot];
    if (found !== MEMO_EMPTY) return found - 1;
  }
  return searchAndRemember(bus, addr, len, slot);
}

function searchAndRemember(bus: KvmIoBus, addr: number, len: number, slot: number): number {
  const first = searchFirstDev(bus, addr, len);
  if (addr >>> 0 !== addr || (len - 1) >>> 0 >= MEMO_LENS) return first;
  bus.hasMemo = true;
  bus.memoAddr[slot] = addr;
  bus.memoFirst[slot] = first + 1;
  return first;
}

/** @kvm kvm_iodevice_read(vcpu, dev, addr, l, v) include/kvm/iodev.h */
export function kvmIodeviceRead(dev: IoDevice, addr: number, len: IoSize): number {
  return dev.read(addr, len);
}

/** @kvm kvm_iodevice_write(vcpu, dev, addr, l, v) include/kvm/iodev.h */
export function kvmIodeviceWrite(dev: IoDevice, addr: number, len: IoSize, value: number): boolean {
  return dev.write(addr, len, value);
}

/** Whether an access matches range `i` too; false behind the last one. */
function isMatch(
  { addr: addrs, len: lens, dev }: KvmIoRanges,
  i: number,
  addr: number,
  len: number,
): boolean {
  return i < dev.length && kvmIoBusCmp(addr, len, addrs[i], lens[i]) === 0;
}

/**
 * Asks the matching devices in array order; the first that does not decline wins.
 *
 * @returns what the device read returned: a value, IO_NOTHING_STORED, or IO_NOT_HANDLED when all decline.
 * @kvm __kvm_io_bus_read(vcpu, bus, range, val) virt/kvm/kvm_main.c
 */
export function __kvmIoBusRead(bus: KvmIoBus, addr: number, len: IoSize): number {
  const { range, fn } = bus;
  const first = fn.kvmIoBusGetFirstDev(bus, addr, len);
  if (first < 0) return IO_NOT_HANDLED;
  let value = fn.kvmIodeviceRead(range.dev[first], addr, len);
  for (let i = first + 1; value === IO_NOT_HANDLED && isMatch(range, i, addr, len); i++) {
    value = fn.kvmIodeviceRead(range.dev[i], addr, len);
  }
  return value;
}

/**
 * @returns the index of the range whose device took the write, or −EOPNOTSUPP.
 * @kvm __kvm_io_bus_write(vcpu, bus, range, val) virt/kvm/kvm_main.c
 */
export function __kvmIoBusWrite(bus: KvmIoBus, addr: number, len: IoSize, value: number): number {
  const { range, fn } = bus;
  const first = fn.kvmIoBusGetFirstDev(bus, addr, len);
  if (first < 0) return -EOPNOTSUPP;
  // Almost always the first one takes it; a loop around it would cost every access a comparison.
  if (fn.kvmIodeviceWrite(range.dev[first], addr, len, value)) return first;
  for (let i = first + 1; isMatch(range, i, addr, len); i++) {
    if (fn.kvmIodeviceWrite(range.dev[i], addr, len, value)) return i;
  }
  return -EOPNOTSUPP;
}

/**
 * @returns the value read (unsigned), IO_NOTHING_STORED, or IO_NOT_HANDLED (the kernel's −EOPNOTSUPP).
 * @kvm kvm_io_bus_read(vcpu, bus_idx, addr, len, val) virt/kvm/kvm_main.c
 */
export function kvmIoBusRead(bus: KvmIoBus, addr: number, len: IoSize): number {
  return bus.fn.__kvmIoBusRead(bus, addr, len);
}

/**
 * @returns whether a device took the write (the kernel's 0 or −EOPNOTSUPP).
 * @kvm kvm_io_bus_write(vcpu, bus_idx, addr, len, val) virt/kvm/kvm_main.c
 */
export function kvmIoBusWrite(bus: KvmIoBus, addr: number, len: IoSize, value: number): boolean {
  return bus.fn.__kvmIoBusWrite(bus, addr, len, value) >= 0;
}

/**
 * An eight-byte read: devices without `read64` decline it.
 *
 * @param data eight bytes, lowest address first.
 * @returns whether a device took it.
 * @kvm kvm_io_bus_read(vcpu, bus_idx, addr, len, val) virt/kvm/kvm_main.c (as kvmIoBusRead64: eight bytes)
 */
export function kvmIoBusRead64(bus: KvmIoBus, addr: number, data: Uint8Array): boolean {
  const { range, fn } = bus;
  const first = fn.kvmIoBusGetFirstDev(bus, addr, 8);
  if (first < 0) return false;
  for (let i = first; isMatch(range, i, addr, 8); i++) {
    if (range.dev[i].read64?.(addr, data) === true) return true;
  }
  return false;
}

/**
 * An eight-byte write: devices without `write64` decline it.
 *
 * @param data eight bytes, lowest address first.
 * @returns whether a device took it.
 * @kvm kvm_io_bus_write(vcpu, bus_idx, addr, len, val) virt/kvm/kvm_main.c (as kvmIoBusWrite64: eight bytes)
 */
export function kvmIoBusWrite64(bus: KvmIoBus, addr: number, data: Uint8Array): boolean {
  const { range, fn } = bus;
  const first = fn.kvmIoBusGetFirstDev(bus, addr, 8);
  if (first < 0) return false;
  for (let i = first; isMatch(range, i, addr, 8); i++) {
    if (range.dev[i].write64?.(addr, data) === true) return true;
  }
  return false;
}

/**
 * A write that remembers where the last one ended: `cookie`, an index returned earlier, is tried first.
 *
 * @returns the index that took the write, or −EOPNOTSUPP.
 * @kvm kvm_io_bus_write_cookie(vcpu, bus_idx, addr, len, val, cookie) virt/kvm/kvm_main.c
 */
export function kvmIoBusWriteCookie(
  bus: KvmIoBus,
  addr: number,
  len: IoSize,
  value: number,
  cookie: number,
): number {
  const { range, fn } = bus;
  const isStillThere = cookie >= 0 && isMatch(range, cookie, addr, len);
  if (isStillThere && fn.kvmIodeviceWrite(range.dev[cookie], addr, len, value)) return cookie;
  return fn.__kvmIoBusWrite(bus, addr, len, value);
}

/** What was found out about the bus, here or by whoever remembers its `generation`, does not hold any more. */
export function busHasChanged(bus: KvmIoBus): void {
  if (bus.hasMemo) bus.memoFirst.fill(MEMO_EMPTY);
  bus.hasMemo = false;
  bus.generation++;
}

/**
 * Adds a range before the first one that it does not come after. Of two ranges with the same start the shorter comes
 * first, but one of length 0 comes last. Overlaps are not refused.
 *
 * @returns 0 or −ENOSPC.
 * @kvm kvm_io_bus_register_dev(kvm, bus_idx, addr, len, dev) virt/kvm/kvm_main.c
 */
export function kvmIoBusRegisterDev(bus: KvmIoBus, addr: number, len: number, dev: IoDevice): number {
  if (bus.dev_count - bus.ioeventfd_count > NR_IOBUS_DEVS - 1) return -ENOSPC;
  const { range, dev_count: count } = bus;
  let at = 0;
  while (at < count && kvmIoBusCmp(range.addr[at], range.len[at], addr, len) <= 0) at++;

  const addrs = new Float64Array(count + 1);
  addrs.set(range.addr.subarray(0, at));
  addrs[at] = addr;
  addrs.set(range.addr.subarray(at), at + 1);
  const lens = new Int32Array(count + 1);
  lens.set(range.len.subarray(0, at));
  lens[at] = len;
  lens.set(range.len.subarray(at), at + 1);
  bus.range = { addr: addrs, len: lens, dev: range.dev.toSpliced(at, 0, dev) };
  bus.dev_count = count + 1;
  busHasChanged(bus);
  return 0;
}

/**
 * Removes the first range of `dev`; a device that is not there is no error.
 *
 * @returns 0.
 * @kvm kvm_io_bus_unregister_dev(kvm, bus_idx, dev) virt/kvm/kvm_main.c
 */
export function kvmIoBusUnregisterDev(bus: KvmIoBus, dev: IoDevice): number {
  const { range } = bus;
  const at = range.dev.indexOf(dev);
  if (at < 0) return 0;
  bus.range = {
    addr: range.addr.filter((_, i) => i !== at),
    len: range.len.filter((_, i) => i !== at),
    dev: range.dev.toSpliced(at, 1),
  };
  bus.dev_count--;
  busHasChanged(bus);
  return 0;
}

/** The plain functions, the table every bus starts with. */
export const KVM_IO_BUS_FUNCTIONS: KvmIoBusFunctions = {
  kvmIoBusRead,
  kvmIoBusWrite,
  kvmIoBusWriteCookie,
  __kvmIoBusRead,
  __kvmIoBusWrite,
  kvmIoBusGetFirstDev,
  kvmIodeviceRead,
  kvmIodeviceWrite,
  kvmIoBusRegisterDev,
  kvmIoBusUnregisterDev,
};
