/**
 * The ring of coalesced writes, page 2 of a vCPU's mapping: the kernel appends at `last`, userspace takes from `first`
 * (Linux: include/uapi/linux/kvm.h, `struct kvm_coalesced_mmio_ring`; Documentation/virt/kvm/api.rst,
 * KVM_REGISTER_COALESCED_MMIO).
 *
 * | offset      | field                                                        |
 * | ----------- | ------------------------------------------------------------ |
 * | 0           | `first`                                                      |
 * | 4           | `last`                                                       |
 * | 8 + 24·i    | `u64 phys_addr; u32 len; u32 pio; u8 data[8]`, i = 0 … 169   |
 */

const PAGE_SIZE = 4096;
const HEADER_BYTES = 8;
const ENTRY_BYTES = 24;
const LEN = 8;
const PIO = 12;
const DATA = 16;
const TWO_32 = 0x1_0000_0000;

/** Entries of the ring. One is always free, so at most 169 wait. */
export const KVM_COALESCED_MMIO_MAX = Math.floor((PAGE_SIZE - HEADER_BYTES) / ENTRY_BYTES);

/** `struct kvm_coalesced_mmio`: one write. */
export interface KvmCoalescedMmio {
  /** Port or guest-physical address. */
  phys_addr: number;
  /** Bytes: 1, 2, 4 or 8. */
  len: number;
  /** 1: a port. */
  pio: number;
  /** `len` bytes, lowest address first. */
  data: Uint8Array;
}

/** `struct kvm_coalesced_mmio_ring` in a mapping. */
export class KvmCoalescedMmioRing {
  readonly #view: DataView;

  /** @param offset where the page begins in `buffer`. */
  constructor(buffer: ArrayBuffer, offset: number) {
    this.#view = new DataView(buffer, offset, PAGE_SIZE);
  }

  /** The entry that userspace takes next. */
  get first(): number {
    return this.#view.getUint32(0, true);
  }
  set first(value: number) {
    this.#view.setUint32(0, value, true);
  }

  /** The entry that the kernel fills next. */
  get last(): number {
    return this.#view.getUint32(4, true);
  }
  set last(value: number) {
    this.#view.setUint32(4, value, true);
  }

  /** Fills entry `i`: `len` bytes of the value whose halves are `low` and `high`; the rest of `data` stays. */
  setEntry(i: number, addr: number, len: number, pio: number, low: number, high: number): void {
    const view = this.#view;
    const at = HEADER_BYTES + ENTRY_BYTES * i;
    view.setUint32(at, addr % TWO_32, true);
    view.setUint32(at + 4, Math.floor(addr / TWO_32), true);
    view.setUint32(at + LEN, len, true);
    view.setUint32(at + PIO, pio, true);
    if (len === 1) view.setUint8(at + DATA, low);
    else if (len === 2) view.setUint16(at + DATA, low, true);
    else view.setUint32(at + DATA, low, true);
    if (len === 8) view.setUint32(at + DATA + 4, high, true);
  }

  /** A copy of entry `i`, 0 … 169. */
  entry(i: number): KvmCoalescedMmio {
    const view = this.#view;
    const at = HEADER_BYTES + ENTRY_BYTES * i;
    const len = view.getUint32(at + LEN, true);
    const data = new Uint8Array(view.buffer, view.byteOffset + at + DATA, Math.min(len, 8)).slice();
    const phys_addr = view.getUint32(at + 4, true) * TWO_32 + view.getUint32(at, true);
    return { phys_addr, len, pio: view.getUint32(at + PIO, true), data };
  }
}

/**
 * Userspace's part: takes every write that waits, oldest first. Do it at every exit, before the exit is looked at: the
 * writes came earlier.
 *
 * @param ring `run.coalesced` of a machine's first vCPU.
 * @returns how many there were.
 */
export function drainCoalescedRing(
  ring: KvmCoalescedMmioRing,
  take: (write: KvmCoalescedMmio) => void,
): number {
  let taken = 0;
  while (ring.first !== ring.last && ring.first < KVM_COALESCED_MMIO_MAX && taken < KVM_COALESCED_MMIO_MAX) {
    const write = ring.entry(ring.first);
    ring.first = (ring.first + 1) % KVM_COALESCED_MMIO_MAX;
    taken++;
    take(write);
  }
  return taken;
}
