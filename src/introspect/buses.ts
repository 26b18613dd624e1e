/**
 * `kvm.buses[0..3]` of a machine, in the words of a drgn program that walks `vm_list` (drgn: “Object formatting”;
 * Linux: include/linux/kvm_host.h, `struct kvm_io_bus`, `struct kvm_io_range`).
 */
import type { KvmIoBus } from '../bus/io-bus.ts';
import type { IoDevice } from '../bus/io-device.ts';
import type { Vm } from '../kvm/vm.ts';
import { KVM_BUS_NAMES } from '../uapi/kvm.ts';
import { addressText, KernelAddresses, opsAddress, USERSPACE_PID } from './kernel-addresses.ts';

/** One `struct kvm_io_range`. */
export interface BusRange {
  readonly addr: number;
  readonly len: number;
  /** The device's `name`, for example `i8254`. */
  readonly device: string;
  /** Where its `struct kvm_io_device` lies. */
  readonly dev: string;
  /** Symbol of its `kvm_io_device_ops`; null when it has none. */
  readonly ops: string | null;
}

/** One `struct kvm_io_bus`. */
export interface BusInfo {
  readonly idx: number;
  readonly name: string;
  readonly address: string;
  readonly dev_count: number;
  readonly ioeventfd_count: number;
  readonly range: readonly BusRange[];
}

/** All buses of one machine. */
export interface BusesInfo {
  readonly userspace_pid: number;
  readonly buses: readonly BusInfo[];
}

/** Reads the buses of a machine. */
export function readBuses(vm: Vm): BusesInfo {
  const addresses = new KernelAddresses();
  addresses.addVm(vm);
  return { userspace_pid: USERSPACE_PID, buses: vm.buses.map((bus) => readBus(bus, addresses)) };
}

function readBus(bus: KvmIoBus, addresses: KernelAddresses): BusInfo {
  const { idx, dev_count, ioeventfd_count } = bus;
  return {
    idx,
    name: KVM_BUS_NAMES[idx],
    address: addressText(addresses.of(bus)),
    dev_count,
    ioeventfd_count,
    range: bus.range.dev.map((dev, k) => readRange(bus, k, dev, addresses)),
  };
}

function readRange(bus: KvmIoBus, k: number, dev: IoDevice, addresses: KernelAddresses): BusRange {
  return {
    addr: bus.range.addr[k],
    len: bus.range.len[k],
    device: dev.name,
    dev: addressText(addresses.of(dev)),
    ops: dev.ops ?? null,
  };
}

/** What the drgn program prints. */
export function formatBuses(info: BusesInfo): string {
  return `=====>kvm userspace_pid:${info.userspace_pid}\n${info.buses.map(busText).join('')}`;
}

function busText(bus: BusInfo): string {
  return (
    `===>kvm.buses[${bus.idx}]: ${bus.name}\n` +
    `*(struct kvm_io_bus *)${bus.address} = {\n` +
    `        .dev_count = (int)${bus.dev_count},\n` +
    `        .ioeventfd_count = (int)${bus.ioeventfd_count},\n` +
    '        .range = (struct kvm_io_range []){},\n}\n' +
    bus.range.map(rangeText).join('')
  );
}

function rangeText({ addr, len, dev, ops }: BusRange, k: number): string {
  const symbol = ops === null ? '0x0' : `${ops}+0x0 = ${addressText(opsAddress(ops))}`;
  return (
    `=>range[${k}] addr:0x${addr.toString(16)} len:${len} dev:\n` +
    `*(struct kvm_io_device *)${dev} = {\n` +
    `        .ops = (const struct kvm_io_device_ops *)${symbol},\n}\n`
  );
}
