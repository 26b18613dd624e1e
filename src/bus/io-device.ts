/**
 * The device contract: what hangs on an I/O bus (KVM: `struct kvm_io_device`, include/kvm/iodev.h).
 */
import type { IoSize } from '../uapi/kvm.ts';

export type { IoSize };

/** A read returns this to mean “not mine, ask the next device” (KVM: `-EOPNOTSUPP`). */
export const IO_NOT_HANDLED = -1;

/**
 * A read returns this to mean “mine, but I stored nothing”: the destination keeps its bytes
 * (KVM's PIT does so at port 0x43).
 */
export const IO_NOTHING_STORED = -2;

/**
 * A device that answers accesses on a bus.
 *
 * `addr` is absolute, as in KVM: one 8259 pair answers at 0x20, 0xa0 and 0x4d0. A device gets its clock,
 * interrupt line and sink handed in and never sees the machine or a vCPU. Neither method allocates or throws.
 *
 * @kvm kvm_io_device_ops include/kvm/iodev.h (as: IoDevice)
 */
export interface IoDevice {
  /** Shown in traces and errors, for example `i8254`. */
  readonly name: string;
  /** The kernel's symbol of this device's `kvm_io_device_ops`, for example `pit_dev_ops`; absent on a board's own devices. */
  readonly ops?: string;
  /**
   * @returns the value read, unsigned (0 … 2^(8·size)−1: never `|0` it before the sentinels are tested),
   * {@link IO_NOT_HANDLED} or {@link IO_NOTHING_STORED}.
   */
  read(addr: number, size: IoSize): number;
  /**
   * @param value unsigned, 0 … 2^(8·size)−1.
   * @returns whether the device took the write.
   */
  write(addr: number, size: IoSize, value: number): boolean;
  /**
   * What `count` reads of one port at one instant give, in one go: elements of `size` bytes, little-endian, into `data` from `at` on.
   * For devices that are read by REP INS. @returns false: not in one go, nothing has happened.
   */
  readMany?(addr: number, size: IoSize, data: Uint8Array, at: number, count: number): boolean;
  /**
   * `count` writes to one port, one after the other, in one go. For devices that do not look at the time, drive no line and call
   * nobody. @returns false: not in one go, nothing has happened.
   */
  writeMany?(addr: number, size: IoSize, data: Uint8Array, at: number, count: number): boolean;
  /** 8-byte MMIO read into `data[0..7]`; a device without it declines such accesses. @returns whether it was taken. */
  read64?(addr: number, data: Uint8Array): boolean;
  /** 8-byte MMIO write from `data[0..7]`. @returns whether it was taken. */
  write64?(addr: number, data: Uint8Array): boolean;
  /** Plain-data copy of the device's state, for snapshots and tests. */
  saveState?(): unknown;
  /** Restores what {@link saveState} returned. */
  loadState?(state: unknown): void;
}

/** A device that has an answer to accesses of eight bytes. */
export interface WideIoDevice extends IoDevice {
  read64(addr: number, data: Uint8Array): boolean;
  write64(addr: number, data: Uint8Array): boolean;
}
