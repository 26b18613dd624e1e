import { describe, expect, it } from 'vitest';
import { SEG_CS } from '../../../src/decoder/insn.ts';
import {
  CODE,
  CODE_XR,
  CODE0,
  CODE3,
  DATA0,
  DATA3,
  descriptor,
  FREE,
  gate,
  HANDLERS,
  ProtectedCpu,
  STACK,
  STACK0,
  TSS,
} from './protected-driver.ts';

const GP = 13;
const VM = 1 << 17;
const IF = 1 << 9;
const IOPL3 = 3 << 12;
const VIF = 1 << 19;
const VIP = 1 << 20;

/** Puts dwords on the present stack. */
function pushed(test: ProtectedCpu, ...values: number[]): ProtectedCpu {
  for (const [i, value] of values.entries()) test.dword(test.get('esp') + 4 * i, value);
  return test;
}

describe('IRET in protected mode', () => {
  it('goes back on the same level with all of the flags that level 0 may set', () => {
    const test = pushed(new ProtectedCpu(), CODE + 0x20, CODE0, 0x003d_7fd7).exec('cf');
    expect(test.registers('eip', 'cs', 'esp')).toEqual({ eip: CODE + 0x20, cs: CODE0, esp: STACK + 12 });
    expect(test.get('eflags')).toBe(0x003d_7fd7);
  });

  it('at level 3 leaves IF, IOPL, VM, VIF and VIP alone', () => {
    const test = pushed(new ProtectedCpu(3), CODE + 0x20, CODE3, 0x003f_7fd7).exec('cf');
    expect(test.get('eflags')).toBe(0x0025_4dd7);
  });

  it('with 16-bit operands pops words and leaves the upper flags', () => {
    const test = new ProtectedCpu()
      .word(STACK, 0x1234)
      .word(STACK + 2, CODE0)
      .word(STACK + 4, 0x0ad7);
    test.set({ eflags: 0x20_0002 }).exec('66 cf');
    expect(test.registers('eip', 'esp', 'eflags')).toEqual({
      eip: 0x1234,
      esp: STACK + 6,
      eflags: 0x20_0ad7,
    });
  });

  it('goes to an outer level with its stack and clears the data segments it may not use', () => {
    const test = pushed(new ProtectedCpu(), CODE + 0x20, CODE3, IF | IOPL3, 0x2_4000, DATA3).exec('cf');
    expect(test.registers('cs', 'eip', 'ss', 'esp', 'eflags', 'ds', 'gs')).toEqual({
      cs: CODE3,
      eip: CODE + 0x20,
      ss: DATA3,
      esp: 0x2_4000,
      eflags: IF | IOPL3 | 2,
      ds: 0,
      gs: 0,
    });
  });

  it.each<[string, number, number, number]>([
    ['a null CS', 0, DATA3, 0],
    ['an SS of another level', CODE3, DATA0, DATA0],
    ['a null SS', CODE3, 3, 0],
  ])('refuses %s and keeps the frame', (_, cs, ss, error) => {
    const test = pushed(new ProtectedCpu(), CODE, cs, 2, 0x2_4000, ss).exec('cf');
    expect(test.caught).toEqual({ vector: GP, error, cs: CODE0, eip: CODE });
    expect(test.get('esp')).toBe(STACK - 16);
  });
});

/** Level 0, then IRET into virtual-8086 mode at 1000:0100 with these EFLAGS. */
function v86(eflags: number, cr4 = 0): ProtectedCpu {
  const test = new ProtectedCpu();
  test.cpu.cr4 = cr4;
  test.cpu.segLimit[6] = 0xff;
  // The redirection map lies at 0x68, the I/O map behind it.
  test.word(TSS + 102, 0x88);
  pushed(test, 0x100, 0x1000, eflags | VM, 0xfff0, 0x2000, 0x3000, 0x4000, 0x5000, 0x6000).exec('cf');
  return test;
}

describe('IRET to virtual-8086 mode', () => {
  it('loads nine values and the fixed limits', () => {
    const test = v86(IF);
    expect(test.registers('cs', 'eip', 'ss', 'esp', 'es', 'ds', 'fs', 'gs', 'eflags')).toEqual({
      cs: 0x1000,
      eip: 0x100,
      ss: 0x2000,
      esp: 0xfff0,
      es: 0x3000,
      ds: 0x4000,
      fs: 0x5000,
      gs: 0x6000,
      eflags: VM | IF | 2,
    });
    expect([test.cpu.segLimit[SEG_CS], test.cpu.segAttr[SEG_CS], test.cpu.codeIs32]).toEqual([
      0xffff, 0xf3, 0,
    ]);
  });

  it('refuses an offset beyond 64 KiB', () => {
    const test = pushed(new ProtectedCpu(), 0x1_0000, 0x1000, VM, 0, 0, 0, 0, 0, 0).exec('cf');
    expect(test.caught).toEqual({ vector: GP, error: 0, cs: CODE0, eip: CODE });
  });

  it('and back through an interrupt: nine values on the inner stack, the data segments null', () => {
    const test = v86(IOPL3).exec('cd 80'); // int 0x80
    expect(test.registers('cs', 'eip', 'esp', 'ds', 'es', 'fs', 'gs')).toEqual({
      cs: CODE0,
      eip: HANDLERS + 0x80,
      esp: STACK0 - 36,
      ds: 0,
      es: 0,
      fs: 0,
      gs: 0,
    });
    expect(test.stack(9)).toEqual([
      0x102,
      0x1000,
      VM | IOPL3 | 2,
      0xfff0,
      0x2000,
      0x3000,
      0x4000,
      0x5000,
      0x6000,
    ]);
    expect(test.get('eflags') & VM).toBe(0);
    test.exec('cf');
    expect(test.registers('cs', 'eip', 'esp', 'ds')).toEqual({
      cs: 0x1000,
      eip: 0x102,
      esp: 0xfff0,
      ds: 0x4000,
    });
  });

  it('refuses a handler that is conforming or not of level 0', () => {
    const test = v86(IOPL3)
      .gdt(FREE, descriptor({ type: CODE_XR, dpl: 3 }))
      .idt(0x80, gate(14, FREE, 0, { dpl: 3 }))
      .exec('cd 80');
    expect(test.caught).toMatchObject({ vector: GP, error: FREE, eip: 0x100 });
  });
});

describe('virtual-8086 mode', () => {
  it('loads segments as real mode does', () => {
    const test = v86(0).set({ eax: 0x7777 }).exec('8e d8'); // mov ds,ax
    expect([test.get('ds'), test.cpu.segBase[3], test.cpu.segAttr[3]]).toEqual([0x7777, 0x7_7770, 0xf3]);
  });

  it('far jumps and calls as real mode does', () => {
    const test = v86(0).exec('9a 34 12 00 20'); // call 2000:1234
    expect(test.registers('cs', 'eip', 'esp')).toEqual({ cs: 0x2000, eip: 0x1234, esp: 0xffec });
    test.exec('cb');
    expect(test.registers('cs', 'eip', 'esp')).toEqual({ cs: 0x1000, eip: 0x105, esp: 0xfff0 });
  });

  it.each([
    ['cli', 'fa'],
    ['sti', 'fb'],
    ['pushf', '9c'],
    ['popf', '9d'],
    ['int 0x80', 'cd 80'],
    ['iret', 'cf'],
    ['pushfd with VME', '66 9c', 1],
    ['iretd with VME', '66 cf', 1],
    ['hlt', 'f4'],
    ['mov eax,cr0', '0f 20 c0'],
    ['lgdt', '0f 01 16 00 00'],
  ])('with IOPL 0 refuses %s', (_, code, cr4 = 0) => {
    const test = v86(0, cr4).exec(code);
    expect(test.caught).toMatchObject({ vector: GP, error: 0, eip: 0x100 });
  });

  it.each([
    ['sldt', '0f 00 c0'],
    ['lar', '0f 02 c0'],
    ['arpl', '63 c0'],
  ])('has no %s', (_, code) => {
    expect(v86(IOPL3).exec(code).caught).toMatchObject({ vector: 6, eip: 0x100 });
  });

  it('sends INT3 through the IDT whatever IOPL says, where the gate’s level counts', () => {
    const test = v86(0)
      .idt(3, gate(14, CODE0, HANDLERS + 3, { dpl: 3 }))
      .exec('cc');
    expect(test.caught).toMatchObject({ vector: 3, eip: 0x101 });
    expect(v86(0).exec('cc').caught).toMatchObject({ vector: GP, error: 3 * 8 + 2, eip: 0x100 });
  });
});

describe('the virtual-mode extensions', () => {
  it('CLI and STI change VIF', () => {
    const test = v86(IF, 1).exec('fb');
    expect(test.get('eflags')).toBe(VM | IF | VIF | 2);
    test.exec('fa');
    expect(test.get('eflags')).toBe(VM | IF | 2);
  });

  it('STI is #GP while an interrupt is pending', () => {
    expect(v86(VIP, 1).exec('fb').caught).toMatchObject({ vector: GP, error: 0, eip: 0x100 });
  });

  it('PUSHF shows VIF as IF, and IOPL 3', () => {
    const test = v86(IF, 1).exec('9c');
    expect(test.wordAt(0x2_ffee)).toBe(0x3002);
    test.exec('fb').exec('9c');
    expect(test.wordAt(0x2_ffec)).toBe(0x3202);
  });

  it('POPF loads VIF from IF and keeps IF and IOPL', () => {
    const test = v86(0, 1)
      .word(0x2_fff0, 0x3ed7 & ~0x100)
      .exec('9d');
    expect(test.get('eflags')).toBe(VM | VIF | 0x0cd7);
    expect(v86(0, 1).word(0x2_fff0, 0x100).exec('9d').caught).toMatchObject({ vector: GP, eip: 0x100 });
    expect(v86(VIP, 1).word(0x2_fff0, IF).exec('9d').caught).toMatchObject({ vector: GP, eip: 0x100 });
  });

  it('IRET does the same to FLAGS', () => {
    const test = v86(0, 1).word(0x2_fff0, 0x200).word(0x2_fff2, 0x1010).word(0x2_fff4, 0x0297).exec('cf');
    expect(test.registers('cs', 'eip', 'esp', 'eflags')).toEqual({
      cs: 0x1010,
      eip: 0x200,
      esp: 0xfff6,
      eflags: VM | VIF | 0x97,
    });
  });

  it.each<[string, number, number, number]>([
    ['IOPL 3', IOPL3 | IF, 0x3202, IOPL3],
    ['IOPL 0', IF | VIF, 0x3202, IF],
    ['IOPL 0, VIF clear', IF, 0x3002, IF],
  ])('INT n with a clear redirection bit takes the program’s own vector (%s)', (_, eflags, image, after) => {
    const test = v86(eflags, 1)
      .word(0x80 * 4, 0x345)
      .word(0x80 * 4 + 2, 0x1100)
      .exec('cd 80');
    expect(test.registers('cs', 'eip', 'esp', 'eflags')).toEqual({
      cs: 0x1100,
      eip: 0x345,
      esp: 0xffea,
      eflags: VM | after | 2,
    });
    expect([0, 2, 4].map((at) => test.wordAt(0x2_ffea + at))).toEqual([0x102, 0x1000, image]);
  });

  it('INT n with a set redirection bit needs IOPL 3 and the IDT', () => {
    const set = (test: ProtectedCpu): ProtectedCpu => test.bytes(TSS + 0x68 + 16, [1]).exec('cd 80');
    expect(set(v86(IOPL3, 1)).caught).toMatchObject({ vector: 0x80, eip: 0x102 });
    expect(set(v86(0, 1)).caught).toMatchObject({ vector: GP, error: 0, eip: 0x100 });
  });

  it('INT n is #GP when the redirection map lies beyond the TSS', () => {
    const test = v86(0, 1)
      .word(TSS + 102, 0x200)
      .exec('cd 80');
    expect(test.caught).toMatchObject({ vector: GP, error: 0, eip: 0x100 });
  });

  it('PVI gives level 3 a VIF too', () => {
    const test = new ProtectedCpu(3);
    test.cpu.cr4 = 2;
    expect(test.exec('fb').get('eflags')).toBe(VIF | 2);
    expect(test.exec('fa').get('eflags')).toBe(2);
    expect(test.set({ eflags: VIP | 2 }).exec('fb').caught).toMatchObject({ vector: GP, error: 0 });
  });
});
