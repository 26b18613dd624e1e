import { describe, expect, it } from 'vitest';
import type { IoDevice } from '../../../src/bus/io-device.ts';
import { ACTIVITY_HLT } from '../../../src/cpu/cpu.ts';
import {
  KVM_EXIT_HLT,
  KVM_EXIT_INTERNAL_ERROR,
  KVM_EXIT_SHUTDOWN,
  KVM_INTERNAL_ERROR_EMULATION,
  KVM_MEM_READONLY,
  KVM_MMIO_BUS,
} from '../../../src/uapi/kvm.ts';
import { EXIT_REASON_CPUID, EXIT_REASON_IO_INSTRUCTION } from '../../../src/uapi/vmx.ts';
import { CODE, handlerEnd, LogBus, realMachine } from '../kvm/real-machine.ts';

const BARE = { devices: false };

/** A machine whose DS has a base that real-mode code cannot load. */
function withDs(base: number, code: string): ReturnType<typeof realMachine> {
  const machine = realMachine(code, { eax: 0x1122_3344 });
  const sregs = machine.vcpu.getSregs();
  sregs.ds.base = base;
  machine.vcpu.setSregs(sregs);
  return machine;
}

describe('HLT', () => {
  it('leaves to userspace without an in-kernel irqchip, and goes on behind it on the next run', () => {
    const { vcpu } = realMachine('f440', {}, BARE);
    expect([vcpu.kvmRun(), vcpu.run.exit_reason, vcpu.getRegs().eip]).toEqual([0, KVM_EXIT_HLT, CODE + 1]);
    expect([vcpu.kvmRun(), vcpu.getRegs().eip, vcpu.getRegs().eax]).toEqual([0, CODE + 3, 1]);
    expect(vcpu.stat.halt_exits).toBe(2);
  });

  it('stays halted with one', () => {
    const { vcpu } = realMachine('f440');
    for (let i = 0; i < 2; i++) {
      expect([vcpu.kvmRun(), vcpu.run.exit_reason, vcpu.getRegs().eip]).toEqual([0, KVM_EXIT_HLT, CODE + 1]);
    }
    expect(vcpu.cpu.activityState).toBe(ACTIVITY_HLT);
  });
});

describe('a triple fault', () => {
  it('is KVM_EXIT_SHUTDOWN, again and again', () => {
    const { vcpu } = realMachine('cd80');
    const sregs = vcpu.getSregs();
    sregs.idt.limit = 0;
    vcpu.setSregs(sregs);
    for (let i = 0; i < 2; i++) expect([vcpu.kvmRun(), vcpu.run.exit_reason]).toEqual([0, KVM_EXIT_SHUTDOWN]);
  });
});

describe('CPUID', () => {
  it('names the vendor in leaf 0', () => {
    const { vcpu } = realMachine('0fa2', { eax: 0 });
    vcpu.kvmRun();
    const { eax, ebx, ecx, edx, eip } = vcpu.getRegs();
    expect(eax).toBe(1);
    expect(Buffer.from(new Uint32Array([ebx, edx, ecx]).buffer).toString()).toBe('GenuineIntel');
    expect(eip).toBe(CODE + 3);
    expect(vcpu.stat.byReason[EXIT_REASON_CPUID]).toBe(1);
  });

  it.each([1, 2, 0x8000_0002])('claims in leaf 0x%s neither FPU nor APIC nor SSE', (eax) => {
    const { vcpu } = realMachine('0fa2', { eax });
    vcpu.kvmRun();
    const regs = vcpu.getRegs();
    expect(regs.eax).toBe(0x600);
    const FPU_APIC_MMX_FXSR_SSE_SSE2 = 1 | (1 << 9) | (7 << 23) | (1 << 26);
    expect(regs.edx & FPU_APIC_MMX_FXSR_SSE_SSE2).toBe(0);
    const TSC_MSR_CX8_CMOV = (1 << 4) | (1 << 5) | (1 << 8) | (1 << 15);
    const PSE_PAE_PGE_PSE36 = (1 << 3) | (1 << 6) | (1 << 13) | (1 << 17);
    expect(regs.edx).toBe(TSC_MSR_CX8_CMOV | PSE_PAE_PGE_PSE36);
  });

  it('tells of execute-disable in the extended leaf', () => {
    const answers = [0x8000_0000, 0x8000_0001].map((eax) => {
      const { vcpu } = realMachine('0fa2', { eax });
      vcpu.kvmRun();
      return vcpu.getRegs();
    });
    expect(answers[0]).toMatchObject({ eax: 0x8000_0001, edx: 0 });
    expect(answers[1]).toMatchObject({ eax: 0, edx: 1 << 20 });
  });
});

describe('an access to a hole', () => {
  it('goes to the MMIO bus, then to the board', () => {
    const { vm, vcpu } = withDs(0xfed0_0000, 'a10000a30400f4');
    const seen: string[] = [];
    const device: IoDevice = {
      name: 'mmio',
      read: (addr, size) => {
        seen.push(`r ${addr.toString(16)} ${size} @${vm.clock.ticks}`);
        return 0xbeef;
      },
      write: () => false,
    };
    vm.fn.kvmIoBusRegisterDev(vm.buses[KVM_MMIO_BUS], 0xfed0_0000, 0x10, device);
    const board = new LogBus(vm);
    vcpu.userspaceMmio = board;
    expect([vcpu.kvmRun(), vcpu.run.exit_reason]).toEqual([0, KVM_EXIT_HLT]);
    expect(seen).toEqual(['r fed00000 2 @0']);
    expect(board.log).toEqual(['out fed00004 2 beef @1']);
    expect(vcpu.getRegs().eax).toBe(0x1122_beef);
    expect(vcpu.stat.mmio_exits).toBe(2);
    expect(vm.clock.ticks).toBe(3);
  });

  it('reads all ones where nobody answers, and writes vanish', () => {
    const { vcpu } = withDs(0x200_0000, 'a1000066a10000a20000');
    vcpu.kvmRun();
    expect(vcpu.run.exit_reason).toBe(KVM_EXIT_HLT);
    expect(vcpu.getRegs().eax).toBe(0xffff_ffff);
  });

  it('splits an access that leaves RAM at a page boundary', () => {
    const { vm, vcpu } = withDs(0xf_0010, '66a1edff');
    vm.memory.write(0xf_fffd, Uint8Array.of(1, 2, 3));
    vcpu.kvmRun();
    expect(vcpu.getRegs().eax).toBe(0xff03_0201);
  });

  it('treats a store to a read-only slot as such an access, and reads the slot', () => {
    const { vm, vcpu } = withDs(0x20_0000, 'a20000a00000');
    const mem = new Uint8Array(4096).fill(0x5a);
    vm.setUserMemoryRegion({
      slot: 1,
      flags: KVM_MEM_READONLY,
      guest_phys_addr: 0x20_0000,
      memory_size: 4096,
      mem,
    });
    const board = new LogBus(vm);
    vcpu.userspaceMmio = board;
    vcpu.kvmRun();
    expect(board.log).toEqual(['out 200000 1 44 @0']);
    expect([mem[0], vcpu.getRegs().eax & 0xff]).toEqual([0x5a, 0x5a]);
  });

  it('of a repeated store takes one element an exit', () => {
    const { vm, vcpu } = realMachine('f3aa', { ecx: 3, edi: 0, eax: 0x7f });
    const sregs = vcpu.getSregs();
    sregs.es.base = 0x20_0000;
    vcpu.setSregs(sregs);
    const board = new LogBus(vm);
    vcpu.userspaceMmio = board;
    vcpu.kvmRun();
    expect(board.log).toEqual(['out 200000 1 7f @0', 'out 200001 1 7f @1', 'out 200002 1 7f @2']);
    expect(vcpu.getRegs().ecx).toBe(0);
  });

  it('cannot be an instruction fetch: KVM_EXIT_INTERNAL_ERROR', () => {
    const { vcpu } = realMachine('');
    const sregs = vcpu.getSregs();
    sregs.cs.base = 0x20_0000;
    vcpu.setSregs(sregs);
    expect([vcpu.kvmRun(), vcpu.run.exit_reason]).toEqual([0, KVM_EXIT_INTERNAL_ERROR]);
    expect(vcpu.run.internal.suberror).toBe(KVM_INTERNAL_ERROR_EMULATION);
    expect(vcpu.internalErrorMessage).toBe('instruction fetch from 0x207c00, where no memory is');
    expect(vcpu.stat.insn_emulation_fail).toBe(1);
  });
});

describe('I/O exits', () => {
  it('are counted, strings and others', () => {
    const { vcpu } = realMachine('e6206ce420', { edx: 0x43 });
    vcpu.kvmRun();
    expect([
      vcpu.stat.io_exits,
      vcpu.stat.byReason[EXIT_REASON_IO_INSTRUCTION],
      vcpu.stat.insn_emulation,
    ]).toEqual([3, 3, 1]);
    expect(vcpu.stat.exits).toBe(4);
  });

  it('end in the handler of a fault where the guest has one', () => {
    const { vcpu } = realMachine('6f', { esi: 0xffff });
    vcpu.kvmRun();
    expect(vcpu.getRegs().eip).toBe(handlerEnd(13));
  });
});
