/**
 * KVM_GET_DIRTY_LOG (Linux: virt/kvm/kvm_main.c, `kvm_vm_ioctl_get_dirty_log`).
 */
import { setDirtyBits } from '../cpu/dirty-log.ts';
import type { GuestMemory } from '../cpu/memory.ts';
import { EINVAL, ENOENT } from '../uapi/errno.ts';
import type { OrErrno } from './api.ts';
import { KVM_USER_MEM_SLOTS, slotOf } from './memory-region.ts';

const NO_BITS = new Uint8Array(0);

/**
 * Hands out the log of a slot and begins a new one.
 *
 * @returns the bitmap, a copy; −EINVAL for no slot number; −ENOENT for a slot that does not exist or is not logged.
 * @kvm kvm_get_dirty_log_protect(kvm, log) virt/kvm/kvm_main.c
 */
export function kvmGetDirtyLogProtect(memory: GuestMemory, slot: number): OrErrno<Uint8Array> {
  // The kernel's slot is a 32-bit word whose upper half is the address space; there is only address space 0.
  if (!Number.isInteger(slot) || slot < 0 || slot >= KVM_USER_MEM_SLOTS) return -EINVAL;
  const found = slotOf(memory, slot);
  if (found === undefined || found.dirtyBitmap === null) return -ENOENT;
  const log = found.dirtyBitmap.slice();
  setDirtyBits(memory, found, NO_BITS);
  return log;
}
