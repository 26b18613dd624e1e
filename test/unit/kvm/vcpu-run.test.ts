import { describe, expect, it } from 'vitest';
import { orThrow } from '../../../src/kvm/or-throw.ts';
import { EINTR } from '../../../src/uapi/errno.ts';
import { KVM_EXIT_HLT, KVM_EXIT_INTR, KVM_EXIT_IO } from '../../../src/uapi/kvm.ts';
import { EXIT_REASON_HLT, EXIT_REASON_IO_INSTRUCTION } from '../../../src/uapi/vmx.ts';
import { CODE, handlerEnd, LogBus, realMachine, STACK, TraceLog } from './real-machine.ts';

const IF = 0x200;
const TF = 0x100;
/** Initialises the master PIC: ICW1–ICW4 with vector base 0x20, all but IRQ 0 masked. */
const PIC_INIT = 'b011e620b020e621b004e621b001e621b0fee621';
/** PIT channel 0, mode 2, count 0x0400 (858 µs). */
const PIT_START = 'b034e64330c0e640b004e640';

describe('tickLimit', () => {
  it('ends the call with −EINTR at exactly that tick', () => {
    const { vm, vcpu } = realMachine('ebfe', {}, { devices: false });
    vcpu.tickLimit = 1000;
    expect([vcpu.kvmRun(), vcpu.run.exit_reason, vm.clock.ticks]).toEqual([-EINTR, KVM_EXIT_INTR, 1000]);
    expect([vcpu.kvmRun(), vm.clock.ticks, vcpu.instructions]).toEqual([-EINTR, 1000, 1000]);
    vcpu.tickLimit = 1500;
    expect([vcpu.kvmRun(), vm.clock.ticks]).toEqual([-EINTR, 1500]);
  });

  it('shows neither in the trace nor in the exit counts', () => {
    const { vcpu } = realMachine('9090909090');
    const trace = new TraceLog();
    vcpu.trace = trace;
    for (let limit = 1; limit <= 6; limit++) {
      vcpu.tickLimit = limit;
      vcpu.kvmRun();
    }
    vcpu.tickLimit = Number.POSITIVE_INFINITY;
    vcpu.kvmRun();
    expect(trace.lines).toEqual([
      `entry ${CODE.toString(16)}`,
      `exit ${EXIT_REASON_HLT} ${(CODE + 5).toString(16)} 0`,
      `userspace ${KVM_EXIT_HLT} 0`,
    ]);
    expect(vcpu.stat.exits).toBe(1);
  });
});

describe('requestStop', () => {
  it('finishes the access, then returns −EINTR before the next instruction', () => {
    const { vm, vcpu } = realMachine('e4804040', { eax: 0 });
    const bus = new LogBus(vm, [5]);
    bus.onAccess = () => vcpu.requestStop();
    vcpu.userspace = bus;
    expect([vcpu.kvmRun(), vcpu.run.exit_reason]).toEqual([-EINTR, KVM_EXIT_INTR]);
    expect(vcpu.getRegs()).toMatchObject({ eax: 5, eip: CODE + 2 });
    expect([vcpu.kvmRun(), vcpu.getRegs().eax]).toEqual([0, 7]);
  });

  it('before a call ends that call at once', () => {
    const { vcpu } = realMachine('40');
    vcpu.requestStop();
    expect([vcpu.kvmRun(), vcpu.getRegs().eip]).toEqual([-EINTR, CODE]);
    expect([vcpu.kvmRun(), vcpu.run.exit_reason]).toEqual([0, KVM_EXIT_HLT]);
  });
});

describe('HLT with an in-kernel irqchip', () => {
  const WAIT = `${PIC_INIT}${PIT_START}fbf4ebfd`;

  function waiting(code = WAIT): ReturnType<typeof realMachine> {
    const machine = realMachine(code, { eax: 0 });
    const { vm } = machine;
    // Vector 0x20: mov al,0x20; out 0x20,al; inc bx; iret
    vm.memory.write(0x600 + 4 * 0x20, Uint8Array.of(0xe9, 0x7d, 0x08));
    vm.memory.write(0x600 + 4 * 0x20 + 3 + 0x87d, Uint8Array.of(0xb0, 0x20, 0xe6, 0x20, 0x43, 0xcf));
    return machine;
  }

  it('skips idle time to the timer interrupt, and counts no instructions for it', () => {
    const { vm, vcpu } = waiting();
    vcpu.tickLimit = 1_000_000;
    const { ebx } = vcpu.getRegs();
    vcpu.kvmRun();
    expect(vcpu.getRegs().ebx - ebx).toBeGreaterThanOrEqual(2);
    expect(vcpu.instructions).toBeLessThan(100);
    expect(vm.clock.ticks).toBe(1_000_000);
    expect(vcpu.stat.irq_injections).toBe(vcpu.getRegs().ebx - ebx);
  });

  it('is KVM_EXIT_HLT with IF = 0', () => {
    const { vm, vcpu } = waiting(`${PIC_INIT}${PIT_START}faf4`);
    expect([vcpu.kvmRun(), vcpu.run.exit_reason]).toEqual([0, KVM_EXIT_HLT]);
    expect(vm.clock.ticks).toBe(vcpu.instructions);
  });

  it('is KVM_EXIT_HLT with no alarm set, until userspace raises a line', () => {
    const { vm, vcpu } = realMachine(`${PIC_INIT}b0ffe621b0efe621fbf440`, { eax: 0 });
    expect([vcpu.kvmRun(), vcpu.run.exit_reason]).toEqual([0, KVM_EXIT_HLT]);
    expect([vcpu.run.if_flag, vcpu.run.ready_for_interrupt_injection]).toEqual([1, 1]);
    vm.irqLine(4, 1);
    expect([vcpu.kvmRun(), vcpu.run.exit_reason]).toEqual([0, KVM_EXIT_HLT]);
    expect(vcpu.getRegs().eip).toBe(handlerEnd(0x24));
    expect(vcpu.stat.irq_injections).toBe(1);
  });

  it('gives up after very many alarms that wake nobody', () => {
    const { vm, vcpu } = realMachine(`${PIC_INIT}b0ffe621fbf4`);
    let fired = 0;
    const alarm = vm.clock.createAlarm(() => {
      fired++;
      alarm.set(vm.clock.nowNs + 100);
    });
    alarm.set(100);
    expect([vcpu.kvmRun(), vcpu.run.exit_reason]).toEqual([-EINTR, KVM_EXIT_INTR]);
    expect(fired).toBeGreaterThanOrEqual(10_000);
    expect(fired).toBeLessThan(10_010);
  });

  it('wakes for a single-step trap of its own', () => {
    const { vcpu } = realMachine('f4', { eflags: TF | 2 });
    vcpu.kvmRun();
    expect(vcpu.getRegs().eip).toBe(handlerEnd(1));
    expect([...vcpu.kvm.memory.read(STACK - 6, 2)]).toEqual([(CODE + 1) & 0xff, CODE >> 8]);
  });
});

describe('interrupts', () => {
  it('wait for the instruction after STI', () => {
    const { vm, vcpu } = realMachine('fb4040');
    vm.irqLine(4, 1);
    vcpu.kvmRun();
    expect([...vm.memory.read(STACK - 6, 2)]).toEqual([(CODE + 2) & 0xff, CODE >> 8]);
    expect(vcpu.getRegs().eip).toBe(handlerEnd(4));
    expect([vcpu.stat.irq_window_exits, vcpu.stat.irq_injections]).toEqual([1, 1]);
  });

  it('come after a queued single-step trap', () => {
    const { vm, vcpu } = realMachine('e44090', { eflags: IF | TF | 2 });
    vm.irqLine(4, 1);
    // The first instruction is still to come: hold the interrupt back for it.
    vcpu.cpu.interruptShadow = 2;
    vcpu.kvmRun();
    expect(vcpu.getRegs().eip).toBe(handlerEnd(1));
  });

  it('of a level line are injected again while it is held', () => {
    const { vm, vcpu } = realMachine('ebfe', { eflags: IF | 2 });
    vm.setIrqchip(0, { ...orThrow(vm.getIrqchip(0), 'KVM_GET_IRQCHIP'), irq_base: 0x20, elcr: 0x20 });
    vm.irqLine(5, 1);
    // Handler of vector 0x25: mov al,0x20; out 0x20,al; inc bx; cmp bl,3; je +1; iret; hlt
    vm.memory.write(4 * 0x25, Uint8Array.of(0x00, 0x20, 0, 0));
    vm.memory.write(0x2000, Uint8Array.of(0xb0, 0x20, 0xe6, 0x20, 0x43, 0x80, 0xfb, 3, 0x74, 1, 0xcf, 0xf4));
    vcpu.setRegs({ ...vcpu.getRegs(), ebx: 0 });
    vcpu.kvmRun();
    expect([vcpu.getRegs().ebx, vcpu.stat.irq_injections]).toEqual([3, 3]);
  });
});

describe('the trace', () => {
  const at = (offset: number): string => (CODE + offset).toString(16);

  it('of an OUT to userspace: exit, pio, userspace exit; the entry on the next run', () => {
    const { vcpu } = realMachine('e680', { eax: 0xff }, { devices: false });
    const trace = new TraceLog();
    vcpu.trace = trace;
    vcpu.kvmRun();
    vcpu.kvmRun();
    expect(trace.lines).toEqual([
      `entry ${at(0)}`,
      `exit ${EXIT_REASON_IO_INSTRUCTION} ${at(0)} 800040`,
      'pio_write 80 1 1 ff',
      `userspace ${KVM_EXIT_IO} 0`,
      `entry ${at(2)}`,
      `exit ${EXIT_REASON_HLT} ${at(2)} 0`,
      `userspace ${KVM_EXIT_HLT} 0`,
    ]);
  });

  it('of an IN from userspace: exit, userspace exit; pio, entry on the next run', () => {
    const { vcpu } = realMachine('e580', {}, { devices: false });
    const trace = new TraceLog();
    vcpu.trace = trace;
    vcpu.kvmRun();
    vcpu.run.pioData.set([0x34, 0x12]);
    vcpu.kvmRun();
    expect(trace.lines.slice(0, 5)).toEqual([
      `entry ${at(0)}`,
      `exit ${EXIT_REASON_IO_INSTRUCTION} ${at(0)} 800049`,
      `userspace ${KVM_EXIT_IO} 0`,
      'pio_read 80 2 1 1234',
      `entry ${at(2)}`,
    ]);
  });

  it('of a kernel device: exit, pio, entry', () => {
    const { vcpu } = realMachine('e621e421', { eax: 0x55 });
    const trace = new TraceLog();
    vcpu.trace = trace;
    vcpu.kvmRun();
    expect(trace.lines.slice(0, 7)).toEqual([
      `entry ${at(0)}`,
      `exit ${EXIT_REASON_IO_INSTRUCTION} ${at(0)} 210040`,
      'pio_write 21 1 1 55',
      `entry ${at(2)}`,
      `exit ${EXIT_REASON_IO_INSTRUCTION} ${at(2)} 210048`,
      'pio_read 21 1 1 55',
      `entry ${at(4)}`,
    ]);
  });

  it('of a string: exit, emulate_insn, pio for each element', () => {
    const { vcpu } = realMachine('f36e', { ecx: 2, edx: 0x43, esi: 0x500 });
    const trace = new TraceLog();
    vcpu.trace = trace;
    vcpu.kvmRun();
    expect(trace.lines.slice(0, 6)).toEqual([
      `entry ${at(0)}`,
      `exit ${EXIT_REASON_IO_INSTRUCTION} ${at(0)} 430030`,
      `emulate 0:${at(0)} f36e`,
      'pio_write 43 1 1 0',
      'pio_write 43 1 1 0',
      `entry ${at(0)}`,
    ]);
  });

  it('of a machine with a board is that of an embedder who answers from the board', () => {
    const lines = [true, false].map((hasBoard) => {
      const { vm, vcpu } = realMachine('e680e580bb0000f36c', { ecx: 2 }, { devices: false });
      const trace = new TraceLog();
      vcpu.trace = trace;
      if (hasBoard) vcpu.userspace = new LogBus(vm, [1, 2, 3, 4]);
      while (vcpu.kvmRun() === 0 && vcpu.run.exit_reason === KVM_EXIT_IO) vcpu.run.pioData.fill(1);
      return trace.lines.map((line) => line.replace(/^(pio_read .*) \w+$/, '$1'));
    });
    expect(lines[0]).toEqual(lines[1]);
    expect(lines[0].length).toBeGreaterThan(12);
  });

  it('shows an interrupt from the line to the injection', () => {
    const { vm, vcpu } = realMachine('', { eflags: IF | 2 });
    const trace = new TraceLog();
    vcpu.trace = trace;
    vm.irqLine(4, 1);
    vcpu.kvmRun();
    expect(trace.lines.slice(0, 5)).toEqual([
      'set_irq 4 1 0',
      'ioapic_set_irq 4 10000',
      'pic_set_irq 0 4',
      'virq 4',
      'entry 610',
    ]);
  });

  it('can be detached again, and then nothing is observed', () => {
    const { vm, vcpu } = realMachine('e680');
    const trace = new TraceLog();
    vcpu.trace = trace;
    expect(vcpu.observed).toBe(1);
    vm.setTracepoints(null);
    expect([vcpu.trace, vcpu.observed]).toEqual([null, 0]);
    vcpu.userspace = new LogBus(vm);
    vcpu.kvmRun();
    vm.irqLine(4, 1);
    expect(trace.lines).toEqual([]);
  });
});
