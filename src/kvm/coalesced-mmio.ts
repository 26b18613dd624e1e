/**
 * KVM_REGISTER_COALESCED_MMIO: writes to a zone of ports or addresses gather in a ring instead of leaving to userspace
 * one by one (Linux: virt/kvm/coalesced_mmio.c). Reads are never coalesced, and nothing empties the ring but userspace.
 */
import { IO_NOT_HANDLED } from '../bus/io-device.ts';
import { loadElement } from '../emulate/pio.ts';
import { EFAULT, EINVAL } from '../uapi/errno.ts';
import { KVM_MMIO_BUS, KVM_PIO_BUS, type KvmCoalescedMmioZone } from '../uapi/kvm.ts';
import { KVM_COALESCED_MMIO_MAX } from '../uapi/kvm-coalesced-ring.ts';
import { isStruct, isU32, toU64 } from './ioctl-args.ts';
import type { KvmCoalescedMmioDev, KvmEvents, MmioSize } from './kvm-events.ts';

const U64_END = 2 ** 64;

/**
 * Whether all of an access lies in the zone. No access and no zone wraps around the end of the address space.
 *
 * @kvm coalesced_mmio_in_range(dev, addr, len) virt/kvm/coalesced_mmio.c
 */
export function coalescedMmioInRange(dev: KvmCoalescedMmioDev, addr: number, len: number): boolean {
  const end = dev.addr + dev.size;
  return len >= 0 && addr >= dev.addr && addr + len <= end && end < U64_END;
}

/**
 * Appends a write to the ring.
 *
 * @returns whether it was taken: not when it is out of range, and not when the ring is full or userspace has set `last`
 * to what is no entry; then it leaves to userspace as any other.
 * @kvm coalesced_mmio_write(vcpu, this, addr, len, val) virt/kvm/coalesced_mmio.c (as: whether it was taken)
 */
export function coalescedMmioWrite(
  dev: KvmCoalescedMmioDev,
  addr: number,
  len: MmioSize,
  low: number,
  high: number,
): boolean {
  const { kvm } = dev;
  if (!kvm.eventFn.coalescedMmioInRange(dev, addr, len)) return false;
  const ring = kvm.coalescedMmioRing;
  if (ring === null) return false;
  const insert = ring.last;
  if (insert >= KVM_COALESCED_MMIO_MAX) return false;
  const next = (insert + 1) % KVM_COALESCED_MMIO_MAX;
  // One entry stays free, so that a full ring is not taken for an empty one.
  if (next === ring.first) return false;
  ring.setEntry(insert, addr, len, dev.pio, low, high);
  ring.last = next;
  return true;
}

function busIdx(pio: number): number {
  return pio === 1 ? KVM_PIO_BUS : KVM_MMIO_BUS;
}

/** @returns 0, or what the ioctls answer to a zone that is none. */
function checkZone(zone: Readonly<KvmCoalescedMmioZone>): number {
  if (!isStruct(zone)) return -EFAULT;
  const isZone = toU64(zone.addr) !== null && isU32(zone.size) && (zone.pio === 0 || zone.pio === 1);
  return isZone ? 0 : -EINVAL;
}

/**
 * @returns 0; −EINVAL for a `pio` that is not 0 or 1, −ENOSPC.
 * @kvm kvm_vm_ioctl_register_coalesced_mmio(kvm, zone) virt/kvm/coalesced_mmio.c
 */
export function kvmVmIoctlRegisterCoalescedMmio(
  kvm: KvmEvents,
  zone: Readonly<KvmCoalescedMmioZone>,
): number {
  const error = checkZone(zone);
  if (error !== 0) return error;
  const dev: KvmCoalescedMmioDev = {
    kvm,
    addr: Number(zone.addr),
    size: zone.size,
    pio: zone.pio,
    dev: {
      name: 'coalesced_mmio',
      ops: 'coalesced_mmio_ops',
      read: () => IO_NOT_HANDLED,
      write: (addr, size, value) => kvm.eventFn.coalescedMmioWrite(dev, addr, size, value, 0),
      write64: (addr, data) =>
        kvm.eventFn.coalescedMmioWrite(dev, addr, 8, loadElement(data, 0, 4), loadElement(data, 4, 4)),
    },
  };
  const ret = kvm.fn.kvmIoBusRegisterDev(kvm.buses[busIdx(zone.pio)], dev.addr, dev.size, dev.dev);
  if (ret < 0) return ret;
  kvm.coalescedZones = [...kvm.coalescedZones, dev];
  return 0;
}

/**
 * Removes every zone of that kind that contains the range; none is no error.
 *
 * @returns 0; −EINVAL for a `pio` that is not 0 or 1.
 * @kvm kvm_vm_ioctl_unregister_coalesced_mmio(kvm, zone) virt/kvm/coalesced_mmio.c
 */
export function kvmVmIoctlUnregisterCoalescedMmio(
  kvm: KvmEvents,
  zone: Readonly<KvmCoalescedMmioZone>,
): number {
  const error = checkZone(zone);
  if (error !== 0) return error;
  const addr = Number(zone.addr);
  for (const dev of kvm.coalescedZones) {
    // KVM: the size is an int there, so a range of 2 GiB and more is in no zone.
    if (dev.pio !== zone.pio || !kvm.eventFn.coalescedMmioInRange(dev, addr, zone.size | 0)) continue;
    kvm.fn.kvmIoBusUnregisterDev(kvm.buses[busIdx(zone.pio)], dev.dev);
    kvm.coalescedZones = kvm.coalescedZones.filter((d) => d !== dev);
  }
  return 0;
}
