/**
 * KVM_IOEVENTFD: a write of the guest to a port or an address signals an eventfd instead of leaving to userspace
 * (Linux: virt/kvm/eventfd.c, the second half; Documentation/virt/kvm/api.rst, KVM_IOEVENTFD).
 */
import { IO_NOT_HANDLED } from '../bus/io-device.ts';
import { loadElement } from '../emulate/pio.ts';
import { EEXIST, EFAULT, EINVAL, ENOENT } from '../uapi/errno.ts';
import {
  KVM_FAST_MMIO_BUS,
  KVM_IOEVENTFD_FLAG_DATAMATCH,
  KVM_IOEVENTFD_FLAG_DEASSIGN,
  KVM_IOEVENTFD_FLAG_PIO,
  KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY,
  KVM_IOEVENTFD_VALID_FLAG_MASK,
  KVM_MMIO_BUS,
  KVM_PIO_BUS,
  KVM_VIRTIO_CCW_NOTIFY_BUS,
  type KvmIoeventfd,
} from '../uapi/kvm.ts';
import { eventfdCtxFdget } from './eventfd.ts';
import { isStruct, isU32, toU64 } from './ioctl-args.ts';
import type { KvmEvents, KvmIoeventfdEntry, MmioSize } from './kvm-events.ts';

const U64_END = 1n << 64n;
const U32_MASK = 0xffff_ffffn;

/** The bus that the flags name. @kvm ioeventfd_bus_from_flags(flags) virt/kvm/eventfd.c */
export function ioeventfdBusFromFlags(flags: number): number {
  if ((flags & KVM_IOEVENTFD_FLAG_PIO) !== 0) return KVM_PIO_BUS;
  return (flags & KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY) !== 0 ? KVM_VIRTIO_CCW_NOTIFY_BUS : KVM_MMIO_BUS;
}

/**
 * Whether a write is this entry's. The address must be equal, not merely inside.
 *
 * KVM: the whole 64-bit datamatch is compared with the zero-extended value, so one that is too wide for the length never
 * matches.
 *
 * @param low int32 or unsigned: bits 31:0 of the value written; `high`: bits 63:32.
 * @kvm ioeventfd_in_range(p, addr, len, val) virt/kvm/eventfd.c (as: the value in two halves)
 */
export function ioeventfdInRange(
  p: KvmIoeventfdEntry,
  addr: number,
  len: MmioSize,
  low: number,
  high: number,
): boolean {
  if (addr !== p.addr) return false;
  if (p.length === 0) return true;
  if (len !== p.length) return false;
  return p.wildcard || ((low | 0) === p.datamatchLow && (high | 0) === p.datamatchHigh);
}

/**
 * @returns whether the write was this entry's: the eventfd has been signalled.
 * @kvm ioeventfd_write(vcpu, this, addr, len, val) virt/kvm/eventfd.c (as: whether it was taken)
 */
export function ioeventfdWrite(
  p: KvmIoeventfdEntry,
  addr: number,
  len: MmioSize,
  low: number,
  high: number,
): boolean {
  if (!p.kvm.eventFn.ioeventfdInRange(p, addr, len, low, high)) return false;
  p.eventfd.signal();
  return true;
}

/**
 * Whether an entry that exists would answer the same write. KVM: only ioeventfds are looked at, not devices.
 *
 * @kvm ioeventfd_check_collision(kvm, p) virt/kvm/eventfd.c
 */
export function ioeventfdCheckCollision(kvm: KvmEvents, p: KvmIoeventfdEntry): boolean {
  return kvm.ioeventfds.some(
    (q) =>
      q.busIdx === p.busIdx &&
      q.addr64 === p.addr64 &&
      (q.length === 0 ||
        p.length === 0 ||
        (q.length === p.length && (q.wildcard || p.wildcard || q.datamatch === p.datamatch))),
  );
}

/** An entry as the arguments describe it, not yet on a bus. */
function createEntry(
  kvm: KvmEvents,
  busIdx: number,
  args: Readonly<KvmIoeventfd>,
): KvmIoeventfdEntry | number {
  const eventfd = eventfdCtxFdget(args.fd);
  if (typeof eventfd === 'number') return eventfd;
  const addr64 = toU64(args.addr) ?? 0n;
  const datamatch = toU64(args.datamatch) ?? 0n;
  const p: KvmIoeventfdEntry = {
    kvm,
    busIdx,
    eventfd,
    addr64,
    addr: Number(addr64),
    length: args.len,
    wildcard: (args.flags & KVM_IOEVENTFD_FLAG_DATAMATCH) === 0,
    datamatch,
    datamatchLow: Number(datamatch & U32_MASK) | 0,
    datamatchHigh: Number(datamatch >> 32n) | 0,
    dev: {
      name: 'ioeventfd',
      ops: 'ioeventfd_ops',
      // KVM: there is no read operation, so a read goes on to the next device and then to userspace.
      read: () => IO_NOT_HANDLED,
      write: (addr, size, value) => kvm.eventFn.ioeventfdWrite(p, addr, size, value, 0),
      write64: (addr, data) =>
        kvm.eventFn.ioeventfdWrite(p, addr, 8, loadElement(data, 0, 4), loadElement(data, 4, 4)),
    },
  };
  return p;
}

/**
 * @returns 0; −EBADF, −EINVAL (not an eventfd), −EEXIST (collision), −ENOSPC.
 * @kvm kvm_assign_ioeventfd_idx(kvm, bus_idx, args) virt/kvm/eventfd.c
 */
export function kvmAssignIoeventfdIdx(kvm: KvmEvents, busIdx: number, args: Readonly<KvmIoeventfd>): number {
  const p = createEntry(kvm, busIdx, args);
  if (typeof p === 'number') return p;
  if (kvm.eventFn.ioeventfdCheckCollision(kvm, p)) return -EEXIST;
  const bus = kvm.buses[busIdx];
  // KVM: counted only after this, so a bus that is full of devices refuses an ioeventfd too.
  const ret = kvm.fn.kvmIoBusRegisterDev(bus, p.addr, p.length, p.dev);
  if (ret < 0) return ret;
  bus.ioeventfd_count++;
  kvm.ioeventfds = [...kvm.ioeventfds, p];
  return 0;
}

/**
 * Removes the entry that is the same in everything.
 *
 * @returns 0, −ENOENT, −EBADF or −EINVAL (not an eventfd).
 * @kvm kvm_deassign_ioeventfd_idx(kvm, bus_idx, args) virt/kvm/eventfd.c
 */
export function kvmDeassignIoeventfdIdx(
  kvm: KvmEvents,
  busIdx: number,
  args: Readonly<KvmIoeventfd>,
): number {
  const like = createEntry(kvm, busIdx, args);
  if (typeof like === 'number') return like;
  const p = kvm.ioeventfds.find(
    (q) =>
      q.busIdx === busIdx &&
      q.eventfd === like.eventfd &&
      q.addr64 === like.addr64 &&
      q.length === like.length &&
      q.wildcard === like.wildcard &&
      (q.wildcard || q.datamatch === like.datamatch),
  );
  if (p === undefined) return -ENOENT;
  kvm.fn.kvmIoBusUnregisterDev(kvm.buses[busIdx], p.dev);
  kvm.buses[busIdx].ioeventfd_count--;
  kvm.ioeventfds = kvm.ioeventfds.filter((q) => q !== p);
  return 0;
}

/** @kvm kvm_deassign_ioeventfd(kvm, args) virt/kvm/eventfd.c */
export function kvmDeassignIoeventfd(kvm: KvmEvents, args: Readonly<KvmIoeventfd>): number {
  const busIdx = ioeventfdBusFromFlags(args.flags);
  const ret = kvm.eventFn.kvmDeassignIoeventfdIdx(kvm, busIdx, args);
  if (args.len === 0 && busIdx === KVM_MMIO_BUS) {
    kvm.eventFn.kvmDeassignIoeventfdIdx(kvm, KVM_FAST_MMIO_BUS, args);
  }
  return ret;
}

/**
 * Checks what userspace asks for, then assigns it. An address without a length is on KVM_FAST_MMIO_BUS as well.
 *
 * @returns 0; −EINVAL for a length, flag or range that cannot be, or a datamatch without a length; see
 * {@link kvmAssignIoeventfdIdx}.
 * @kvm kvm_assign_ioeventfd(kvm, args) virt/kvm/eventfd.c
 */
export function kvmAssignIoeventfd(kvm: KvmEvents, args: Readonly<KvmIoeventfd>): number {
  const { len, flags } = args;
  if (len !== 0 && len !== 1 && len !== 2 && len !== 4 && len !== 8) return -EINVAL;
  if ((toU64(args.addr) ?? 0n) + BigInt(len) >= U64_END) return -EINVAL;
  if ((flags & ~KVM_IOEVENTFD_VALID_FLAG_MASK) !== 0) return -EINVAL;
  if (len === 0 && (flags & KVM_IOEVENTFD_FLAG_DATAMATCH) !== 0) return -EINVAL;
  const busIdx = ioeventfdBusFromFlags(flags);
  const ret = kvm.eventFn.kvmAssignIoeventfdIdx(kvm, busIdx, args);
  if (ret !== 0 || len !== 0 || busIdx !== KVM_MMIO_BUS) return ret;
  const fast = kvm.eventFn.kvmAssignIoeventfdIdx(kvm, KVM_FAST_MMIO_BUS, args);
  if (fast < 0) kvm.eventFn.kvmDeassignIoeventfdIdx(kvm, busIdx, args);
  return fast;
}

/** Whether the fields are of the structure's types; what they say is looked at later. */
function isWellFormed({ addr, datamatch, len, flags }: Readonly<KvmIoeventfd>): boolean {
  const hasDatamatch = datamatch === undefined || toU64(datamatch) !== null;
  return toU64(addr) !== null && hasDatamatch && isU32(len) && isU32(flags);
}

/**
 * The ioctl.
 *
 * KVM: unknown flags are refused when assigning, and looked over when deassigning.
 *
 * @returns 0; −EFAULT or −EINVAL for arguments that are not the structure; see {@link kvmAssignIoeventfd} and
 * {@link kvmDeassignIoeventfdIdx}.
 * @kvm kvm_ioeventfd(kvm, args) virt/kvm/eventfd.c
 */
export function kvmIoeventfd(kvm: KvmEvents, args: Readonly<KvmIoeventfd>): number {
  if (!isStruct(args)) return -EFAULT;
  if (!isWellFormed(args)) return -EINVAL;
  return (args.flags & KVM_IOEVENTFD_FLAG_DEASSIGN) !== 0
    ? kvm.eventFn.kvmDeassignIoeventfd(kvm, args)
    : kvm.eventFn.kvmAssignIoeventfd(kvm, args);
}
