/**
 * What `pio86 fuzz --oracle kvm` needs of a host's KVM, and pio86 as such a host: the device oracle drives both alike, and tests
 * put a changed pio86 in the kernel's place.
 */
import type { VcpuApi, VmApi } from '../../kvm/api.ts';
import { Kvm } from '../../kvm/kvm.ts';
import { orThrow } from '../../kvm/or-throw.ts';
import type { KvmRegs, KvmSregs } from '../../uapi/kvm.ts';
import type { CaseMode } from '../string-io-case.ts';

/** Registers of a processor: what is set counts from the next KVM_RUN on, what is read is from the last one. */
export interface OracleRegisters {
  setRegs(regs: Readonly<KvmRegs>): void;
  setSregs(sregs: Readonly<KvmSregs>): void;
  getRegs(): KvmRegs;
  getSregs(): KvmSregs;
}

/** A machine with one processor, used for many cases. */
export interface OracleMachine {
  readonly vm: VmApi;
  readonly vcpu: VcpuApi;
  readonly registers: OracleRegisters;
  /** Takes back pending events and sleep after a case that did not end well. */
  resetVcpu(): void;
  /** Bytes of code were written from outside. */
  codeWritten(addr: number, bytes: number): void;
}

/** See the opening comment. */
export interface OracleHost {
  /** Whether IN and OUT go through KVM's instruction emulator. */
  readonly emulatesIo: boolean;
  /** Modes that its probe says it does not run as such, and paging. */
  readonly cannotRun: readonly (CaseMode | 'paging')[];
  allocate(bytes: number): Uint8Array;
  /** @param setUp makes memory and devices, before there is a processor. */
  createMachine(setUp: (vm: VmApi) => void): OracleMachine;
}

/** Registers by ioctl. */
export function ioctlRegisters(vcpu: VcpuApi): OracleRegisters {
  return {
    setRegs: (regs) => void orThrow(vcpu.setRegs(regs), 'KVM_SET_REGS'),
    setSregs: (sregs) => void orThrow(vcpu.setSregs(sregs), 'KVM_SET_SREGS'),
    getRegs: () => orThrow(vcpu.getRegs(), 'KVM_GET_REGS'),
    getSregs: () => orThrow(vcpu.getSregs(), 'KVM_GET_SREGS'),
  };
}

/** pio86 behind the interface of a host. */
export function ownHost(emulatesIo: boolean): OracleHost {
  return {
    emulatesIo,
    cannotRun: [],
    allocate: (bytes) => new Uint8Array(bytes),
    createMachine(setUp) {
      const vm = new Kvm().createVm();
      setUp(vm);
      const vcpu = orThrow(vm.createVcpu(0), 'KVM_CREATE_VCPU');
      vcpu.forceEmulation = emulatesIo ? 1 : 0;
      return {
        vm,
        vcpu,
        registers: ioctlRegisters(vcpu),
        resetVcpu: () => vcpu.resetVcpu(),
        codeWritten: (addr, bytes) => vm.memory.code?.invalidate(addr, bytes),
      };
    },
  };
}
