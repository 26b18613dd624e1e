/**
 * KVM_SET_USER_MEMORY_REGION: guest-physical addresses get memory, keep it elsewhere, or lose it
 * (Linux: virt/kvm/kvm_main.c, `kvm_set_memory_region`).
 */
import { setDirtyBits, setDirtyLogging } from '../cpu/dirty-log.ts';
import { type GuestMemory, type MemorySlot, PAGE_SIZE } from '../cpu/memory.ts';
import { EEXIST, EINVAL } from '../uapi/errno.ts';
import { KVM_MEM_LOG_DIRTY_PAGES, KVM_MEM_READONLY, type KvmUserspaceMemoryRegion } from '../uapi/kvm.ts';

/** Slots that userspace may number. */
export const KVM_USER_MEM_SLOTS = 32764;
/** Physical addresses are 32 bits wide. */
const PHYS_END = 0x1_0000_0000;

function isPageMultiple(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value % PAGE_SIZE === 0;
}

/** The slot of that number, if it exists. */
export function slotOf(memory: GuestMemory, slot: number): MemorySlot | undefined {
  return memory.slots.find((s) => s.slot === slot);
}

function overlaps(memory: GuestMemory, slot: number, gpa: number, size: number): boolean {
  return memory.slots.some((s) => s.slot !== slot && gpa < s.gpa + s.mem.length && s.gpa < gpa + size);
}

/**
 * Creates, moves, re-flags or removes a slot. A dirty log goes with a slot that moves.
 *
 * @returns 0; −EEXIST for an overlap; −EINVAL for a bad address, size, slot number or flag, for a slot that does not
 * exist, and for one whose size, memory or read-only flag would change.
 * @kvm kvm_set_memory_region(kvm, mem) virt/kvm/kvm_main.c
 */
export function kvmSetMemoryRegion(memory: GuestMemory, region: KvmUserspaceMemoryRegion): number {
  const { slot, flags, guest_phys_addr: gpa, memory_size: size } = region;
  if ((flags & ~(KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY)) !== 0) return -EINVAL;
  if (!Number.isInteger(slot) || slot < 0 || slot >= KVM_USER_MEM_SLOTS) return -EINVAL;
  if (!isPageMultiple(size) || !isPageMultiple(gpa) || gpa + size > PHYS_END) return -EINVAL;
  const readOnly = (flags & KVM_MEM_READONLY) !== 0;
  const old = slotOf(memory, slot);
  if (size === 0) return memory.removeSlot(slot) ? 0 : -EINVAL;
  const mem = region.mem ?? old?.mem ?? new Uint8Array(size);
  if (mem.length !== size) return -EINVAL;
  if (old !== undefined && (old.mem !== mem || old.readOnly !== readOnly)) return -EINVAL;
  const isLogged = (flags & KVM_MEM_LOG_DIRTY_PAGES) !== 0;
  if (old !== undefined && old.gpa === gpa) {
    setDirtyLogging(memory, old, isLogged);
    return 0;
  }
  if (overlaps(memory, slot, gpa, size)) return -EEXIST;
  if (old !== undefined) memory.removeSlot(slot);
  memory.addSlot(slot, gpa, mem, readOnly);
  const added = slotOf(memory, slot);
  if (added === undefined || !isLogged) return 0;
  setDirtyLogging(memory, added, true);
  if (old?.dirtyBitmap) setDirtyBits(memory, added, old.dirtyBitmap);
  return 0;
}
