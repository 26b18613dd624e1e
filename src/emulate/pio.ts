/**
 * The core of port I/O: from “size bytes at this port, count times” to the kernel's bus, or to KVM_EXIT_IO
 * (Linux: arch/x86/kvm/x86.c, `emulator_pio_in_out` and around it).
 *
 * `kernelPio` has its name from Linux 5.15 and its behaviour from 6.12, which has inlined it.
 */
import { IO_NOTHING_STORED } from '../bus/io-device.ts';
import { EOPNOTSUPP } from '../uapi/errno.ts';
import {
  type IoSize,
  KVM_EXIT_IO,
  KVM_EXIT_IO_IN,
  KVM_EXIT_IO_OUT,
  KVM_PIO_BUS,
  KVM_PIO_PAGE_OFFSET,
} from '../uapi/kvm.ts';
import type { KvmVcpu, UserspaceBus } from './kvm-vcpu.ts';

/** Result of `emulatorPioInOut` and its callers: a KVM_EXIT_IO has been prepared (the kernel's 0). */
export const PIO_EXIT = 0;
/** Done by devices on the kernel's bus (the kernel's 1). */
export const PIO_IN_KERNEL = 1;
/** Done by the board's bus, and nobody wanted to see the exit. */
export const PIO_BY_BOARD = 2;

const PAGE_SIZE = 4096;

/** One little-endian element, unsigned. */
export function loadElement(data: Uint8Array, at: number, size: IoSize): number {
  if (size === 1) return data[at];
  if (size === 2) return data[at] | (data[at + 1] << 8);
  return (data[at] | (data[at + 1] << 8) | (data[at + 2] << 16) | (data[at + 3] << 24)) >>> 0;
}

/** Stores one element little-endian. */
export function storeElement(data: Uint8Array, at: number, size: IoSize, value: number): void {
  data[at] = value;
  if (size === 1) return;
  data[at + 1] = value >>> 8;
  if (size === 2) return;
  data[at + 2] = value >>> 16;
  data[at + 3] = value >>> 24;
}

/** Lets `ticks` pass inside an exit, so that the next device access happens at its own time. */
export function passTicks(vcpu: KvmVcpu, ticks: number): void {
  const { clock } = vcpu.kvm;
  clock.ticks += ticks;
  if (clock.ticks >= clock.nextDeadlineTick) clock.runDueAlarms();
}

/**
 * `count` accesses to the same port on the kernel's bus, `data` advancing.
 *
 * A device that takes a read without storing leaves its bytes of `data` as they were. Elements of a batch are one tick
 * apart. When the device vanishes after the first element, the rest of the writes is dropped and the rest of the reads
 * is zero: a batch never goes half to the kernel and half to userspace.
 *
 * @returns 0, or −EOPNOTSUPP when nobody took the first element.
 * @kvm kernel_pio(vcpu, pd) arch/x86/kvm/x86.c
 */
export function kernelPio(
  vcpu: KvmVcpu,
  size: IoSize,
  port: number,
  data: Uint8Array,
  count: number,
  isIn: boolean,
): number {
  const bus = vcpu.kvm.buses[KVM_PIO_BUS];
  const { fn } = vcpu;
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (i !== 0) passTicks(vcpu, 1);
    if (isIn) {
      const value = fn.kvmIoBusRead(bus, port, size);
      if (value >= 0) storeElement(data, at, size, value);
      else if (value !== IO_NOTHING_STORED) {
        if (i === 0) return -EOPNOTSUPP;
        data.fill(0, at, count * size);
        passTicks(vcpu, count - 1 - i);
        return 0;
      }
    } else if (!fn.kvmIoBusWrite(bus, port, size, loadElement(data, at, size))) {
      return i === 0 ? -EOPNOTSUPP : 0;
    }
    at += size;
  }
  return 0;
}

/** What an embedder does with KVM_EXIT_IO: `count` accesses to the same port of its own bus, all at one instant. */
export function userspacePio(
  bus: UserspaceBus,
  size: IoSize,
  port: number,
  data: Uint8Array,
  count: number,
  isIn: boolean,
): void {
  for (let at = 0; at < count * size; at += size) {
    if (isIn) storeElement(data, at, size, bus.read(port, size));
    else bus.write(port, size, loadElement(data, at, size));
  }
}

/**
 * The kernel's bus first; what it refuses becomes KVM_EXIT_IO. With a board's bus and no observer that bus is asked at
 * once instead: same effect, no exit to fill in and take apart.
 *
 * @returns PIO_EXIT, PIO_IN_KERNEL or PIO_BY_BOARD.
 * @kvm emulator_pio_in_out(vcpu, size, port, data, count, in) arch/x86/kvm/x86.c
 */
export function emulatorPioInOut(
  vcpu: KvmVcpu,
  size: IoSize,
  port: number,
  data: Uint8Array,
  count: number,
  isIn: boolean,
): number {
  if (vcpu.fn.kernelPio(vcpu, size, port, data, count, isIn) === 0) return PIO_IN_KERNEL;
  vcpu.stat.userspace_io_exits++;
  const { userspace } = vcpu;
  if (userspace !== null && vcpu.observed === 0) {
    userspacePio(userspace, size, port, data, count, isIn);
    return PIO_BY_BOARD;
  }
  prepareExit(vcpu, size, port, data, count, isIn);
  return PIO_EXIT;
}

/** Fills `kvm_run` and remembers the request. */
function prepareExit(
  vcpu: KvmVcpu,
  size: IoSize,
  port: number,
  data: Uint8Array,
  count: number,
  isIn: boolean,
): void {
  const { pio, run } = vcpu;
  pio.port = port;
  pio.in = isIn ? 1 : 0;
  pio.count = count;
  pio.size = size;
  // Userspace that does not answer leaves zeros.
  if (isIn) run.pioData.fill(0, 0, size * count);
  else for (let i = 0; i < size * count; i++) run.pioData[i] = data[i];
  run.exit_reason = KVM_EXIT_IO;
  run.io.direction = isIn ? KVM_EXIT_IO_IN : KVM_EXIT_IO_OUT;
  run.io.size = size;
  run.io.port = port;
  run.io.count = count;
  run.io.data_offset = KVM_PIO_PAGE_OFFSET * PAGE_SIZE;
}

/**
 * A read; traced when its data is there.
 *
 * @returns PIO_EXIT, PIO_IN_KERNEL or PIO_BY_BOARD.
 * @kvm emulator_pio_in(vcpu, size, port, val, count) arch/x86/kvm/x86.c
 */
export function emulatorPioIn(
  vcpu: KvmVcpu,
  size: IoSize,
  port: number,
  val: Uint8Array,
  count: number,
): number {
  const r = vcpu.fn.emulatorPioInOut(vcpu, size, port, val, count, true);
  if (vcpu.trace !== null && r !== PIO_EXIT) {
    vcpu.trace.kvm_pio(false, port, size, count, loadElement(val, 0, size));
  }
  return r;
}

/**
 * A write; traced before anybody takes it.
 *
 * @returns PIO_EXIT, PIO_IN_KERNEL or PIO_BY_BOARD.
 * @kvm emulator_pio_out(vcpu, size, port, val, count) arch/x86/kvm/x86.c
 */
export function emulatorPioOut(
  vcpu: KvmVcpu,
  size: IoSize,
  port: number,
  val: Uint8Array,
  count: number,
): number {
  if (vcpu.trace !== null) vcpu.trace.kvm_pio(true, port, size, count, loadElement(val, 0, size));
  return vcpu.fn.emulatorPioInOut(vcpu, size, port, val, count, false);
}

/**
 * The data of an earlier KVM_EXIT_IO has come: takes as much as the exit asked for.
 *
 * @kvm complete_emulator_pio_in(vcpu, val) arch/x86/kvm/x86.c
 */
export function completeEmulatorPioIn(vcpu: KvmVcpu, val: Uint8Array): void {
  const { pio, run, trace } = vcpu;
  const { size, count } = pio;
  const data = run.pioData;
  for (let i = 0; i < size * count; i++) val[i] = data[i];
  if (trace !== null) trace.kvm_pio(false, pio.port, size, count, loadElement(data, 0, size));
  pio.count = 0;
}

/**
 * A read of the emulator. While an exit is pending it is the completion of that: `count` is then not looked at,
 * because userspace may have changed (E)CX.
 *
 * @kvm emulator_pio_in_emulated(ctxt, size, port, val, count) arch/x86/kvm/x86.c
 */
export function emulatorPioInEmulated(
  vcpu: KvmVcpu,
  size: IoSize,
  port: number,
  val: Uint8Array,
  count: number,
): number {
  if (vcpu.pio.count !== 0) {
    vcpu.fn.completeEmulatorPioIn(vcpu, val);
    return PIO_IN_KERNEL;
  }
  const r = vcpu.fn.emulatorPioIn(vcpu, size, port, val, count);
  if (r === PIO_IN_KERNEL) vcpu.ctxt.ticksAhead = count - 1;
  return r;
}

/**
 * A write of the emulator.
 *
 * @kvm emulator_pio_out_emulated(ctxt, size, port, val, count) arch/x86/kvm/x86.c
 */
export function emulatorPioOutEmulated(
  vcpu: KvmVcpu,
  size: IoSize,
  port: number,
  val: Uint8Array,
  count: number,
): number {
  return vcpu.fn.emulatorPioOut(vcpu, size, port, val, count);
}
