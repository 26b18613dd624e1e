/**
 * The three I/O bus devices of the 8259A pair, each with its own operations (Linux: arch/x86/kvm/i8259.c,
 * `picdev_master_ops`, `picdev_slave_ops`, `picdev_eclr_ops` — KVM's spelling of ELCR).
 */
import type { IoDevice } from '../bus/io-device.ts';
import type { IoSize } from '../uapi/kvm.ts';
import type { KvmPic } from './i8259-state.ts';

/**
 * Writes ports 0x20 and 0x21.
 *
 * @kvm picdev_master_write(vcpu, dev, addr, len, val) arch/x86/kvm/i8259.c
 */
export function picdevMasterWrite(dev: KvmPic, addr: number, len: IoSize, val: number): boolean {
  return dev.fn.picdevWrite(dev, addr, len, val);
}

/**
 * Reads ports 0x20 and 0x21.
 *
 * @kvm picdev_master_read(vcpu, dev, addr, len, val) arch/x86/kvm/i8259.c (as: value returned)
 */
export function picdevMasterRead(dev: KvmPic, addr: number, len: IoSize): number {
  return dev.fn.picdevRead(dev, addr, len);
}

/**
 * Writes ports 0xa0 and 0xa1.
 *
 * @kvm picdev_slave_write(vcpu, dev, addr, len, val) arch/x86/kvm/i8259.c
 */
export function picdevSlaveWrite(dev: KvmPic, addr: number, len: IoSize, val: number): boolean {
  return dev.fn.picdevWrite(dev, addr, len, val);
}

/**
 * Reads ports 0xa0 and 0xa1.
 *
 * @kvm picdev_slave_read(vcpu, dev, addr, len, val) arch/x86/kvm/i8259.c (as: value returned)
 */
export function picdevSlaveRead(dev: KvmPic, addr: number, len: IoSize): number {
  return dev.fn.picdevRead(dev, addr, len);
}

/**
 * Writes ports 0x4d0 and 0x4d1.
 *
 * @kvm picdev_eclr_write(vcpu, dev, addr, len, val) arch/x86/kvm/i8259.c
 */
export function picdevEclrWrite(dev: KvmPic, addr: number, len: IoSize, val: number): boolean {
  return dev.fn.picdevWrite(dev, addr, len, val);
}

/**
 * Reads ports 0x4d0 and 0x4d1.
 *
 * @kvm picdev_eclr_read(vcpu, dev, addr, len, val) arch/x86/kvm/i8259.c (as: value returned)
 */
export function picdevEclrRead(dev: KvmPic, addr: number, len: IoSize): number {
  return dev.fn.picdevRead(dev, addr, len);
}

const NAME = 'i8259';

/** The master's ports 0x20 and 0x21. */
export function createMasterDev(pic: KvmPic): IoDevice {
  return {
    name: NAME,
    ops: 'picdev_master_ops',
    read: (addr, size) => pic.fn.picdevMasterRead(pic, addr, size),
    write: (addr, size, value) => pic.fn.picdevMasterWrite(pic, addr, size, value),
  };
}

/** The slave's ports 0xa0 and 0xa1. */
export function createSlaveDev(pic: KvmPic): IoDevice {
  return {
    name: NAME,
    ops: 'picdev_slave_ops',
    read: (addr, size) => pic.fn.picdevSlaveRead(pic, addr, size),
    write: (addr, size, value) => pic.fn.picdevSlaveWrite(pic, addr, size, value),
  };
}

/** The edge/level control ports 0x4d0 and 0x4d1. */
export function createEclrDev(pic: KvmPic): IoDevice {
  return {
    name: NAME,
    ops: 'picdev_eclr_ops',
    read: (addr, size) => pic.fn.picdevEclrRead(pic, addr, size),
    write: (addr, size, value) => pic.fn.picdevEclrWrite(pic, addr, size, value),
  };
}
