/**
 * `/dev/kvm`: where virtual machines come from (Linux: virt/kvm/kvm_main.c, `kvm_dev_ioctl`).
 */
import { KVM_VCPU_MMAP_SIZE } from '../uapi/kvm.ts';
import type { FunctionHooks } from './functions.ts';
import { Vm, type VmOptions } from './vm.ts';

/** What KVM_GET_API_VERSION has answered since 2007. */
export const KVM_API_VERSION = 12;

/** How a {@link Kvm} is opened. */
export interface KvmOptions {
  /** Probes that see every mirrored function of every VM, its creation included. Default: none. */
  hooks?: FunctionHooks;
}

/** The entry point: `new Kvm().createVm()`. */
export class Kvm {
  readonly #hooks: FunctionHooks | null;

  constructor(options: KvmOptions = {}) {
    this.#hooks = options.hooks ?? null;
  }

  /** KVM_GET_API_VERSION. */
  getApiVersion(): number {
    return KVM_API_VERSION;
  }

  /** KVM_GET_VCPU_MMAP_SIZE: bytes of `KvmRun.buffer`. */
  getVcpuMmapSize(): number {
    return KVM_VCPU_MMAP_SIZE;
  }

  /** KVM_CREATE_VM: a machine without memory, devices and vCPUs, at time 0. */
  createVm(options: VmOptions = {}): Vm {
    const vm = new Vm(options);
    if (this.#hooks !== null) vm.setHooks(this.#hooks);
    return vm;
  }
}
