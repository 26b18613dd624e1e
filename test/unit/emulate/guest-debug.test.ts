/** What INS and OUTS owe a debugger: the guest's own instruction breakpoints, and I/O breakpoints in the middle of a REP. */
import { describe, expect, it } from 'vitest';
import type { IoDevice } from '../../../src/bus/io-device.ts';
import type { Vcpu } from '../../../src/kvm/vcpu.ts';
import {
  KVM_EXIT_HLT,
  KVM_EXIT_IO,
  KVM_GUESTDBG_ENABLE,
  KVM_GUESTDBG_USE_HW_BP,
  KVM_PIO_BUS,
  type KvmRegs,
} from '../../../src/uapi/kvm.ts';
import { CODE, handlerEnd, LogBus, type Machine, realMachine } from '../kvm/real-machine.ts';

const HARDWARE = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP;
const RF = 0x1_0000;
const DR6_INIT = 0xffff_0ff0;
const DR7_INIT = 0x400;
/** DR7: breakpoint 0 enabled, an instruction. */
const CODE_0 = DR7_INIT | 1;
/** DR7: breakpoint 0 enabled, an access of one port. */
const PORT_0 = DR7_INIT | 1 | (2 << 16);
const CR4_DE = 8;
const PORT = 0x60;
const ELSEWHERE = 0x500;

describe('an instruction breakpoint of the guest, while userspace’s are in force', () => {
  /** Where the guest halts with a breakpoint of its own at `at`. */
  function haltsAt(code: string, at: number, regs: Partial<KvmRegs> = {}): number {
    const { vm, vcpu } = realMachine(code, { edx: PORT, edi: 0x3000, ...regs }, { devices: false });
    vcpu.userspace = new LogBus(vm);
    vcpu.setDebugregs({ db: [at, 0, 0, 0], dr6: DR6_INIT, dr7: CODE_0, flags: 0 });
    const debugreg = [ELSEWHERE, 0, 0, 0, 0, 0, DR6_INIT, CODE_0];
    expect(vcpu.setGuestDebug({ control: HARDWARE, debugreg })).toBe(0);
    expect([vcpu.kvmRun(), vcpu.run.exit_reason]).toEqual([0, KVM_EXIT_HLT]);
    return vcpu.getRegs().eip;
  }

  it('is honoured where the emulator begins, as in KVM', () => {
    expect(haltsAt('6c', CODE)).toBe(handlerEnd(1));
  });

  it('is not met at another address', () => {
    expect(haltsAt('6c', CODE + 1)).toBe(CODE + 2);
  });

  it('is passed once with RF, and behind MOV SS', () => {
    expect(haltsAt('6c', CODE, { eflags: RF | 2 })).toBe(CODE + 2);
    expect(haltsAt('8ed06c', CODE + 2)).toBe(CODE + 4); // mov ss,ax
  });

  it('is not passed behind STI', () => {
    expect(haltsAt('fb6c', CODE + 1)).toBe(handlerEnd(1));
  });
});

describe('an I/O breakpoint', () => {
  interface Counted extends Machine {
    /** Accesses of the device at PORT. */
    readonly log: string[];
  }

  /** A machine with a kernel device at PORT and an I/O breakpoint at `at`. */
  function watched(code: string, at: number, ioBreakpoints: number): Counted {
    const { vm, vcpu } = realMachine(code, { edx: PORT, edi: 0x3000, ecx: 3 }, { devices: false });
    const log: string[] = [];
    const device: IoDevice = {
      name: 'counted',
      read: () => log.push('in'),
      write: () => log.push('out') > 0,
    };
    vm.fn.kvmIoBusRegisterDev(vm.buses[KVM_PIO_BUS], PORT, 1, device);
    vcpu.ioBreakpoints = ioBreakpoints;
    const sregs = vcpu.getSregs();
    sregs.cr4 |= CR4_DE;
    vcpu.setSregs(sregs);
    vcpu.setDebugregs({ db: [at, 0, 0, 0], dr6: DR6_INIT, dr7: PORT_0, flags: 0 });
    return { vm, vcpu, log };
  }

  const stateOf = (vcpu: Vcpu): number[] => [vcpu.getRegs().eip, vcpu.getRegs().ecx];

  it.each([
    ['REP OUTSB', 'f36e', 'out'],
    ['REP INSB', 'f36c', 'in'],
  ])('ends %s after the first element, before the next is asked for', (_name, code, access) => {
    const { vcpu, log } = watched(code, PORT, 1);
    vcpu.kvmRun();
    expect([stateOf(vcpu), log]).toEqual([[handlerEnd(1), 2], [access]]);
  });

  it.each([
    ['of another port', PORT + 1, 1],
    ['that is ignored as under KVM', PORT, 0],
  ])('%s leaves REP INSB and OUTSB one emulation', (_name, at, ioBreakpoints) => {
    for (const code of ['f36e', 'f36c']) {
      const { vcpu, log } = watched(code, at, ioBreakpoints);
      vcpu.kvmRun();
      expect([stateOf(vcpu), log.length]).toEqual([[CODE + 3, 0], 3]);
      // And one that finds the count 0.
      expect(vcpu.stat.insn_emulation).toBe(2);
    }
  });

  it.each([
    [PORT, 1, 1],
    [PORT + 1, 1, 3],
    [PORT, 0, 3],
  ])('at %i, heeded: %i, lets REP INSB ask userspace for %i elements', (at, ioBreakpoints, count) => {
    const { vcpu, vm } = watched('f36c', at, ioBreakpoints);
    vm.fn.kvmIoBusUnregisterDev(vm.buses[KVM_PIO_BUS], vm.buses[KVM_PIO_BUS].range.dev[0]);
    vcpu.kvmRun();
    expect([vcpu.run.exit_reason, vcpu.run.io.count]).toEqual([KVM_EXIT_IO, count]);
  });

  it('is not met by an instruction that leaves without a port, not even at port 0', () => {
    const { vcpu } = realMachine('0fa2', {}, { devices: false }); // cpuid
    const sregs = vcpu.getSregs();
    sregs.cr4 |= CR4_DE;
    vcpu.setSregs(sregs);
    vcpu.setDebugregs({ db: [0, 0, 0, 0], dr6: DR6_INIT, dr7: PORT_0, flags: 0 });
    vcpu.kvmRun();
    expect(vcpu.getRegs().eip).toBe(CODE + 3);
  });
});
