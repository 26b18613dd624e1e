import { describe, expect, it } from 'vitest';
import type { IoDevice } from '../../../src/bus/io-device.ts';
import { ACTIVITY_HLT, ACTIVITY_SHUTDOWN, FAULT_INTERNAL } from '../../../src/cpu/cpu.ts';
import type { UserspaceBus } from '../../../src/emulate/kvm-vcpu.ts';
import { EINTR } from '../../../src/uapi/errno.ts';
import {
  KVM_EXIT_HLT,
  KVM_EXIT_INTERNAL_ERROR,
  KVM_EXIT_SHUTDOWN,
  KVM_GUESTDBG_ENABLE,
  KVM_GUESTDBG_USE_SW_BP,
  KVM_INTERNAL_ERROR_EMULATION,
  KVM_MEM_READONLY,
  KVM_MMIO_BUS,
} from '../../../src/uapi/kvm.ts';
import {
  EXIT_REASON_CPUID,
  EXIT_REASON_EPT_VIOLATION,
  EXIT_REASON_IO_INSTRUCTION,
  EXIT_REASON_PREEMPTION_TIMER,
  EXIT_REASON_TRIPLE_FAULT,
} from '../../../src/uapi/vmx.ts';
import { CODE, handlerEnd, LogBus, realMachine } from '../kvm/real-machine.ts';

const OPEN_BUS: UserspaceBus = { read: (_addr, size) => 2 ** (8 * size) - 1, write() {} };
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

describe('RDMSR and WRMSR of a register that is not there', () => {
  it.each(['0f32', '0f30'])('%s: #GP at the instruction, registers as they were', (code) => {
    const regs = { ecx: 0x1234_5678, eax: 0x11, edx: 0x22 };
    const { vm, vcpu } = realMachine(code, regs, BARE);
    expect([vcpu.kvmRun(), vcpu.run.exit_reason]).toEqual([0, KVM_EXIT_HLT]);
    const { eip, esp, eax, edx } = vcpu.getRegs();
    expect([eip, eax, edx]).toEqual([handlerEnd(13), 0x11, 0x22]);
    expect(vm.memory.view.getUint16(esp, true)).toBe(CODE);
  });
});

describe('RF', () => {
  const RF = 0x1_0000;
  it.each([
    { code: 'f4', what: 'HLT', options: BARE },
    { code: '0fa290', what: 'CPUID', options: BARE },
    { code: 'e460', what: 'IN that userspace answers', options: BARE },
    { code: 'e660', what: 'OUT that userspace takes', options: BARE },
    { code: 'e440', what: 'IN that the kernel answers', options: {} },
  ])('is clear behind $what', ({ code, options }) => {
    const { vcpu } = realMachine(`${code}f4`, { eflags: RF | 2 }, options);
    expect(vcpu.getRegs().eflags & RF).toBe(RF);
    while (vcpu.run.exit_reason !== KVM_EXIT_HLT) expect(vcpu.kvmRun()).toBe(0);
    expect(vcpu.getRegs().eflags & RF).toBe(0);
  });

  it('is clear behind HLT that an INS under way has stored in its own place', () => {
    // REP INSB, the HLT goes where its first byte was.
    const regs = { eflags: 2, ecx: 8, edi: CODE, edx: 0x60 };
    const { vcpu } = realMachine('f36c', regs, BARE);
    vcpu.forceEmulation = 1;
    vcpu.userspace = { ...OPEN_BUS, read: () => 0xf4 };
    while (vcpu.run.exit_reason !== KVM_EXIT_HLT) expect(vcpu.kvmRun()).toBe(0);
    expect(vcpu.getRegs().eflags & RF).toBe(0);
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

  it('ends the run in its handler, whatever the CPU has made of its activity state', () => {
    const { vm, vcpu } = realMachine('');
    expect(vm.fn.handleTripleFault(vcpu)).toBe(0);
    expect([vcpu.run.exit_reason, vcpu.cpu.activityState]).toEqual([KVM_EXIT_SHUTDOWN, ACTIVITY_SHUTDOWN]);
  });

  it('of an access to a hole is counted as an exit of its own', () => {
    // div byte [0], which reads 0: #DE, and no vector to deliver it through.
    const { vcpu } = withDs(0x200_0000, 'f6360000');
    const sregs = vcpu.getSregs();
    sregs.idt.limit = 0;
    vcpu.setSregs(sregs);
    vcpu.userspaceMmio = { read: () => 0, write() {} };
    expect([vcpu.kvmRun(), vcpu.run.exit_reason]).toEqual([0, KVM_EXIT_SHUTDOWN]);
    const { exits, byReason } = vcpu.stat;
    expect([exits, byReason[EXIT_REASON_EPT_VIOLATION], byReason[EXIT_REASON_TRIPLE_FAULT]]).toEqual([
      2, 1, 1,
    ]);
  });
});

describe('an exit', () => {
  it('for an alarm of the machine is counted, and the guest goes on', () => {
    const { vm, vcpu } = realMachine('ebfe');
    vm.clock.createAlarm(() => {}).set(vm.clock.nowNs + 500);
    vcpu.tickLimit = 200;
    expect([vcpu.kvmRun(), vm.clock.ticks]).toEqual([-EINTR, 200]);
    expect([vcpu.stat.irq_exits, vcpu.stat.irq_window_exits]).toEqual([1, 0]);
    expect(vcpu.stat.byReason[EXIT_REASON_PREEMPTION_TIMER]).toBe(1);
  });

  it('with what the CPU cannot go on from says what that is', () => {
    const { vcpu } = realMachine('');
    vcpu.cpu.fault = FAULT_INTERNAL;
    vcpu.cpu.internalError = 'no such mode';
    vcpu.cpu.raiseAttention();
    expect([vcpu.kvmRun(), vcpu.run.exit_reason]).toEqual([0, KVM_EXIT_INTERNAL_ERROR]);
    expect(vcpu.internalErrorMessage).toBe('no such mode');
  });

  it('with a reason that nobody handles ends the run', () => {
    const { vm, vcpu } = realMachine('');
    vcpu.cpu.exitReason = 99;
    expect([vm.fn.vmxHandleExit(vcpu), vcpu.run.exit_reason]).toEqual([0, KVM_EXIT_INTERNAL_ERROR]);
    expect(vcpu.internalErrorMessage).toBe('unexpected VM-exit reason 99');
  });

  it('of #BP leaves DR6 and DR7 of kvm_run alone', () => {
    const { vcpu } = realMachine('cc');
    vcpu.setGuestDebug({ control: KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP });
    Object.assign(vcpu.run.debug, { dr6: 0x1234, dr7: 0x5678 });
    vcpu.kvmRun();
    expect(vcpu.run.debug).toMatchObject({ exception: 3, pc: CODE, dr6: 0x1234, dr7: 0x5678 });
  });
});

describe('CPUID', () => {
  it('names the vendor in leaf 0', () => {
    const { vcpu } = realMachine('0fa2', { eax: 0 });
    vcpu.kvmRun();
    const { eax, ebx, ecx, edx, eip } = vcpu.getRegs();
    expect(eax).toBe(7);
    expect(Buffer.from(new Uint32Array([ebx, edx, ecx]).buffer).toString()).toBe('GenuineIntel');
    expect(eip).toBe(CODE + 3);
    expect(vcpu.stat.byReason[EXIT_REASON_CPUID]).toBe(1);
  });

  it.each([
    { leaf: 1, eax: 0x663, ebx: 0, ecx: (1 << 22) | (1 << 23), edx: 0x2a97e },
    { leaf: 2, eax: 1, ebx: 0, ecx: 0, edx: 0 },
    { leaf: 7, eax: 0, ebx: (1 << 3) | (1 << 19), ecx: 1 << 2, edx: 0 },
    { leaf: 0x8000_0000, eax: 0x8000_0001, ebx: 0, ecx: 0, edx: 0 },
    { leaf: 0x8000_0001, eax: 0, ebx: 0, ecx: 1 << 5, edx: (1 << 20) | (1 << 27) },
    // Above the highest: as leaf 7.
    { leaf: 8, eax: 0, ebx: (1 << 3) | (1 << 19), ecx: 1 << 2, edx: 0 },
    { leaf: 0x8000_0002, eax: 0, ebx: (1 << 3) | (1 << 19), ecx: 1 << 2, edx: 0 },
  ])('answers leaf $leaf without FPU, SSE, and an APIC where there is no irqchip', ({ leaf, ...want }) => {
    const { vcpu } = realMachine('0fa2', { eax: leaf, ecx: 0 }, { devices: false });
    vcpu.kvmRun();
    expect(vcpu.getRegs()).toMatchObject(want);
  });

  it('shows the in-kernel local APIC with its TSC deadline, as long as IA32_APIC_BASE has it on', () => {
    // mov ecx, 0x1b; rdmsr; and ah, ~8; wrmsr; mov eax, 1; cpuid
    const on = realMachine('66b8010000000fa2').vcpu;
    const off = realMachine('66b91b0000000f3280e4f70f3066b8010000000fa2').vcpu;
    on.kvmRun();
    off.kvmRun();
    expect([on.getRegs().edx & (1 << 9), on.getRegs().ecx & (1 << 24)]).toEqual([1 << 9, 1 << 24]);
    expect([off.getRegs().edx & (1 << 9), off.getRegs().ecx & (1 << 24)]).toEqual([0, 1 << 24]);
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
    expect(vcpu.stat).toMatchObject({ mmio_exits: 1, insn_emulation: 2, exits: 3, irq_exits: 0 });
    expect(vm.clock.ticks).toBe(3);
  });

  it('reads what the board answers, and writes vanish in it', () => {
    const { vcpu } = withDs(0x200_0000, 'a1000066a10000a20000');
    vcpu.userspaceMmio = OPEN_BUS;
    vcpu.kvmRun();
    expect(vcpu.run.exit_reason).toBe(KVM_EXIT_HLT);
    expect(vcpu.getRegs().eax).toBe(0xffff_ffff);
  });

  it('splits an access that leaves RAM at a page boundary', () => {
    const { vm, vcpu } = withDs(0xf_0010, '66a1edff');
    vm.memory.write(0xf_fffd, Uint8Array.of(1, 2, 3));
    vcpu.userspaceMmio = OPEN_BUS;
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

  it('cannot be an instruction fetch on a board either: the board is not asked, and nothing is emulated', () => {
    const { vm, vcpu } = realMachine('');
    const sregs = vcpu.getSregs();
    sregs.cs.base = 0x20_0000;
    vcpu.setSregs(sregs);
    const board = new LogBus(vm);
    vcpu.userspaceMmio = board;
    expect([vcpu.kvmRun(), vcpu.run.exit_reason]).toEqual([0, KVM_EXIT_INTERNAL_ERROR]);
    expect(board.log).toEqual([]);
    expect(vcpu.stat).toMatchObject({ exits: 1, insn_emulation: 0, insn_emulation_fail: 1 });
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
