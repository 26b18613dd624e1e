/** Delivery through the IVT, and faults while a fault is delivered. */
import { describe, expect, it } from 'vitest';
import { ACTIVITY_SHUTDOWN } from '../../../src/cpu/cpu.ts';
import { queueException } from '../../../src/cpu/exceptions.ts';
import { deliverInterrupt } from '../../../src/cpu/interrupts.ts';
import { SEG_SS } from '../../../src/decoder/insn.ts';
import { EXIT_REASON_PREEMPTION_TIMER, EXIT_REASON_TRIPLE_FAULT } from '../../../src/uapi/vmx.ts';
import { check, RAM_BYTES, rows, TestCpu } from './driver.ts';

const UD = 6;
const DF = 8;
const SS = 12;
const GP = 13;

describe('the pushed IP', () => {
  it.each(
    rows([
      { asm: 'a fault points at the first prefix', code: '26 66 f0 0f 0b', fault: UD },
      { asm: 'a trap points behind the instruction', code: '26 66 cc', trap: 3 },
      {
        asm: 'a fault clears IF, TF and AC and pushes them',
        code: '0f 0b',
        in: { eflags: 0x4_0a02 },
        fault: UD,
      },
      {
        asm: 'a fault of an instruction above 64 KiB is cut to 16 bits',
        code: '0f 0b',
        in: { eip: 0x1_2345, limits: { cs: 0xf_ffff } },
        fault: UD,
      },
    ]),
  )('%s', (_, row) => {
    check(row);
  });

  it('wraps the frame around SP 0', () => {
    check({ asm: 'ud2', code: '0f 0b', in: { esp: 0x5555_0000 }, fault: UD });
    const test = new TestCpu().reset({ esp: 4 }).poke('eip', '0f 0b');
    test.run(1);
    expect(test.vector).toBe(UD);
    expect(test.state.esp).toBe(0xfffe);
    expect([test.word('ss:0002'), test.word('ss:0000'), test.word('ss:fffe')]).toEqual([2, 0x1000, 0x100]);
  });

  it('pushes through a 32-bit stack pointer when SS.B is set', () => {
    const test = new TestCpu().reset({ esp: 0x1_0002, limits: { ss: 0xf_ffff } }).poke('eip', '0f 0b');
    test.cpu.segAttr[SEG_SS] |= 0x4000;
    test.run(1);
    expect(test.state.esp).toBe(0xfffc);
    expect(test.word('ss:fffc')).toBe(0x100);
  });
});

describe('the IDT', () => {
  it('lies where IDTR says', () => {
    const test = new TestCpu()
      .reset({})
      .poke('eip', 'cd 03')
      .poke(0x8000 + 12, '10 00 50 00');
    test.cpu.idtBase = 0x8000;
    test.run(1);
    expect(test.state).toMatchObject({ cs: 0x50, eip: 0x10 });
  });

  it('reaches across the end of the A20 mask', () => {
    const test = new TestCpu().reset({}).poke('eip', 'cd 03').poke(12, '20 00 50 00');
    test.cpu.idtBase = 0x10_0000;
    test.cpu.a20Mask = ~0x10_0000;
    test.run(1);
    expect(test.state).toMatchObject({ cs: 0x50, eip: 0x20 });
  });

  it.each([
    ['holds a vector whose last byte is at the limit', 0x21 * 4 + 3, 0x21, 0x102],
    ['lacks a vector whose last byte is beyond it: #GP with the IP of the INT', 0x21 * 4 + 2, GP, 0x100],
  ])('%s', (_, limit, vector, ip) => {
    const test = new TestCpu().reset({}).poke('eip', 'cd 21');
    test.cpu.idtLimit = limit;
    test.run(1);
    expect(test.vector).toBe(vector);
    expect(test.frame.ip).toBe(ip);
  });
});

describe('a fault while an event is delivered', () => {
  /** Makes everything from `vector` on unreachable. */
  const limited = (code: string, vectors: number, state = {}): TestCpu => {
    const test = new TestCpu().reset(state).poke('eip', code);
    test.cpu.idtLimit = vectors * 4 - 1;
    return test;
  };

  it('of an interrupt is delivered on its own', () => {
    const test = limited('90', 14);
    deliverInterrupt(test.cpu, 0x20);
    expect(test.vector).toBe(GP);
    expect(test.frame.ip).toBe(0x100);
  });

  it('makes a double fault of two contributory exceptions', () => {
    // #GP (13) is beyond the limit, #DF (8) is not.
    const test = limited('8b 07', 9, { ebx: 0xffff });
    test.run(1);
    expect(test.vector).toBe(DF);
    expect(test.frame.ip).toBe(0x100);
  });

  it('is a double fault after #GP, whatever it is', () => {
    const test = limited('cd 30', 9);
    test.run(1);
    // INT 30H → #GP → the #GP of that → #DF
    expect(test.vector).toBe(DF);
    expect(test.frame.ip).toBe(0x100);
  });

  it.each([1, 3, 5])('is a triple fault with SP %i, and leaves everything as it was', (sp) => {
    const test = new TestCpu().reset({ esp: sp }).poke('eip', '40 cd 21');
    const ram = test.memory.ram.slice();
    expect(test.run(10)).toBe(EXIT_REASON_TRIPLE_FAULT);
    expect(test.cpu.activityState).toBe(ACTIVITY_SHUTDOWN);
    expect(test.state).toMatchObject({ esp: sp, cs: 0x1000, eip: 0x101 });
    expect(Buffer.compare(test.memory.ram, ram)).toBe(0);
    expect(test.run(10)).toBe(EXIT_REASON_TRIPLE_FAULT);
    expect(test.cpu.retired).toBe(0);
  });

  it.each([0, 2])('counts the tick of a fault that ends in a shutdown (IDT of %i vectors)', (vectors) => {
    const test = limited('40 0f 0b', vectors);
    expect(test.run(10)).toBe(EXIT_REASON_TRIPLE_FAULT);
    expect(test.cpu.retired).toBe(2);
  });
});

describe('a queued exception', () => {
  it('is delivered at the next entry, before an instruction runs', () => {
    const test = new TestCpu().reset({}).poke('eip', '40');
    queueException(test.cpu, SS, 0);
    expect(test.run(0)).toBe(EXIT_REASON_PREEMPTION_TIMER);
    expect(test.cpu.retired).toBe(0);
    expect(test.vector).toBe(SS);
    expect(test.frame).toEqual({ ip: 0x100, cs: 0x1000, flags: 2 });
    expect(test.state.eax).toBe(0x1111_a1a2);
  });
});

describe('a stack or vector table outside memory', () => {
  it('swallows the frame, and the vector reads as ones', () => {
    const test = new TestCpu().reset({ esp: 0x1000 }).poke('eip', 'cd 21');
    const { cpu } = test;
    cpu.setSegment(SEG_SS, 0, RAM_BYTES, 0xffff, cpu.segAttr[SEG_SS]);
    test.run(1);
    expect(test.state).toMatchObject({ esp: 0xffa, cs: 0x50, eip: 0x21 });
    test.reset({}).poke('eip', 'cd 21');
    cpu.idtBase = RAM_BYTES;
    test.run(1);
    expect(test.state).toMatchObject({ cs: 0xffff, eip: 0xffff });
  });
});
