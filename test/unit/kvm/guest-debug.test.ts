/** KVM_SET_GUEST_DEBUG and KVM_GET/SET_DEBUGREGS. What `/dev/kvm` has answered to the same programs is marked so. */
import { describe, expect, it } from 'vitest';
import type { Vcpu } from '../../../src/kvm/vcpu.ts';
import { EBUSY, EINVAL } from '../../../src/uapi/errno.ts';
import {
  KVM_EXIT_DEBUG,
  KVM_EXIT_HLT,
  KVM_EXIT_IO,
  KVM_GUESTDBG_BLOCKIRQ,
  KVM_GUESTDBG_ENABLE,
  KVM_GUESTDBG_INJECT_BP,
  KVM_GUESTDBG_INJECT_DB,
  KVM_GUESTDBG_SINGLESTEP,
  KVM_GUESTDBG_USE_HW_BP,
  KVM_GUESTDBG_USE_SW_BP,
  type KvmGuestDebug,
} from '../../../src/uapi/kvm.ts';
import { CODE, handlerEnd, LogBus, type MachineOptions, realMachine } from './real-machine.ts';

const STEP = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP;
const HARDWARE = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP;
const TF = 0x100;
const IF = 0x200;
const RF = 0x1_0000;
const DR6_INIT = 0xffff_0ff0;
const BS = 0x4000;
const NO_DEVICES: MachineOptions = { devices: false };

/** Machine without a board: every exit is ours. */
function debugged(
  code: string,
  control: number,
  regs = {},
  debugreg?: readonly number[],
  options = NO_DEVICES,
): Vcpu {
  const { vcpu } = realMachine(code, regs, options);
  const debug: KvmGuestDebug = debugreg === undefined ? { control } : { control, debugreg };
  expect(vcpu.setGuestDebug(debug)).toBe(0);
  return vcpu;
}

/** Runs once: `debug pc`, `io port` or the exit reason, with EIP behind it. */
function next(vcpu: Vcpu): string {
  expect(vcpu.kvmRun()).toBe(0);
  const { run } = vcpu;
  const eip = (vcpu.getRegs().eip - CODE).toString(16);
  if (run.exit_reason === KVM_EXIT_DEBUG) return `debug ${(run.debug.pc - CODE).toString(16)} eip ${eip}`;
  if (run.exit_reason === KVM_EXIT_IO) return `io ${run.io.port.toString(16)} eip ${eip}`;
  return `exit ${run.exit_reason} eip ${eip}`;
}

const exitsOf = (vcpu: Vcpu, count: number): string[] => Array.from({ length: count }, () => next(vcpu));

describe('single step', () => {
  it('leaves after each instruction with #DB, DR6.BS and the linear address (as /dev/kvm)', () => {
    const vcpu = debugged('9040', STEP);
    expect(exitsOf(vcpu, 2)).toEqual(['debug 1 eip 1', 'debug 2 eip 2']);
    expect(vcpu.run.debug).toMatchObject({
      exception: 1,
      pc: CODE + 2,
      dr6: (DR6_INIT | BS) >>> 0,
      dr7: 0x400,
    });
    expect(vcpu.getDebugregs().dr6).toBe(DR6_INIT);
  });

  it('hides its TF from KVM_GET_REGS, and leaves none behind', () => {
    const vcpu = debugged('909090', STEP);
    expect(vcpu.getRegs().eflags).toBe(2);
    next(vcpu);
    expect(vcpu.getRegs().eflags).toBe(2);
    vcpu.setGuestDebug({ control: 0 });
    expect(next(vcpu)).toBe(`exit ${KVM_EXIT_HLT} eip 4`);
  });

  it('gives the guest its own TF back when it ends', () => {
    const vcpu = debugged('9090', STEP, { eflags: 2 });
    vcpu.setRegs({ ...vcpu.getRegs(), eflags: TF | 2 });
    vcpu.setGuestDebug({ control: 0 });
    // TF was filtered out with the debugger's, as in KVM.
    expect(next(vcpu)).toBe(`exit ${KVM_EXIT_HLT} eip 3`);
  });

  it('is lost when KVM_SET_REGS comes away from where it began, as in KVM', () => {
    const vcpu = debugged('909090', STEP);
    next(vcpu);
    vcpu.setRegs(vcpu.getRegs());
    expect(next(vcpu)).toBe(`exit ${KVM_EXIT_HLT} eip 4`);
  });

  it('goes over STI and MOV SS one by one (as /dev/kvm for STI)', () => {
    expect(exitsOf(debugged('fb9090', STEP), 3)).toEqual(['debug 1 eip 1', 'debug 2 eip 2', 'debug 3 eip 3']);
  });

  it('leaves a fast OUT twice: its exit, then the step (as /dev/kvm for IN)', () => {
    expect(exitsOf(debugged('e68090', STEP), 3)).toEqual(['io 80 eip 0', 'debug 2 eip 2', 'debug 3 eip 3']);
    expect(exitsOf(debugged('e48090', STEP), 3)).toEqual(['io 80 eip 0', 'debug 2 eip 2', 'debug 3 eip 3']);
  });

  it('leaves an OUT to a kernel device once', () => {
    const vcpu = debugged('e62190', STEP, {}, undefined, {});
    expect(exitsOf(vcpu, 2)).toEqual(['debug 2 eip 2', 'debug 3 eip 3']);
  });

  it('hides the exit of OUT 0x7E behind KVM_EXIT_DEBUG while the quirk is on', () => {
    const vcpu = debugged('e67e90', STEP);
    expect(exitsOf(vcpu, 2)).toEqual(['debug 2 eip 2', 'debug 3 eip 3']);
    expect(vcpu.run.debug.dr6).toBe((DR6_INIT | BS) >>> 0);
    const plain = debugged('e67e90', STEP);
    plain.quirks = 0;
    expect(exitsOf(plain, 2)).toEqual(['io 7e eip 0', 'debug 2 eip 2']);
  });

  it('49: has no trap for OUTS that leaves for userspace, and ends there until it is asked for again', () => {
    const vcpu = debugged('6e909090', STEP, { edx: 0x80 });
    expect(next(vcpu)).toBe('io 80 eip 1');
    expect(next(vcpu)).toBe(`exit ${KVM_EXIT_HLT} eip 5`);
    const again = debugged('6e909090', STEP, { edx: 0x80 });
    next(again);
    again.setGuestDebug({ control: STEP });
    expect(next(again)).toBe('debug 2 eip 2');
  });

  it('49: goes on behind such an OUTS on a host that emulates everything (as /dev/kvm)', () => {
    const vcpu = debugged('906e9090', STEP, { edx: 0x80 });
    vcpu.forceEmulation = 1;
    expect(exitsOf(vcpu, 4)).toEqual(['debug 1 eip 1', 'io 80 eip 2', 'debug 3 eip 3', 'debug 4 eip 4']);
  });

  it('counts one step a batch of REP INS (as /dev/kvm)', () => {
    const vcpu = debugged('f36c90', STEP, { edx: 0x80, edi: 0x3000, ecx: 3 });
    vcpu.forceEmulation = 1;
    expect(exitsOf(vcpu, 4)).toEqual(['io 80 eip 0', 'debug 0 eip 0', 'debug 2 eip 2', 'debug 3 eip 3']);
    expect(vcpu.getRegs().ecx).toBe(0);
  });

  it('goes on behind REP INS only where the step began', () => {
    const vcpu = debugged('f36c90', STEP, { edx: 0x80, edi: 0x3000, ecx: 3 });
    // The batch leaves RIP at the instruction, so TF stays; the pass with count 0 moves it.
    expect(exitsOf(vcpu, 4)).toEqual([
      'io 80 eip 0',
      'debug 0 eip 0',
      'debug 2 eip 2',
      `exit ${KVM_EXIT_HLT} eip 4`,
    ]);
  });

  it('shows RF after the batch (as /dev/kvm)', () => {
    const vcpu = debugged('f36c90', STEP, { edx: 0x80, edi: 0x3000, ecx: 3 });
    vcpu.forceEmulation = 1;
    exitsOf(vcpu, 2);
    expect(vcpu.getRegs().eflags).toBe(RF | 2);
  });

  it('steps over HLT where the irqchip is in the kernel', () => {
    const vcpu = debugged('f490', STEP, {}, undefined, {});
    expect(next(vcpu)).toBe('debug 1 eip 1');
  });
});

describe('software breakpoints', () => {
  const SOFTWARE = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP;

  it('leave at the INT3, with #BP', () => {
    const vcpu = debugged('90cc90', SOFTWARE);
    expect(exitsOf(vcpu, 2)).toEqual(['debug 1 eip 1', 'debug 1 eip 1']);
    expect(vcpu.run.debug.exception).toBe(3);
  });

  it('are injected with the frame behind the INT3', () => {
    const vcpu = debugged('90cc90', SOFTWARE);
    next(vcpu);
    expect(vcpu.setGuestDebug({ control: SOFTWARE | KVM_GUESTDBG_INJECT_BP })).toBe(0);
    vcpu.kvmRun();
    expect(vcpu.getRegs().eip).toBe(handlerEnd(3));
    expect(vcpu.kvm.memory.view.getUint16(0x7000 - 6, true)).toBe(CODE + 2);
  });

  it('are the guest’s own without KVM_GUESTDBG_USE_SW_BP', () => {
    const vcpu = debugged('90cc90', STEP & ~KVM_GUESTDBG_SINGLESTEP);
    vcpu.kvmRun();
    expect(vcpu.getRegs().eip).toBe(handlerEnd(3));
  });
});

describe('hardware breakpoints of userspace', () => {
  it('leave before an instruction, again and again until RF is set (as /dev/kvm)', () => {
    const vcpu = debugged('909090', HARDWARE, {}, [CODE + 1, 0, 0, 0, 0, 0, 0, 3]);
    expect(exitsOf(vcpu, 3)).toEqual(['debug 1 eip 1', 'debug 1 eip 1', 'debug 1 eip 1']);
    expect(vcpu.run.debug).toMatchObject({ exception: 1, dr6: (DR6_INIT | 1) >>> 0, dr7: 0x403 });
    vcpu.setRegs({ ...vcpu.getRegs(), eflags: RF | 2 });
    expect(next(vcpu)).toBe(`exit ${KVM_EXIT_HLT} eip 4`);
  });

  it('never let OUTS pass, RF or not', () => {
    const vcpu = debugged('906e90', HARDWARE, { edx: 0x80 }, [CODE + 1, 0, 0, 0, 0, 0, 0, 3]);
    expect(next(vcpu)).toBe('debug 1 eip 1');
    vcpu.setRegs({ ...vcpu.getRegs(), eflags: RF | 2 });
    expect(next(vcpu)).toBe('debug 1 eip 1');
  });

  it('leave behind a store', () => {
    const vcpu = debugged('90a2003090', HARDWARE, {}, [0x3000, 0, 0, 0, 0, 0, 0, 0x1_0003]);
    expect(next(vcpu)).toBe('debug 4 eip 4');
  });

  it('do not see what the emulator stores', () => {
    const { vm, vcpu } = realMachine('6c90', { edx: 0x80, edi: 0x3000 }, NO_DEVICES);
    vcpu.userspace = new LogBus(vm, [0x5a]);
    vcpu.setGuestDebug({ control: HARDWARE, debugreg: [0x3000, 0, 0, 0, 0, 0, 0, 0x1_0003] });
    expect(next(vcpu)).toBe(`exit ${KVM_EXIT_HLT} eip 3`);
    expect(vm.memory.ram[0x3000]).toBe(0x5a);
  });

  it('replace the guest’s, which keep their values and come back', () => {
    const vcpu = debugged('909090', HARDWARE, {}, [0, 0, 0, 0, 0, 0, 0, 0]);
    const own = {
      db: [CODE + 1, 0, 0, 0] as [number, number, number, number],
      dr6: DR6_INIT,
      dr7: 0x403,
      flags: 0,
    };
    expect(vcpu.setDebugregs(own)).toBe(0);
    expect(vcpu.getDebugregs()).toEqual(own);
    expect(next(vcpu)).toBe(`exit ${KVM_EXIT_HLT} eip 4`);
    vcpu.setGuestDebug({ control: 0 });
    vcpu.setRegs({ ...vcpu.getRegs(), eip: CODE });
    vcpu.kvmRun();
    expect([vcpu.getRegs().eip, vcpu.getDebugregs().dr6]).toEqual([handlerEnd(1), (DR6_INIT | 1) >>> 0]);
  });

  it('take DR7.GD: a debug register of the guest leaves with DR6.BD', () => {
    const vcpu = debugged('900f21f8', HARDWARE, {}, [0, 0, 0, 0, 0, 0, 0, 0x2000]);
    expect(next(vcpu)).toBe('debug 1 eip 1');
    expect(vcpu.run.debug).toMatchObject({ exception: 1, dr6: (DR6_INIT | 0x2000) >>> 0, dr7: 0x2400 });
  });

  it('leave at INT1', () => {
    const vcpu = debugged('90f190', HARDWARE, {}, []);
    expect(next(vcpu)).toBe('debug 1 eip 1');
    expect(vcpu.run.debug.dr6).toBe(DR6_INIT);
  });

  it('leave the guest’s own single step over an IN to the guest', () => {
    const vcpu = debugged('e42190', HARDWARE, { eflags: TF | 2 }, [], {});
    vcpu.kvmRun();
    expect(vcpu.getRegs().eip).toBe(handlerEnd(1));
  });
});

describe('injection', () => {
  it.each([
    ['#DB without touching DR6', KVM_GUESTDBG_INJECT_DB, 1],
    ['#BP with the frame at EIP when no INT3 has left', KVM_GUESTDBG_INJECT_BP, 3],
  ])('%s (as /dev/kvm)', (_, control, vector) => {
    const { vm, vcpu } = realMachine('9090', {}, NO_DEVICES);
    expect(vcpu.setGuestDebug({ control: control | KVM_GUESTDBG_ENABLE })).toBe(0);
    vcpu.kvmRun();
    expect([vcpu.getRegs().eip, vcpu.getDebugregs().dr6]).toEqual([handlerEnd(vector), DR6_INIT]);
    expect(vm.memory.view.getUint16(0x7000 - 6, true)).toBe(CODE);
  });

  it('is −EBUSY while an exception waits, and needs no KVM_GUESTDBG_ENABLE (as /dev/kvm)', () => {
    const { vcpu } = realMachine('9090', {}, NO_DEVICES);
    expect(vcpu.setGuestDebug({ control: KVM_GUESTDBG_INJECT_DB })).toBe(0);
    expect(vcpu.setGuestDebug({ control: KVM_GUESTDBG_INJECT_BP })).toBe(-EBUSY);
    vcpu.kvmRun();
    expect(vcpu.getRegs().eip).toBe(handlerEnd(1));
  });
});

describe('KVM_GUESTDBG_BLOCKIRQ', () => {
  /** PIC with vector base 0x20, IRQ 0 raised, IF set. */
  function pending(control: number): Vcpu {
    const { vm, vcpu } = realMachine('9090', { eflags: IF | 2 });
    for (const [port, value] of [
      [0x20, 0x11],
      [0x21, 0x20],
      [0x21, 4],
      [0x21, 1],
      [0x21, 0xfe],
    ])
      vcpu.fn.kvmIoBusWrite(vm.buses[1], port ?? 0, 1, value ?? 0);
    vm.irqLine(0, 1);
    vcpu.setGuestDebug({ control });
    vcpu.tickLimit = 2;
    vcpu.kvmRun();
    return vcpu;
  }

  it('holds interrupts back', () => {
    expect(pending(KVM_GUESTDBG_ENABLE).getRegs().eip).not.toBe(CODE + 2);
    expect(pending(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_BLOCKIRQ).getRegs().eip).toBe(CODE + 2);
  });

  it('holds NMIs back until it is taken off', () => {
    const { vcpu } = realMachine('90909090', {}, NO_DEVICES);
    vcpu.setGuestDebug({ control: KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_BLOCKIRQ });
    vcpu.cpu.pendingNmi = 1;
    vcpu.tickLimit = 2;
    vcpu.kvmRun();
    expect(vcpu.getRegs().eip).toBe(CODE + 2);
    vcpu.setGuestDebug({ control: 0 });
    vcpu.tickLimit = 10;
    vcpu.kvmRun();
    expect(vcpu.getRegs().eip).toBe(handlerEnd(2));
  });
});

describe('arguments', () => {
  it('that KVM does not know are ignored (as /dev/kvm)', () => {
    const vcpu = debugged('9090', 0x4000_0009);
    expect(next(vcpu)).toBe(`exit ${KVM_EXIT_HLT} eip 3`);
  });

  it.each<[unknown]>([
    [{}],
    [{ control: -1 }],
    [{ control: 1.5 }],
    [{ control: '3' }],
    [{ control: 3, debugreg: 7 }],
    [{ control: 3, debugreg: [0, 0, 0, 0, 0, 0, 0, -1] }],
    [null],
    [undefined],
  ])('that are no kvm_guest_debug are −EINVAL: %j', (debug) => {
    const { vcpu } = realMachine('90', {}, NO_DEVICES);
    expect(vcpu.setGuestDebug(debug as KvmGuestDebug)).toBe(-EINVAL);
    expect(vcpu.guestDebug).toBe(0);
  });

  it.each([
    [{ flags: 1 }],
    [{ dr6: 2 ** 32 }],
    [{ dr7: 2 ** 32 }],
    [{ db: [0, 0, 0] }],
    [{ db: null }],
    [{ dr6: Number.NaN }],
  ])('of KVM_SET_DEBUGREGS beyond 32 bits, or flags, are −EINVAL: %j (as /dev/kvm)', (wrong) => {
    const { vcpu } = realMachine('90', {}, NO_DEVICES);
    const before = vcpu.getDebugregs();
    expect(vcpu.setDebugregs({ ...before, db: [1, 2, 3, 4], ...(wrong as object) })).toBe(-EINVAL);
    expect(vcpu.getDebugregs()).toEqual(before);
  });

  it('of KVM_SET_DEBUGREGS are kept without their fixed bits (as /dev/kvm)', () => {
    const { vcpu } = realMachine('90', {}, NO_DEVICES);
    expect(vcpu.setDebugregs({ db: [1, 2, 3, 0xffff_ffff], dr6: 0, dr7: 0, flags: 0 })).toBe(0);
    expect(vcpu.getDebugregs()).toEqual({ db: [1, 2, 3, 0xffff_ffff], dr6: 0, dr7: 0, flags: 0 });
  });
});

describe('breakpoints of the guest', () => {
  const own = (vcpu: Vcpu, address: number, dr7: number): void => {
    vcpu.setDebugregs({ db: [address, 0, 0, 0], dr6: DR6_INIT, dr7: 0x400 | dr7, flags: 0 });
  };

  it.each([
    ['OUT', 'e680'],
    ['OUTSB', '6e'],
    ['NOP', '90'],
  ])('stop it at %s, with the frame there (as /dev/kvm)', (_, code) => {
    const { vm, vcpu } = realMachine(`90${code}90`, { edx: 0x80 }, NO_DEVICES);
    own(vcpu, CODE + 1, 3);
    vcpu.kvmRun();
    expect([vcpu.getRegs().eip, vcpu.getDebugregs().dr6]).toEqual([handlerEnd(1), (DR6_INIT | 1) >>> 0]);
    expect(vm.memory.view.getUint16(0x7000 - 6, true)).toBe(CODE + 1);
  });

  it('let OUTSB pass with RF', () => {
    const { vcpu } = realMachine('6e90', { edx: 0x80, eflags: RF | 2 }, NO_DEVICES);
    own(vcpu, CODE, 3);
    expect(next(vcpu)).toBe('io 80 eip 1');
  });
});

describe('the interrupt shadow', () => {
  it('50: of STI is gone behind an OUT', () => {
    const { vcpu } = realMachine('fbe68090', {}, NO_DEVICES);
    expect(exitsOf(vcpu, 2)).toEqual(['io 80 eip 1', `exit ${KVM_EXIT_HLT} eip 5`]);
    expect(vcpu.cpu.interruptShadow).toBe(0);
  });
});

describe('I/O breakpoints on ports that exit', () => {
  const IO_60 = 0x2_0003;
  /** #DB's handler returns; the frame's IP of each #DB is counted through the LogBus order. */
  function traps(
    code: string,
    regs: object,
    ioBreakpoints: number,
    control = 0,
  ): { dr6: number; eip: number } {
    const { vm, vcpu } = realMachine(code, regs, NO_DEVICES);
    vcpu.userspace = new LogBus(vm);
    vcpu.ioBreakpoints = ioBreakpoints;
    const sregs = vcpu.getSregs();
    sregs.cr4 |= 8;
    vcpu.setSregs(sregs);
    vcpu.setDebugregs({ db: [0x60, 0, 0, 0], dr6: DR6_INIT, dr7: 0x400 | IO_60, flags: 0 });
    if (control !== 0) vcpu.setGuestDebug({ control });
    vcpu.kvmRun();
    const { eip } = vcpu.getRegs();
    const returned = vm.memory.view.getUint16(0x7000 - 6, true);
    return {
      dr6: (vcpu.getDebugregs().dr6 & 0xf) | (vcpu.getDebugregs().dr6 & BS),
      eip: eip === handlerEnd(1) ? returned - CODE : -1,
    };
  }

  it.each<[string, string, object, number]>([
    ['OUT', 'e66090', {}, 2],
    ['IN', 'e46090', {}, 2],
    ['OUTSB', '6e90', { edx: 0x60 }, 1],
    ['INSB', '6c90', { edx: 0x60, edi: 0x3000 }, 1],
    ['REP OUTSB, after the first element', 'f36e90', { edx: 0x60, ecx: 3 }, 0],
    ['REP INSB, after the first element', 'f36c90', { edx: 0x60, edi: 0x3000, ecx: 3 }, 0],
  ])('trap behind %s', (_, code, regs, eip) => {
    expect(traps(code, regs, 1)).toEqual({ dr6: 1, eip });
  });

  it('are one #DB with the single step', () => {
    expect(traps('e66090', { eflags: TF | 2 }, 1)).toEqual({ dr6: 1 | BS, eip: 2 });
  });

  it.each(['e66090', 'e46090', '6e90'])(
    'are lost as under KVM when ioBreakpoints is 0: %s (as /dev/kvm)',
    (code) => {
      expect(traps(code, { edx: 0x60 }, 0)).toEqual({ dr6: 0, eip: -1 });
    },
  );

  it('do not trap another port, nor REP with count 0', () => {
    expect(traps('e66190', {}, 1).eip).toBe(-1);
    expect(traps('f36e90', { edx: 0x60, ecx: 0 }, 1).eip).toBe(-1);
  });
});
