import { describe, expect, it } from 'vitest';
import { SEG_CS, SEG_SS } from '../../../src/decoder/insn.ts';
import {
  CODE,
  CODE_CONFORMING,
  CODE_XO,
  CODE_XR,
  CODE0,
  CODE3,
  DATA_RW,
  DATA0,
  DATA3,
  type DescriptorIn,
  descriptor,
  FREE,
  gate,
  ProtectedCpu,
  STACK,
  STACK0,
  TSS,
  TSS_SELECTOR,
} from './protected-driver.ts';

const TS = 10;
const NP = 11;
const SS = 12;
const GP = 13;
/** A second descriptor, and its selector bytes. */
const FREE2 = 0x48;
const CALL_GATE16 = 4;
const CALL_GATE32 = 12;

/** `jmp far sel:off` and `call far sel:off`, 32 bits. */
const far = (opcode: string, selector: number, offset: number): string =>
  [
    opcode,
    ...[0, 8, 16, 24].map((s) => ((offset >>> s) & 0xff).toString(16)),
    (selector & 0xff).toString(16),
    (selector >> 8).toString(16),
  ].join(' ');
const jmp = (selector: number, offset = 0x500): string => far('ea', selector, offset);
const call = (selector: number, offset = 0x500): string => far('9a', selector, offset);

describe('JMP far to a code segment', () => {
  it.each<[string, 0 | 3, number, DescriptorIn, number]>([
    ['of the same level', 0, FREE, { type: CODE_XR, base: 0x5000 }, FREE],
    ['that cannot be read', 0, FREE, { type: CODE_XO, base: 0x5000 }, FREE],
    ['conforming, of an inner level', 3, FREE, { type: CODE_CONFORMING, base: 0x5000 }, FREE | 3],
    ['with RPL below CPL', 3, FREE | 1, { type: CODE_XR, dpl: 3, base: 0x5000 }, FREE | 3],
  ])('%s keeps the level', (_, level, selector, entry, cs) => {
    const test = new ProtectedCpu(level).gdt(FREE, descriptor(entry)).exec(jmp(selector));
    expect(test.caught).toBeNull();
    expect([test.get('cs'), test.cpu.segBase[SEG_CS], test.get('eip')]).toEqual([cs, 0x5000, 0x500]);
    expect([test.get('esp'), test.access(FREE) & 1]).toEqual([STACK, 1]);
  });

  it('runs near branches in a segment that cannot be read', () => {
    const test = new ProtectedCpu().gdt(FREE, descriptor({ type: CODE_XO })).exec(jmp(FREE, CODE + 0x100));
    test.exec('eb 10'); // jmp short
    expect([test.caught, test.get('eip')]).toEqual([null, CODE + 0x112]);
    test.exec('2e a0 00 00 00 00'); // mov al,cs:[0]
    expect(test.caught).toMatchObject({ vector: GP, error: 0 });
  });

  it.each<[string, 0 | 3, number, DescriptorIn, number, number]>([
    ['a null selector', 0, 3, { type: CODE_XR }, GP, 0],
    ['beyond the GDT', 0, 0x100, { type: CODE_XR }, GP, 0x100],
    ['a data segment', 0, FREE, { type: DATA_RW }, GP, FREE],
    ['an interrupt gate', 0, FREE, { type: 14 }, GP, FREE],
    ['the LDT', 0, FREE, { type: 2 }, GP, FREE],
    ['an inner level', 3, FREE, { type: CODE_XR }, GP, FREE],
    ['an outer level', 0, FREE, { type: CODE_XR, dpl: 3 }, GP, FREE],
    ['an RPL above CPL', 0, FREE | 1, { type: CODE_XR }, GP, FREE],
    ['conforming code of an outer level', 0, FREE, { type: CODE_CONFORMING, dpl: 1 }, GP, FREE],
    ['what is not present', 0, FREE, { type: CODE_XR, present: false }, NP, FREE],
    ['an offset beyond the limit', 0, FREE, { type: CODE_XR, limit: 0x4ff }, GP, 0],
  ])('refuses %s', (_, level, selector, entry, vector, error) => {
    const test = new ProtectedCpu(level).gdt(FREE, descriptor(entry)).exec(jmp(selector));
    expect(test.caught).toEqual({ vector, error, cs: level === 0 ? CODE0 : CODE3, eip: CODE });
  });
});

describe('CALL far and RET far', () => {
  it('go to a segment of the same level and back, with parameters dropped', () => {
    const test = new ProtectedCpu().gdt(FREE, descriptor({ type: CODE_XR, base: 0x5000 })).exec(call(FREE));
    expect(test.registers('cs', 'eip', 'esp')).toEqual({ cs: FREE, eip: 0x500, esp: STACK - 8 });
    expect(test.stack(2)).toEqual([CODE + 7, CODE0]);
    test.exec('ca 08 00'); // retf 8
    expect(test.registers('cs', 'eip', 'esp')).toEqual({ cs: CODE0, eip: CODE + 7, esp: STACK + 8 });
  });

  it('change nothing when the second slot does not fit', () => {
    const test = new ProtectedCpu();
    test.gdt(FREE, descriptor({ type: DATA_RW, base: 0x6_0000, limit: 0xfff }));
    test.set({ eax: FREE, esp: 4 }).exec('8e d0', 1); // mov ss,eax
    test
      .gdt(FREE2, descriptor({ type: CODE_XR }))
      .dword(0x6_0000, 0xaaaa_aaaa)
      .exec(call(FREE2));
    // The stack has no room for the exception either.
    expect([test.cpu.activityState, test.dwordAt(0x6_0000), test.get('esp')]).toEqual([2, 0xaaaa_aaaa, 4]);
  });

  it.each<[string, number, DescriptorIn, number, number]>([
    ['null', 0, { type: CODE_XR }, GP, 0],
    ['RPL below CPL', FREE, { type: CODE_XR, dpl: 3 }, GP, FREE],
    ['DPL that is not RPL', FREE | 3, { type: CODE_XR }, GP, FREE],
    ['data', FREE | 3, { type: DATA_RW, dpl: 3 }, GP, FREE],
    ['conforming with DPL above RPL', FREE | 3, { type: DATA_RW, dpl: 3 }, GP, FREE],
    ['not present', FREE | 3, { type: CODE_XR, dpl: 3, present: false }, NP, FREE],
    ['offset beyond the limit', FREE | 3, { type: CODE_XR, dpl: 3, limit: 0xff }, GP, 0],
  ])('RET refuses %s', (_, cs, entry, vector, error) => {
    const test = new ProtectedCpu(3)
      .gdt(FREE, descriptor(entry))
      .dword(STACK, 0x500)
      .dword(STACK + 4, cs);
    test.exec('cb');
    expect(test.caught).toEqual({ vector, error, cs: CODE3, eip: CODE });
    // ESP of level 3 is on the frame behind EFLAGS.
    expect(test.stack(5)[4]).toBe(STACK);
  });
});

describe('RET far to an outer level', () => {
  function outer(ss: number, entry?: DescriptorIn): ProtectedCpu {
    const test = new ProtectedCpu(0).dword(STACK, CODE + 0x10).dword(STACK + 4, CODE3);
    if (entry !== undefined) test.gdt(FREE, descriptor(entry));
    // RET 4: one parameter on both stacks.
    return test
      .dword(STACK + 8, 0xdead)
      .dword(STACK + 12, 0x2_4000)
      .dword(STACK + 16, ss)
      .exec('ca 04 00');
  }

  it('loads SS:ESP and clears the data segments that level 3 may not use', () => {
    const test = outer(DATA3);
    expect(test.registers('cs', 'eip', 'ss', 'esp')).toEqual({
      cs: CODE3,
      eip: CODE + 0x10,
      ss: DATA3,
      esp: 0x2_4004,
    });
    expect(test.registers('ds', 'es', 'fs', 'gs')).toEqual({ ds: 0, es: 0, fs: 0, gs: 0 });
  });

  it.each<[string, number, DescriptorIn | undefined, number, number]>([
    ['a null SS', 3, undefined, GP, 0],
    ['an RPL that is not that of CS', FREE | 2, { type: DATA_RW, dpl: 3 }, GP, FREE],
    ['a DPL that is not that of CS', FREE | 3, { type: DATA_RW, dpl: 2 }, GP, FREE],
    ['code', FREE | 3, { type: CODE_XR, dpl: 3 }, GP, FREE],
    ['what is not present', FREE | 3, { type: DATA_RW, dpl: 3, present: false }, SS, FREE],
  ])('refuses %s', (_, ss, entry, vector, error) => {
    expect(outer(ss, entry).caught).toEqual({ vector, error, cs: CODE0, eip: CODE });
  });
});

describe('a call gate', () => {
  function through(
    level: 0 | 3,
    code: string,
    gateBytes: readonly number[],
    target: DescriptorIn = { type: CODE_XR, base: 0x5000 },
  ): ProtectedCpu {
    const test = new ProtectedCpu(level).gdt(FREE, gateBytes).gdt(FREE2, descriptor(target));
    return test
      .dword(STACK, 0x1111)
      .dword(STACK + 4, 0x2222)
      .exec(code);
  }

  it('takes level 3 to level 0 with parameters, and RET goes back', () => {
    const test = through(3, call(FREE | 3), gate(CALL_GATE32, FREE2, 0x500, { dpl: 3, count: 2 }));
    expect(test.registers('cs', 'eip', 'ss', 'esp')).toEqual({
      cs: FREE2,
      eip: 0x500,
      ss: DATA0,
      esp: STACK0 - 24,
    });
    expect(test.stack(6)).toEqual([CODE + 7, CODE3, 0x1111, 0x2222, STACK, DATA3]);
    test.exec('ca 08 00'); // retf 8
    expect(test.registers('cs', 'eip', 'ss', 'esp')).toEqual({
      cs: CODE3,
      eip: CODE + 7,
      ss: DATA3,
      esp: STACK + 8,
    });
  });

  it('of 16 bits pushes words and cuts the offset', () => {
    const test = through(3, call(FREE | 3), gate(CALL_GATE16, FREE2, 0x7_0500, { dpl: 3, count: 1 }));
    expect(test.registers('cs', 'eip', 'esp')).toEqual({ cs: FREE2, eip: 0x500, esp: STACK0 - 10 });
    const words = Array.from({ length: 5 }, (_, i) => test.wordAt(STACK0 - 10 + 2 * i));
    expect(words).toEqual([(CODE + 7) & 0xffff, CODE3, 0x1111, STACK & 0xffff, DATA3]);
  });

  it('of a 16-bit TSS reads words', () => {
    const test = new ProtectedCpu(3)
      .gdt(FREE, gate(CALL_GATE32, FREE2, 0x500, { dpl: 3 }))
      .gdt(FREE2, descriptor({ type: CODE_XR }));
    test.cpu.segAttr[6] = 0x83;
    test
      .word(TSS + 2, 0x8000)
      .word(TSS + 4, DATA0)
      .exec(call(FREE | 3));
    expect(test.registers('ss', 'esp')).toEqual({ ss: DATA0, esp: 0x8000 - 16 });
  });

  it('to conforming code keeps the level and the stack', () => {
    const test = through(3, call(FREE | 3), gate(CALL_GATE32, FREE2, 0x500, { dpl: 3, count: 2 }), {
      type: CODE_CONFORMING,
    });
    expect(test.registers('cs', 'ss', 'esp')).toEqual({ cs: FREE2 | 3, ss: DATA3, esp: STACK - 8 });
  });

  it('can be jumped through on the same level', () => {
    const test = through(0, jmp(FREE), gate(CALL_GATE32, FREE2, 0x500));
    expect(test.registers('cs', 'eip', 'esp')).toEqual({ cs: FREE2, eip: 0x500, esp: STACK });
  });

  it.each<[string, 0 | 3, string, readonly number[], DescriptorIn, number, number]>([
    ['a gate of an inner level', 3, call(FREE), gate(12, FREE2, 0), { type: CODE_XR }, GP, FREE],
    ['an RPL above its DPL', 0, call(FREE | 1), gate(12, FREE2, 0), { type: CODE_XR }, GP, FREE],
    [
      'a gate that is not present',
      0,
      call(FREE),
      gate(12, FREE2, 0, { present: false }),
      { type: CODE_XR },
      NP,
      FREE,
    ],
    ['a null target', 0, call(FREE), gate(12, 0, 0), { type: CODE_XR }, GP, 0],
    ['a target beyond the GDT', 0, call(FREE), gate(12, 0x100, 0), { type: CODE_XR }, GP, 0x100],
    ['a target that is data', 0, call(FREE), gate(12, FREE2, 0), { type: DATA_RW }, GP, FREE2],
    ['a target of an outer level', 0, call(FREE), gate(12, FREE2, 0), { type: CODE_XR, dpl: 3 }, GP, FREE2],
    [
      'a target that is not present',
      0,
      call(FREE),
      gate(12, FREE2, 0),
      { type: CODE_XR, present: false },
      NP,
      FREE2,
    ],
    ['a jump inwards', 3, jmp(FREE | 3), gate(12, FREE2, 0, { dpl: 3 }), { type: CODE_XR }, GP, FREE2],
    [
      'an offset beyond the limit',
      3,
      call(FREE | 3),
      gate(12, FREE2, 0x500, { dpl: 3 }),
      { type: CODE_XR, limit: 0x4ff },
      GP,
      0,
    ],
  ])('refuses %s', (_, level, code, bytes, target, vector, error) => {
    const test = through(level, code, bytes, target);
    expect(test.caught).toEqual({ vector, error, cs: level === 0 ? CODE0 : CODE3, eip: CODE });
  });
});

describe('the inner stack of a call gate', () => {
  function inner(ss: number, entry: DescriptorIn, esp = 0x1000, limit = 0x67): ProtectedCpu {
    const test = new ProtectedCpu(3)
      .gdt(FREE, gate(CALL_GATE32, CODE0 | 0, 0x500, { dpl: 3 }))
      .gdt(FREE2, descriptor({ ...entry, base: 0x6_0000 }))
      // The exception needs a good stack: its handler is a conforming segment, so it stays on level 3.
      .gdt(0x50, descriptor({ type: CODE_CONFORMING }));
    for (const vector of [TS, SS, GP]) test.idt(vector, gate(14, 0x50, 0x3000 + vector));
    test.cpu.segLimit[6] = limit;
    return test
      .dword(TSS + 4, esp)
      .dword(TSS + 8, ss)
      .exec(call(FREE | 3));
  }

  it.each<[string, ProtectedCpu, number, number]>([
    ['is null', inner(0, { type: DATA_RW }), TS, 0],
    ['lies beyond the GDT', inner(0x100, { type: DATA_RW }), TS, 0x100],
    ['has another RPL', inner(FREE2 | 3, { type: DATA_RW }), TS, FREE2],
    ['has another DPL', inner(FREE2, { type: DATA_RW, dpl: 3 }), TS, FREE2],
    ['is code', inner(FREE2, { type: CODE_XR }), TS, FREE2],
    ['is not present', inner(FREE2, { type: DATA_RW, present: false }), SS, FREE2],
    ['has no room', inner(FREE2, { type: DATA_RW, limit: 0x1fff }, 12), SS, FREE2],
    ['lies beyond the TSS limit', inner(DATA0, { type: DATA_RW }, 0x1000, 8), TS, TSS_SELECTOR],
  ])('that %s is refused with nothing pushed', (_, test, vector, error) => {
    expect(test.get('eip')).toBe(0x3000 + vector);
    expect(test.stack(3)).toEqual([error, CODE, CODE3]);
    expect(test.registers('ss', 'esp')).toEqual({ ss: DATA3, esp: STACK - 16 });
    expect(test.dwordAt(0x6_0000 + 8)).toBe(0);
  });

  it('keeps the caller’s stack segment until everything fits', () => {
    const test = inner(FREE2, { type: DATA_RW }, 0x1000);
    expect(test.registers('ss', 'esp', 'cs')).toEqual({ ss: FREE2, esp: 0x1000 - 16, cs: CODE0 });
    expect(test.cpu.segBase[SEG_SS]).toBe(0x6_0000);
  });
});
