/** What holds interrupts back and for how long; NMI; the interrupt window. */
import { describe, expect, it } from 'vitest';
import {
  ACTIVITY_ACTIVE,
  ACTIVITY_HLT,
  KVM_X86_SHADOW_INT_MOV_SS,
  KVM_X86_SHADOW_INT_STI,
} from '../../../src/cpu/cpu.ts';
import { queueException } from '../../../src/cpu/exceptions.ts';
import { deliverInterrupt, interruptAllowed, nmiAllowed } from '../../../src/cpu/interrupts.ts';
import { X86_EFLAGS_IF } from '../../../src/cpu/registers.ts';
import {
  EXIT_REASON_EPT_VIOLATION,
  EXIT_REASON_HLT,
  EXIT_REASON_INTERRUPT_WINDOW,
  EXIT_REASON_IO_INSTRUCTION,
  EXIT_REASON_PREEMPTION_TIMER,
} from '../../../src/uapi/vmx.ts';
import { RAM_BYTES, TestCpu } from './driver.ts';

const NMI = 2;

/** Where the window opens: EIP at the exit. */
function windowAt(code: string, eflags: number): number {
  const test = new TestCpu().reset({ eflags, ss: 0x2000 }).poke('eip', code).poke('ds:1000', '00 20');
  test.cpu.interruptWindowExiting = 1;
  expect(test.run(20)).toBe(EXIT_REASON_INTERRUPT_WINDOW);
  return test.state.eip;
}

describe('the interrupt window', () => {
  it.each<[string, string, number, number]>([
    ['is open at once with IF set', '90', X86_EFLAGS_IF, 0x100],
    ['opens one instruction after STI', '90 fb 90 90', 0, 0x103],
    ['opens after STI; STI as after one', 'fb fb 90', 0, 0x102],
    ['stays shut over STI; CLI', 'fb fa 90 fb 90', 0, 0x105],
    ['opens behind the REP iteration after STI', 'fb f3 a4', 0, 0x101],
    ['opens right after POPF', '6a 00 68 00 02 9d 90', 0, 0x106],
  ])('%s', (_, code, eflags, eip) => {
    expect(windowAt(code, eflags)).toBe(eip);
  });

  it.each<[string, string, number]>([
    ['opens one instruction after MOV SS', '8e d0 90 90', 0x103],
    ['opens after MOV SS; MOV SS as after one', '8e d0 8e d0 90', 0x104],
    ['opens one instruction after POP SS', '17 90 90', 0x102],
    ['opens after POP SS; MOV SS as after one', '17 8e d0 90', 0x103],
    ['opens after MOV SS; NOP; MOV SS; NOP at the first NOP', '8e d0 90 8e d0 90', 0x103],
    ['opens right after LSS', '0f b2 27 90', 0x103],
    ['opens right after MOV DS', '8e d8 90', 0x102],
  ])('%s', (_, code, eip) => {
    // IF is set by the first instruction's shadow being the only thing in the way.
    const test = new TestCpu().reset({ eax: 0x4000, ebx: 0x1000, eflags: X86_EFLAGS_IF });
    test.poke('eip', code).poke('ss:1000', '00 40').poke('ds:1000', '00 10 00 40');
    test.run(1);
    test.cpu.interruptWindowExiting = 1;
    expect(test.run(20)).toBe(EXIT_REASON_INTERRUPT_WINDOW);
    expect(test.state.eip).toBe(eip);
  });

  it('is asked for at the boundary only, and the budget still counts', () => {
    const test = new TestCpu().reset({}).poke('eip', '90 90 90');
    test.cpu.interruptWindowExiting = 1;
    expect(test.run(2)).toBe(EXIT_REASON_PREEMPTION_TIMER);
    expect(test.state.eip).toBe(0x102);
  });

  it('does not open under an exception that waits', () => {
    const test = new TestCpu().reset({ eflags: X86_EFLAGS_IF });
    queueException(test.cpu, 13, 0);
    expect(interruptAllowed(test.cpu)).toBe(false);
    expect(nmiAllowed(test.cpu)).toBe(false);
    test.cpu.interruptWindowExiting = 1;
    expect(test.run(0)).toBe(EXIT_REASON_PREEMPTION_TIMER);
    expect(test.vector).toBe(13);
  });

  it('does not open under a single-step trap that waits', () => {
    const test = new TestCpu().reset({ eflags: X86_EFLAGS_IF });
    test.cpu.pendingDebugTrap = 1;
    expect(interruptAllowed(test.cpu)).toBe(false);
    expect(nmiAllowed(test.cpu)).toBe(false);
  });
});

describe('the shadow', () => {
  it('survives the end of a budget', () => {
    const test = new TestCpu().reset({}).poke('eip', 'fb 90');
    test.run(1);
    expect(test.cpu.interruptShadow).toBe(KVM_X86_SHADOW_INT_STI);
    expect(interruptAllowed(test.cpu)).toBe(false);
    test.run(0);
    expect(test.cpu.interruptShadow).toBe(KVM_X86_SHADOW_INT_STI);
    test.run(1);
    expect(interruptAllowed(test.cpu)).toBe(true);
  });

  it.each<[string, string, number]>([
    ['HLT', 'fb f4', EXIT_REASON_HLT],
    ['OUT', 'fb e6 80', EXIT_REASON_IO_INSTRUCTION],
    ['an access to MMIO', 'fb 26 a0 00 00', EXIT_REASON_EPT_VIOLATION],
  ])('is still there when %s behind STI leaves the CPU', (_, code, reason) => {
    const test = new TestCpu().reset({}).poke('eip', code);
    test.cpu.segBase[0] = RAM_BYTES;
    expect(test.run(10)).toBe(reason);
    expect(test.state.eip).toBe(0x101);
    expect(test.cpu.interruptShadow).toBe(KVM_X86_SHADOW_INT_STI);
    expect(test.cpu.retired).toBe(1);
  });

  it('ends with a fault', () => {
    const test = new TestCpu().reset({ eax: 0x4000 }).poke('eip', '8e d0 0f 0b');
    test.run(1);
    expect(test.cpu.interruptShadow).toBe(KVM_X86_SHADOW_INT_MOV_SS);
    test.run(1);
    expect(test.vector).toBe(6);
    expect(test.cpu.interruptShadow).toBe(0);
  });

  it('is not made by STI when IF was set', () => {
    const test = new TestCpu().reset({ eflags: X86_EFLAGS_IF }).poke('eip', 'fb');
    test.run(1);
    expect(interruptAllowed(test.cpu)).toBe(true);
  });
});

describe('an interrupt', () => {
  it('pushes the IP of the next instruction, clears IF and ends HLT', () => {
    const test = new TestCpu().reset({ eflags: X86_EFLAGS_IF });
    test.cpu.activityState = ACTIVITY_HLT;
    deliverInterrupt(test.cpu, 0x20);
    expect(test.cpu.activityState).toBe(ACTIVITY_ACTIVE);
    expect(test.vector).toBe(0x20);
    expect(test.frame).toEqual({ ip: 0x100, cs: 0x1000, flags: X86_EFLAGS_IF | 2 });
    expect(test.state.eflags).toBe(2);
  });

  it('between REP iterations finds EIP at the first prefix and registers to go on with', () => {
    const test = new TestCpu().reset({ ecx: 5, eflags: X86_EFLAGS_IF }).poke('eip', '26 f3 a4 90');
    test.poke('es:0020', '01 02 03 04 05');
    expect(test.run(2)).toBe(EXIT_REASON_PREEMPTION_TIMER);
    expect(test.state).toMatchObject({ ecx: 3, esi: 0x7777_0022, edi: 0x8888_0042, eip: 0x100 });
    deliverInterrupt(test.cpu, 0x20);
    expect(test.frame.ip).toBe(0x100);
    test.poke(0x520, 'cf');
    test.run(1);
    test.run(4);
    expect(test.state).toMatchObject({ ecx: 0, esi: 0x7777_0025, edi: 0x8888_0045, eip: 0x103 });
    expect(test.peek('es:0040', 6)).toBe('01 02 03 04 05 00');
  });

  it('in a repeated compare leaves the flags of the last iteration', () => {
    const test = new TestCpu().reset({ ecx: 5, eflags: X86_EFLAGS_IF | 0xd5 }).poke('eip', 'f2 ae');
    test.poke('es:0040', 'ff ff ff ff ff').run(2);
    deliverInterrupt(test.cpu, 0x20);
    // a2 − ff = a3: CF, AF, SF, PF
    expect(test.frame.flags).toBe(X86_EFLAGS_IF | 2 | 0x95);
  });
});

describe('NMI', () => {
  it('goes through vector 2 whatever IF says, and wakes HLT', () => {
    const test = new TestCpu().reset({});
    test.cpu.activityState = ACTIVITY_HLT;
    expect(test.run(1)).toBe(EXIT_REASON_HLT);
    test.cpu.pendingNmi = 1;
    expect(test.run(0)).toBe(EXIT_REASON_PREEMPTION_TIMER);
    expect(test.vector).toBe(NMI);
    expect(test.cpu.pendingNmi).toBe(0);
  });

  it.each([
    ['MOV SS', '8e d0 90 90', 0x103],
    ['STI', 'fb 90 90', 0x102],
  ])('waits for the instruction behind %s', (_, code, ip) => {
    const test = new TestCpu().reset({ eax: 0x4000 }).poke('eip', code);
    test.run(1);
    test.cpu.pendingNmi = 1;
    test.run(1);
    expect(test.vector).toBe(NMI);
    expect(test.frame.ip).toBe(ip);
  });

  it('is held back in its own handler until IRET', () => {
    const test = new TestCpu().reset({}).poke('eip', '90 90').poke(0x502, '90 cf');
    test.cpu.pendingNmi = 1;
    test.run(0);
    test.cpu.pendingNmi = 1;
    test.run(1);
    expect(test.state).toMatchObject({ cs: 0x50, eip: 3 });
    test.run(1);
    expect(test.state).toMatchObject({ cs: 0x50, eip: 2, esp: 0x5555_0ffa });
    expect(test.cpu.pendingNmi).toBe(0);
  });
});
