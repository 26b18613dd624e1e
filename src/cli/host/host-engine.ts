/**
 * The host's kernel as an engine for a `Vmm`.
 */
import type { Engine, EngineVcpu, EngineVm } from '../../boards/vmm.ts';
import { EmulatorError } from '../../errors.ts';
import { HostKvm } from '../../host-kvm/host-kvm.ts';
import type { HostVcpu } from '../../host-kvm/host-vcpu.ts';
import type { HostVm } from '../../host-kvm/host-vm.ts';
import { orThrow } from '../../kvm/or-throw.ts';
import {
  KVM_MP_STATE_HALTED,
  KVM_MP_STATE_RUNNABLE,
  KVM_VCPUEVENT_VALID_NMI_PENDING,
  KVM_VCPUEVENT_VALID_SHADOW,
  type KvmVcpuEvents,
} from '../../uapi/kvm.ts';
import { absentError } from '../cli-error.ts';

const NO_EVENTS: KvmVcpuEvents = {
  exception: { injected: 0, nr: 0, has_error_code: 0, pending: 0, error_code: 0 },
  interrupt: { injected: 0, nr: 0, soft: 0, shadow: 0 },
  nmi: { injected: 0, pending: 0, masked: 0 },
  sipi_vector: 0,
  flags: KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW,
  smi: { smm: 0, pending: 0, smm_inside_nmi: 0, latched_init: 0 },
  triple_fault: { pending: 0 },
  exception_has_payload: 0,
  exception_payload: 0,
};

/** Opens `/dev/kvm`, or `device` in its place. @throws CliError (absent) with the reason in one line. */
export async function openHostKvm(device?: string): Promise<HostKvm> {
  const kvm = await HostKvm.open(device);
  if (kvm instanceof HostKvm) return kvm;
  throw absentError(`the host's KVM: ${kvm.absent}`);
}

/** Machines of the host's kernel. */
export class HostEngine implements Engine {
  readonly name = 'kvm';
  readonly reusesMachine = true;
  readonly kvm: HostKvm;
  vm: HostVm | null = null;
  vcpu: HostVcpu | null = null;

  constructor(kvm: HostKvm) {
    this.kvm = kvm;
  }

  createVm(): EngineVm {
    this.vm = orThrow(this.kvm.createVm(), 'KVM_CREATE_VM');
    return this.vm;
  }

  createVcpu(): EngineVcpu {
    if (this.vm === null) throw new EmulatorError('E_STATE', 'KVM_CREATE_VCPU: no machine');
    this.vcpu = orThrow(this.vm.createVcpu(0), 'KVM_CREATE_VCPU');
    return this.vcpu;
  }

  allocate(bytes: number): Uint8Array {
    return orThrow(this.kvm.allocateMemory(bytes), 'mmap');
  }

  /** Whether the processor sleeps in HLT: with an in-kernel irqchip HLT is no exit. */
  isHalted(): boolean {
    const state = this.vcpu?.getMpState() ?? 0;
    return typeof state === 'object' && state.mp_state === KVM_MP_STATE_HALTED;
  }

  /** No pending event, no sleep. @throws EmulatorError `E_IOCTL`. */
  resetVcpu(): void {
    const { vcpu } = this;
    if (vcpu === null) return;
    orThrow(vcpu.setVcpuEvents(NO_EVENTS), 'KVM_SET_VCPU_EVENTS');
    orThrow(vcpu.setMpState({ mp_state: KVM_MP_STATE_RUNNABLE }), 'KVM_SET_MP_STATE');
  }

  /** The timer signal that ends KVM_RUN now and then. @throws EmulatorError `E_IOCTL`. */
  interruptEvery(microseconds: number): void {
    orThrow(this.kvm.interruptEvery(microseconds), 'setitimer');
  }
}
