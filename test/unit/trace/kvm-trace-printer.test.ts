import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../src/bus/clock.ts';
import { Cpu } from '../../../src/cpu/cpu.ts';
import { GuestMemory } from '../../../src/cpu/memory.ts';
import { AR_REAL_CODE } from '../../../src/cpu/registers.ts';
import { SEG_CS } from '../../../src/decoder/insn.ts';
import { AccessCounter } from '../../../src/trace/access-counter.ts';
import { parseTraceEvents } from '../../../src/trace/events.ts';
import { KvmTracePrinter, lineSinkOf } from '../../../src/trace/kvm-trace-printer.ts';
import { TracepointFan } from '../../../src/trace/tracepoint-fan.ts';

const NAMES = {
  nameOf: (port: number) => (port === 0x43 ? 'timer0' : null),
  deviceOf: (port: number) => (port === 0x43 ? 'i8254' : null),
};

/** A processor at 0100:0010 = 0x1010 with `code` there, 130 ns after the start. */
function printer(code: number[], events: string) {
  const memory = new GuestMemory();
  memory.addSlot(0, 0, new Uint8Array(0x10000), false);
  memory.write(0x1010, Uint8Array.from(code));
  const cpu = new Cpu(memory);
  cpu.setSegment(SEG_CS, 0x100, 0x1000, 0xffff, AR_REAL_CODE);
  cpu.eip = 0x10;
  cpu.cr0 = 0x10;
  const clock = new VirtualClock();
  clock.advance(13);
  let text = '';
  const sink = lineSinkOf((line) => {
    text += line;
  });
  const trace = new KvmTracePrinter({ cpu, memory, clock }, NAMES, parseTraceEvents(events), sink);
  return { trace, cpu, memory, clock, text: () => text };
}

describe('KvmTracePrinter', () => {
  it("prints time, CS:IP, KVM's text, the instruction, the port and the control word", () => {
    const { trace, text } = printer([0xe6, 0x43], 'all');
    trace.kvm_pio(true, 0x43, 1, 1, 0x34);
    expect(text()).toBe(
      '[0.000000130] 0100:0010  kvm_pio: pio_write at 0x43 size 1 count 1 val 0x34  | out 0x43,al ; timer0 (i8254): counter 0, lobyte/hibyte, mode 2\n',
    );
  });

  it('keeps nine decimals across microseconds and seconds', () => {
    const { trace, clock, text } = printer([0xe6, 0x43], 'kvm_entry');
    for (const ticks of [0, 86, 1, 99_999_899, 1]) {
      clock.advance(ticks);
      trace.kvm_entry(0x10);
    }
    expect([...text().matchAll(/\[([\d.]+)\]/g)].map(([, time]) => time)).toEqual([
      '0.000000130',
      '0.000000990',
      '0.000001000',
      '0.999999990',
      '1.000000000',
    ]);
  });

  it('names the port of an I/O exit, and says when nobody claims it', () => {
    const { trace, text } = printer([0xec], 'kvm_exit');
    trace.kvm_exit(30, 0x10, 0x1234_0008, 0);
    expect(text()).toMatch(/ \| in al,dx ; port 0x1234 \(unclaimed\)\n$/);
  });

  it('shows the OUT at an exit to userspace although the emulator has moved RIP on', () => {
    const { trace, cpu, text } = printer([0xe6, 0x43, 0x90], 'kvm_userspace_exit');
    trace.kvm_exit(30, 0x10, 0x0043_0040, 0);
    cpu.eip = 0x12;
    trace.kvm_userspace_exit(2, 0);
    expect(text()).toBe(
      '[0.000000130] 0100:0012  kvm_userspace_exit: reason KVM_EXIT_IO (2) | out 0x43,al\n',
    );
  });

  it('prints only the chosen events', () => {
    const { trace, text } = printer([0xec], 'kvm_set_irq');
    trace.kvm_entry(0x10);
    trace.kvm_exit(30, 0x10, 0, 0);
    trace.kvm_pio(false, 0x43, 1, 1, 0);
    trace.kvm_userspace_exit(2, 0);
    trace.kvm_emulate_insn(0, 0, Uint8Array.of(0xec), false);
    trace.kvm_inj_exception(13, true, 0);
    trace.kvm_inj_virq(8);
    trace.kvm_pic_set_irq(0, 0, 0, 0, false);
    trace.kvm_ack_irq(0, 0);
    expect(text()).toBe('');
    trace.kvm_set_irq(0, 1, 2);
    expect(text()).toBe('[0.000000130] 0100:0010  kvm_set_irq: gsi 0 level 1 source 2\n');
  });

  it('prints every event when all are chosen', () => {
    const { trace, text } = printer([0x6e], 'all');
    trace.kvm_entry(0x10);
    trace.kvm_userspace_exit(2, 0);
    trace.kvm_emulate_insn(0x1000, 0x10, Uint8Array.of(0x6e), false);
    trace.kvm_inj_exception(13, true, 0);
    trace.kvm_inj_virq(8);
    trace.kvm_pic_set_irq(0, 0, 0, 0, false);
    trace.kvm_ack_irq(0, 0);
    expect(text().replace(/^\[0\.000000130\] 0100:0010 {2}/gm, '')).toBe(
      [
        'kvm_entry: vcpu 0, rip 0x10',
        'kvm_userspace_exit: reason KVM_EXIT_IO (2) | outsb',
        'kvm_emulate_insn: 1000:10:6e (real) | outsb',
        'kvm_inj_exception: #GP (0x0) | outsb',
        'kvm_inj_virq: IRQ 0x8',
        'kvm_pic_set_irq: chip 0 pin 0 (edge)',
        'kvm_ack_irq: irqchip PIC master pin 0',
        '',
      ].join('\n'),
    );
  });

  it('disassembles again after the guest changed the instruction', () => {
    const { trace, memory, text } = printer([0xe6, 0x43], 'kvm_pio');
    trace.kvm_pio(true, 0x43, 1, 1, 0);
    memory.write(0x1010, Uint8Array.of(0xe4));
    trace.kvm_pio(false, 0x43, 1, 1, 0);
    expect(text().split('\n')[1]).toContain(' | in al,0x43 ; timer0');
  });

  it('prints seconds, and an EIP above 0xffff in eight digits', () => {
    const { trace, cpu, clock, text } = printer([0x90], 'kvm_entry');
    clock.advance(200_000_000);
    cpu.eip = 0x10000;
    trace.kvm_entry(0x10000);
    expect(text()).toBe('[2.000000130] 0100:00010000  kvm_entry: vcpu 0, rip 0x10000\n');
  });
});

describe('AccessCounter', () => {
  it('counts elements and bytes by port and direction', () => {
    const counter = new AccessCounter();
    const { trace } = printer([0x90], 'kvm_entry');
    const fan = new TracepointFan(trace, counter);
    fan.kvm_pio(true, 0x80, 1, 1, 0);
    fan.kvm_pio(false, 0x80, 2, 512, 0);
    fan.kvm_pio(true, 0x40, 1, 1, 0);
    fan.kvm_exit(30, 0, 0, 0);
    expect(counter.ports()).toEqual([
      { port: 0x40, in: { count: 0, bytes: 0 }, out: { count: 1, bytes: 1 } },
      { port: 0x80, in: { count: 512, bytes: 1024 }, out: { count: 1, bytes: 1 } },
    ]);
  });
});
