/**
 * `/dev/kvm`: where virtual machines come from (Linux: virt/kvm/kvm_main.c, `kvm_dev_ioctl`).
 */
import { isTickRate } from '../bus/clock.ts';
import { EFAULT, EINVAL } from '../uapi/errno.ts';
import { KVM_VCPU_MMAP_SIZE } from '../uapi/kvm.ts';
import type { KvmApi } from './api.ts';
import { kvmVmIoctlCheckExtension } from './capabilities.ts';
import { Eventfd } from './eventfd.ts';
import type { FunctionHooks } from './functions.ts';
import { isStruct, isU32 } from './ioctl-args.ts';
import { allocatePages } from './memory-region.ts';
import { Vm, type VmOptions } from './vm.ts';

/** What KVM_GET_API_VERSION has answered since 2007. */
export const KVM_API_VERSION = 12;

/** How a {@link Kvm} is opened. */
export interface KvmOptions {
  /** Probes that see every mirrored function of every VM, its creation included. Default: none. */
  hooks?: FunctionHooks;
}

/** The entry point: `new Kvm().createVm()`. */
export class Kvm implements KvmApi {
  readonly #hooks: FunctionHooks | null;

  constructor(options: KvmOptions = {}) {
    this.#hooks = options.hooks ?? null;
  }

  /** KVM_GET_API_VERSION. */
  getApiVersion(): number {
    return KVM_API_VERSION;
  }

  /** KVM_CHECK_EXTENSION: 0 for no, else yes or how many. */
  checkExtension(cap: number): number {
    return kvmVmIoctlCheckExtension(cap);
  }

  /** KVM_GET_VCPU_MMAP_SIZE: bytes of `KvmRun.buffer`. */
  getVcpuMmapSize(): number {
    return KVM_VCPU_MMAP_SIZE;
  }

  /** Zeroed memory for {@link Vm.setUserMemoryRegion}, a whole number of 4 KiB pages. @returns −EINVAL, −ENOMEM. */
  allocateMemory(size: number): Uint8Array | number {
    return allocatePages(size);
  }

  /** `eventfd(2)`. @param initval what the counter starts with, an unsigned 32-bit number; −EINVAL else. */
  eventfd(initval = 0): Eventfd | number {
    return isU32(initval) ? new Eventfd({ initval }) : -EINVAL;
  }

  /** KVM_CREATE_VM: a machine without memory, devices and vCPUs, at time 0. */
  createVm(): Vm;
  /** @returns −EINVAL for a tick rate out of range. */
  createVm(options: VmOptions): Vm | number;
  createVm(options: VmOptions = {}): Vm | number {
    if (!isStruct(options)) return -EFAULT;
    if (options.ips !== undefined && !isTickRate(options.ips)) return -EINVAL;
    const vm = new Vm(options);
    if (this.#hooks !== null) vm.setHooks(this.#hooks);
    return vm;
  }

  /** Machines live on. @returns 0. */
  close(): number {
    return 0;
  }
}
