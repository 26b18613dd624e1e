/**
 * The host's kernel as an engine for a `Vmm`.
 */
import type { Engine, EngineVcpu, EngineVm } from '../../boards/vmm.ts';
import { EmulatorError } from '../../errors.ts';
import { HostKvm } from '../../host-kvm/host-kvm.ts';
import type { HostVcpu } from '../../host-kvm/host-vcpu.ts';
import type { HostVm } from '../../host-kvm/host-vm.ts';
import { orThrow } from '../../kvm/or-throw.ts';
import { errnoName } from '../../uapi/errno.ts';
import { KVM_MP_STATE_HALTED } from '../../uapi/kvm.ts';
import { absentError } from '../cli-error.ts';

/** An object, or the errno as an error. */
export function objectOf<T extends object>(result: T | number, what: string): T {
  if (typeof result === 'number') throw new EmulatorError('E_IOCTL', `${what}: ${errnoName(result)}`);
  return result;
}

/** Opens `/dev/kvm`. @throws CliError (absent) with the reason in one line. */
export async function openHostKvm(): Promise<HostKvm> {
  const kvm = await HostKvm.open();
  if (kvm instanceof HostKvm) return kvm;
  throw absentError(`the host's KVM: ${kvm.absent}`);
}

/** Machines of the host's kernel. */
export class HostEngine implements Engine {
  readonly name = 'kvm';
  readonly kvm: HostKvm;
  vm: HostVm | null = null;
  vcpu: HostVcpu | null = null;

  constructor(kvm: HostKvm) {
    this.kvm = kvm;
  }

  createVm(): EngineVm {
    this.vm = objectOf(this.kvm.createVm(), 'KVM_CREATE_VM');
    return this.vm;
  }

  createVcpu(): EngineVcpu {
    if (this.vm === null) throw new EmulatorError('E_STATE', 'KVM_CREATE_VCPU: no machine');
    this.vcpu = objectOf(this.vm.createVcpu(0), 'KVM_CREATE_VCPU');
    return this.vcpu;
  }

  allocate(bytes: number): Uint8Array {
    return objectOf(this.kvm.allocateMemory(bytes), 'mmap');
  }

  /** Whether the processor sleeps in HLT: with an in-kernel irqchip HLT is no exit. */
  isHalted(): boolean {
    const state = this.vcpu?.getMpState() ?? 0;
    return typeof state === 'object' && state.mp_state === KVM_MP_STATE_HALTED;
  }

  /** The timer signal that ends KVM_RUN now and then. @throws EmulatorError `E_IOCTL`. */
  interruptEvery(microseconds: number): void {
    orThrow(this.kvm.interruptEvery(microseconds), 'setitimer');
  }
}
