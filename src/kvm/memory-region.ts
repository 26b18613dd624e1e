/**
 * KVM_SET_USER_MEMORY_REGION: guest-physical addresses get memory, keep it elsewhere, or lose it
 * (Linux: virt/kvm/kvm_main.c, `kvm_set_memory_region`).
 */
import { setDirtyBits, setDirtyLogging } from '../cpu/dirty-log.ts';
import { type GuestMemory, type MemorySlot, PAGE_SIZE } from '../cpu/memory.ts';
import { EEXIST, EFAULT, EINVAL, ENOMEM } from '../uapi/errno.ts';
import { KVM_MEM_LOG_DIRTY_PAGES, KVM_MEM_READONLY, type KvmUserspaceMemoryRegion } from '../uapi/kvm.ts';
import { isStruct, isU32 } from './ioctl-args.ts';

/** Slots that userspace may number. */
export const KVM_USER_MEM_SLOTS = 32764;
/** Physical addresses are 32 bits wide. */
const PHYS_END = 0x1_0000_0000;

/** Zeroed memory of a whole number of pages; −EINVAL, −ENOMEM. */
export function allocatePages(size: number): Uint8Array | number {
  if (!isPageMultiple(size) || size === 0) return -EINVAL;
  try {
    return new Uint8Array(size);
  } catch {
    return -ENOMEM;
  }
}

function isPageMultiple(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value % PAGE_SIZE === 0;
}

/** The slot of that number, if it exists. */
export function slotOf(memory: GuestMemory, slot: number): MemorySlot | undefined {
  return memory.slots.find((s) => s.slot === slot);
}

function overlaps(memory: GuestMemory, slot: number, gpa: number, size: number): boolean {
  return memory.slots.some((s) => s.slot !== slot && gpa < s.gpa + s.mem.length && s.gpa < gpa + size);
}

/** Whether the numbers and the memory are what they claim to be. */
function isRegion(region: Readonly<KvmUserspaceMemoryRegion>): boolean {
  const { slot, flags, guest_phys_addr: gpa, memory_size: size, mem } = region;
  if (!isU32(flags) || (flags & ~(KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY)) !== 0) return false;
  if (!isU32(slot) || slot >= KVM_USER_MEM_SLOTS) return false;
  if (!isPageMultiple(size) || !isPageMultiple(gpa)) return false;
  if (size === 0) return true;
  return mem === undefined || (mem instanceof Uint8Array && mem.length === size);
}

/**
 * Creates, moves, re-flags or removes a slot. A dirty log goes with a slot that moves.
 *
 * @returns 0; −EEXIST for an overlap; −EINVAL for a bad address, size, slot number or flag, for a slot that does not
 * exist, and for one whose size, memory or read-only flag would change; −ENOMEM; −EFAULT for no structure.
 * @kvm kvm_set_memory_region(kvm, mem) virt/kvm/kvm_main.c
 */
export function kvmSetMemoryRegion(memory: GuestMemory, region: Readonly<KvmUserspaceMemoryRegion>): number {
  if (!isStruct(region)) return -EFAULT;
  if (!isRegion(region)) return -EINVAL;
  const { slot, flags, guest_phys_addr: gpa, memory_size: size } = region;
  const readOnly = (flags & KVM_MEM_READONLY) !== 0;
  const old = slotOf(memory, slot);
  if (size === 0) return memory.removeSlot(slot) ? 0 : -EINVAL;
  const isLogged = (flags & KVM_MEM_LOG_DIRTY_PAGES) !== 0;
  if (old !== undefined) {
    const isSame = old.mem.length === size && (region.mem ?? old.mem) === old.mem;
    if (!isSame || old.readOnly !== readOnly) return -EINVAL;
    if (old.gpa === gpa) {
      setDirtyLogging(memory, old, isLogged);
      return 0;
    }
  }
  if (overlaps(memory, slot, gpa, size)) return -EEXIST;
  if (gpa + size > PHYS_END) return -EINVAL;
  const mem = region.mem ?? old?.mem ?? allocatePages(size);
  if (typeof mem === 'number') return mem;
  if (old !== undefined) memory.removeSlot(slot);
  memory.addSlot(slot, gpa, mem, readOnly);
  const added = slotOf(memory, slot);
  if (added === undefined || !isLogged) return 0;
  setDirtyLogging(memory, added, true);
  if (old?.dirtyBitmap) setDirtyBits(memory, added, old.dirtyBitmap);
  return 0;
}
