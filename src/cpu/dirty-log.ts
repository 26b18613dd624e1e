/**
 * The dirty log of a memory slot: one bit a page that the guest has written (Linux: virt/kvm/kvm_main.c,
 * `kvm_memory_slot.dirty_bitmap`).
 *
 * A page that is logged and not yet dirty carries PAGE_CLEAN, so that its first store takes the slow path and reports it;
 * the stores after that cost nothing.
 */
import { type GuestMemory, type MemorySlot, PAGE_CLEAN, PAGE_SIZE } from './memory.ts';

const BITS_PER_BYTE = 8;
/** A bitmap is a whole number of the kernel's longs. */
const BITS_PER_LONG = 64;

/**
 * Bytes of a slot's bitmap.
 *
 * @kvm kvm_dirty_bitmap_bytes(memslot) include/linux/kvm_host.h
 */
export function kvmDirtyBitmapBytes(slot: MemorySlot): number {
  const pages = slot.mem.length / PAGE_SIZE;
  return (Math.ceil(pages / BITS_PER_LONG) * BITS_PER_LONG) / BITS_PER_BYTE;
}

/** Begins or ends the log of a slot. A log that runs already goes on. */
export function setDirtyLogging(memory: GuestMemory, slot: MemorySlot, isLogged: boolean): void {
  if (!isLogged) {
    slot.dirtyBitmap = null;
    return;
  }
  if (slot.dirtyBitmap !== null) return;
  slot.dirtyBitmap = new Uint8Array(kvmDirtyBitmapBytes(slot));
  const first = slot.gpa / PAGE_SIZE;
  memory.restrict(first, slot.mem.length / PAGE_SIZE, PAGE_CLEAN);
}

/**
 * Replaces the log by `bits` (of the same length, or shorter: then zeros follow); pages that are not dirty in it will
 * report their next store.
 */
export function setDirtyBits(memory: GuestMemory, slot: MemorySlot, bits: Uint8Array): void {
  const { dirtyBitmap } = slot;
  if (dirtyBitmap === null) return;
  const first = slot.gpa / PAGE_SIZE;
  for (let at = 0; at < dirtyBitmap.length; at++) {
    const value = bits[at] ?? 0;
    if ((dirtyBitmap[at] & ~value) !== 0) {
      const page = at * BITS_PER_BYTE;
      const count = Math.min(BITS_PER_BYTE, slot.mem.length / PAGE_SIZE - page);
      memory.restrict(first + page, count, PAGE_CLEAN);
    }
    dirtyBitmap[at] = value;
  }
}
