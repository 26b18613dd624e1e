import { describe, expect, it } from 'vitest';
import { deliverInterrupt } from '../../../src/cpu/interrupts.ts';
import { EXIT_REASON_TRIPLE_FAULT } from '../../../src/uapi/vmx.ts';
import {
  CODE,
  CODE_CONFORMING,
  CODE_XR,
  CODE0,
  CODE3,
  DATA_RW,
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

const NP = 11;
const GP = 13;
const IF = 1 << 9;
const RF = 1 << 16;
const INT80 = 'cd 80';

describe('a gate of the IDT', () => {
  it.each<[string, number, number, number]>([
    ['an interrupt gate', 14, IF | 2, 2],
    ['a trap gate', 15, IF | 2, IF | 2],
  ])('%s on the same level pushes EFLAGS, CS, EIP', (_, type, pushed, after) => {
    const test = new ProtectedCpu().idt(0x80, gate(type, CODE0, HANDLERS + 0x80));
    test.set({ eflags: IF | 2 }).exec(INT80);
    expect(test.stack(3)).toEqual([CODE + 2, CODE0, pushed]);
    expect(test.registers('eip', 'cs', 'esp', 'eflags')).toEqual({
      eip: HANDLERS + 0x80,
      cs: CODE0,
      esp: STACK - 12,
      eflags: after,
    });
  });

  it('of 16 bits pushes words', () => {
    const test = new ProtectedCpu().idt(0x80, gate(6, CODE0, 0xf_3080)).exec(INT80);
    expect(test.registers('eip', 'esp')).toEqual({ eip: 0x3080, esp: STACK - 6 });
    expect([0, 2, 4].map((at) => test.wordAt(STACK - 6 + at))).toEqual([(CODE + 2) & 0xffff, CODE0, 2]);
  });

  it('to an inner level pushes SS:ESP too, and NT, TF and RF are clear behind it', () => {
    const test = new ProtectedCpu(3).set({ eflags: 0x4002 }).exec(INT80);
    expect(test.stack(5)).toEqual([CODE + 2, CODE3, 0x4002, STACK, DATA3]);
    expect(test.registers('ss', 'esp', 'eflags')).toEqual({ ss: DATA0, esp: STACK0 - 20, eflags: 2 });
  });

  it('to conforming code stays on level 3 and its stack', () => {
    const test = new ProtectedCpu(3)
      .gdt(FREE, descriptor({ type: CODE_CONFORMING }))
      .idt(0x80, gate(14, FREE, 0x3080, { dpl: 3 }))
      .exec(INT80);
    expect(test.registers('cs', 'ss', 'esp')).toEqual({ cs: FREE | 3, ss: DATA3, esp: STACK - 12 });
  });

  it.each<[string, readonly number[], number, number]>([
    ['of an inner level', gate(14, CODE0, 0), GP, 0x80 * 8 + 2],
    ['that is no gate', descriptor({ type: DATA_RW, dpl: 3 }), GP, 0x80 * 8 + 2],
    ['that is a call gate', gate(12, CODE0, 0, { dpl: 3 }), GP, 0x80 * 8 + 2],
    ['that is not present', gate(14, CODE0, 0, { dpl: 3, present: false }), NP, 0x80 * 8 + 2],
    ['with a null selector', gate(14, 0, 0, { dpl: 3 }), GP, 0],
    ['to data', gate(14, DATA0, 0, { dpl: 3 }), GP, DATA0],
    ['beyond the GDT', gate(14, 0x100, 0, { dpl: 3 }), GP, 0x100],
    ['to what is not present', gate(14, FREE, 0, { dpl: 3 }), NP, FREE],
    ['to an offset beyond the limit', gate(14, 0x48, 0x1000, { dpl: 3 }), GP, 0],
  ])('%s is refused without EXT for INT n', (_, bytes, vector, error) => {
    const test = new ProtectedCpu(3)
      .gdt(FREE, descriptor({ type: CODE_XR, present: false }))
      .gdt(0x48, descriptor({ type: CODE_XR, limit: 0xfff }))
      .idt(0x80, bytes)
      .exec(INT80);
    expect(test.caught).toEqual({ vector, error, cs: CODE3, eip: CODE });
  });

  it('is refused with EXT for an external interrupt, whatever its own level', () => {
    const test = new ProtectedCpu(3).idt(0x90, gate(14, CODE0, HANDLERS + 0x90));
    deliverInterrupt(test.cpu, 0x90);
    expect(test.caught).toMatchObject({ vector: 0x90, eip: CODE });
    const bad = new ProtectedCpu(3).idt(0x90, gate(14, DATA0, 0));
    deliverInterrupt(bad.cpu, 0x90);
    expect(bad.caught).toMatchObject({ vector: GP, error: DATA0 | 1 });
  });

  it('beyond the IDT limit is #GP with the vector', () => {
    const test = new ProtectedCpu();
    test.cpu.idtLimit = 0x80 * 8 + 6;
    expect(test.exec(INT80).caught).toMatchObject({ vector: GP, error: 0x80 * 8 + 2 });
  });

  it('of INT1 does not ask for the level', () => {
    expect(new ProtectedCpu(3).exec('f1').caught).toMatchObject({ vector: 1, eip: CODE + 1 });
    expect(new ProtectedCpu(3).exec('cc').caught).toMatchObject({ vector: GP, error: 3 * 8 + 2 });
  });
});

describe('an exception', () => {
  it('pushes its error code, and EFLAGS with RF', () => {
    const test = new ProtectedCpu(3).exec('f4'); // hlt
    expect(test.stack(6)).toEqual([0, CODE, CODE3, RF | 2, STACK, DATA3]);
  });

  it('with a bad inner stack is #TS with EXT; that is a double fault here, and the third fault shuts down', () => {
    const test = new ProtectedCpu(3).dword(TSS + 8, DATA3);
    expect(test.code('f4').run(10)).toBe(EXIT_REASON_TRIPLE_FAULT);
  });

  it('whose delivery is refused becomes a double fault with error code 0', () => {
    const test = new ProtectedCpu(3).idt(GP, gate(14, FREE, 0)).exec('f4');
    expect(test.caught).toEqual({ vector: 8, error: 0, cs: CODE3, eip: CODE });
  });

  it('that is benign lets the second one through', () => {
    const test = new ProtectedCpu().idt(6, gate(14, DATA0, 0)).exec('0f 0b'); // ud2
    expect(test.caught).toEqual({ vector: GP, error: DATA0 | 1, cs: CODE0, eip: CODE });
  });

  it('on a stack without room is #SS, then #DF, then shutdown', () => {
    const test = new ProtectedCpu().gdt(FREE, descriptor({ type: DATA_RW, limit: 0xfff }));
    test.set({ eax: FREE, esp: 8 }).exec('8e d0'); // mov ss,eax
    expect(test.code('0f 0b').run(5)).toBe(EXIT_REASON_TRIPLE_FAULT);
    expect(test.get('esp')).toBe(8);
  });

  it('through a task gate survives a broken stack', () => {
    const test = new ProtectedCpu(3).dword(TSS + 8, DATA3);
    const other = 0x6000;
    test.gdt(FREE, descriptor({ type: 9, base: other, limit: 0x67 })).idt(8, gate(5, FREE, 0));
    test
      .dword(other + 0x20, HANDLERS + 8)
      .dword(other + 0x24, 2)
      .dword(other + 0x38, 0x7000);
    test.word(other + 0x4c, CODE0).word(other + 0x50, DATA0);
    test.exec('f4');
    expect(test.registers('cs', 'eip', 'ss', 'esp')).toEqual({
      cs: CODE0,
      eip: HANDLERS + 8,
      ss: DATA0,
      esp: 0x7000 - 4,
    });
    expect(test.dwordAt(0x6ffc)).toBe(0);
  });
});
