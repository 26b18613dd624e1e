/**
 * `/dev/kvm`: where virtual machines come from (Linux: virt/kvm/kvm_main.c, `kvm_dev_ioctl`).
 */
import { isTickRate } from '../bus/clock.ts';
import type { CpuModel, CpuModelName } from '../cpu/cpu-model.ts';
import { CPU_MODEL_NAMES, cpuModelByName } from '../cpu/models/index.ts';
import { MAX } from '../cpu/models/max.ts';
import { EmulatorError } from '../errors.ts';
import { EFAULT, EINVAL } from '../uapi/errno.ts';
import { KVM_VCPU_MMAP_SIZE, type KvmCpuidEntry2 } from '../uapi/kvm.ts';
import type { KvmApi } from './api.ts';
import { kvmVmIoctlCheckExtension } from './capabilities.ts';
import { Eventfd } from './eventfd.ts';
import type { FunctionHooks } from './functions.ts';
import { isStruct, isU32 } from './ioctl-args.ts';
import { allocatePages } from './memory-region.ts';
import { msrIndexList } from './vcpu-msrs.ts';
import { Vm, type VmOptions } from './vm.ts';

export type { CpuModelName };

/** What KVM_GET_API_VERSION has answered since 2007. */
export const KVM_API_VERSION = 12;

/** How a {@link Kvm} is opened. */
export interface KvmOptions {
  /** Probes that see every mirrored function of every VM, its creation included. Default: none. */
  hooks?: FunctionHooks;
  /** The processor of the machine that KVM runs on, and so of its guests. Default `max`. */
  cpu?: CpuModelName;
}

/** The entry point: `new Kvm().createVm()`. */
export class Kvm implements KvmApi {
  readonly #hooks: FunctionHooks | null;
  readonly #cpuModel: CpuModel;

  /** @throws EmulatorError `E_ARGUMENT` for a processor that is none. */
  constructor(options: KvmOptions = {}) {
    this.#hooks = options.hooks ?? null;
    const { cpu = MAX.name } = options;
    const model = cpuModelByName(cpu);
    if (model === undefined)
      throw new EmulatorError('E_ARGUMENT', `cpu: '${cpu}' is not ${CPU_MODEL_NAMES.join(', ')}`);
    this.#cpuModel = model;
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

  /** KVM_GET_SUPPORTED_CPUID: what CPUID shows until KVM_SET_CPUID2 changes it; empty on a processor without CPUID. */
  getSupportedCpuid(): KvmCpuidEntry2[] {
    return this.#cpuModel.cpuid.map((entry) => ({ ...entry }));
  }

  /** KVM_GET_MSR_INDEX_LIST: what a VMM saves with KVM_GET_MSRS. */
  getMsrIndexList(): number[] {
    return msrIndexList(this.#cpuModel);
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
  /** @returns −EINVAL for a tick rate out of range and for a processor that is none. */
  createVm(options: VmOptions): Vm | number;
  createVm(options: VmOptions = {}): Vm | number {
    if (!isStruct(options)) return -EFAULT;
    if (options.ips !== undefined && !isTickRate(options.ips)) return -EINVAL;
    if (options.cpu !== undefined && cpuModelByName(options.cpu) === undefined) return -EINVAL;
    const vm = new Vm({ ...options, cpu: options.cpu ?? this.#cpuModel.name });
    if (this.#hooks !== null) vm.setHooks(this.#hooks);
    return vm;
  }

  /** Machines live on. @returns 0. */
  close(): number {
    return 0;
  }
}
