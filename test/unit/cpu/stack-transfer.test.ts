/** PUSH, POP, PUSHA, POPA, ENTER, LEAVE: wrap, limits, and nothing half-done. */
import { describe, expect, it } from 'vitest';
import { SEG_SS } from '../../../src/decoder/insn.ts';
import { check, type Row, rows, TestCpu } from './driver.ts';

const GP = 13;
const SS = 12;

describe('PUSH', () => {
  it.each(
    rows([
      { asm: 'push ax', code: '50', out: { esp: 0x5555_0ffe }, ramOut: { 'ss:0ffe': 'a2 a1' } },
      { asm: 'push eax', code: '66 50', out: { esp: 0x5555_0ffc }, ramOut: { 'ss:0ffc': 'a2 a1 11 11' } },
      {
        asm: 'push sp pushes the old SP',
        code: '54',
        out: { esp: 0x5555_0ffe },
        ramOut: { 'ss:0ffe': '00 10' },
      },
      { asm: 'push esp', code: '66 54', out: { esp: 0x5555_0ffc }, ramOut: { 'ss:0ffc': '00 10 55 55' } },
      {
        asm: 'push ax with SP 0 wraps',
        code: '50',
        in: { esp: 0x5555_0000 },
        out: { esp: 0x5555_fffe },
        ramOut: { 'ss:fffe': 'a2 a1' },
      },
      {
        asm: 'push eax with SP 2 is #SS',
        code: '66 50',
        in: { esp: 0x5555_0002, limits: { ss: 0xffff } },
        fault: SS,
      },
      {
        asm: 'push 0xff80 from imm8',
        code: '6a 80',
        out: { esp: 0x5555_0ffe },
        ramOut: { 'ss:0ffe': '80 ff' },
      },
      {
        asm: 'o32 push from imm8',
        code: '66 6a 80',
        out: { esp: 0x5555_0ffc },
        ramOut: { 'ss:0ffc': '80 ff ff ff' },
      },
      {
        asm: 'o32 push imm32',
        code: '66 68 78 56 34 12',
        out: { esp: 0x5555_0ffc },
        ramOut: { 'ss:0ffc': '78 56 34 12' },
      },
      { asm: 'push es', code: '06', out: { esp: 0x5555_0ffe }, ramOut: { 'ss:0ffe': '00 30' } },
      {
        asm: 'o32 push gs leaves the upper half of its slot',
        code: '66 0f a8',
        ram: { 'ss:0ffc': 'ee ee ee ee' },
        out: { esp: 0x5555_0ffc },
        ramOut: { 'ss:0ffc': '00 60 ee ee' },
      },
      { asm: 'o32 push gs wants the whole slot', code: '66 0f a8', in: { esp: 0x5555_0002 }, fault: SS },
      {
        asm: 'push word [esp+2] uses the old ESP',
        code: '67 ff 74 24 02',
        in: { esp: 0x1000 },
        ram: { 'ss:1002': '34 12' },
        out: { esp: 0xffe },
        ramOut: { 'ss:0ffe': '34 12' },
      },
      { asm: 'push word [bx] beyond the limit is #GP', code: 'ff 37', in: { ebx: 0xffff }, fault: GP },
    ]),
  )('%s', (_, row) => {
    check(row);
  });
});

describe('POP', () => {
  it.each(
    rows([
      { asm: 'pop ax', code: '58', ram: { 'ss:1000': '34 12' }, out: { eax: 0x1111_1234, esp: 0x5555_1002 } },
      { asm: 'pop sp', code: '5c', ram: { 'ss:1000': '34 12' }, out: { esp: 0x5555_1234 } },
      { asm: 'pop esp', code: '66 5c', ram: { 'ss:1000': '34 12 00 00' }, out: { esp: 0x1234 } },
      {
        asm: 'pop ax with SP ffff is #SS',
        code: '58',
        in: { esp: 0x5555_ffff, limits: { ss: 0xffff } },
        fault: SS,
      },
      {
        asm: 'pop ax with SP fffe wraps',
        code: '58',
        in: { esp: 0x5555_fffe },
        ram: { 'ss:fffe': '34 12' },
        out: { eax: 0x1111_1234, esp: 0x5555_0000 },
      },
      {
        asm: 'pop word [esp] writes where ESP points afterwards',
        code: '67 8f 04 24',
        in: { esp: 0x1000 },
        ram: { 'ss:1000': '34 12 ff ff' },
        out: { esp: 0x1002 },
        ramOut: { 'ss:1002': '34 12' },
      },
      {
        asm: 'o32 pop dword [esp+4]',
        code: '66 67 8f 44 24 04',
        in: { esp: 0x1000 },
        ram: { 'ss:1000': '78 56 34 12' },
        out: { esp: 0x1004 },
        ramOut: { 'ss:1008': '78 56 34 12' },
      },
      { asm: 'pop word [bx] that faults leaves SP', code: '8f 07', in: { ebx: 0xffff }, fault: GP },
      {
        asm: 'pop ax in its register form 8f c0',
        code: '8f c0',
        ram: { 'ss:1000': '34 12' },
        out: { eax: 0x1111_1234, esp: 0x5555_1002 },
      },
      { asm: 'pop es', code: '07', ram: { 'ss:1000': '34 12' }, out: { es: 0x1234, esp: 0x5555_1002 } },
      {
        asm: 'o32 pop ds drops the upper half',
        code: '66 1f',
        ram: { 'ss:1000': '34 12 ff ff' },
        out: { ds: 0x1234, esp: 0x5555_1004 },
      },
      {
        asm: 'pop ss takes from the old stack',
        code: '17',
        ram: { 'ss:1000': '34 12' },
        out: { ss: 0x1234, esp: 0x5555_1002 },
      },
      { asm: 'pop es that faults leaves ES', code: '07', in: { esp: 0x5555_ffff }, fault: SS },
    ]),
  )('%s', (_, row) => {
    check(row);
  });
});

const ALL16 = '40 00 20 00 00 08 00 10 10 00 b2 b1 03 00 a2 a1';
const ALL32 = [
  '40 00 88 88 20 00 77 77 00 08 66 66 00 10 55 55',
  '10 00 44 44 b2 b1 33 33 03 00 22 22 a2 a1 11 11',
].join(' ');
const NEW16 = '01 00 02 00 03 00 04 00 05 00 06 00 07 00 08 00';

describe('PUSHA and POPA', () => {
  it.each(
    rows([
      { asm: 'pusha', code: '60', out: { esp: 0x5555_0ff0 }, ramOut: { 'ss:0ff0': ALL16 } },
      { asm: 'pushad', code: '66 60', out: { esp: 0x5555_0fe0 }, ramOut: { 'ss:0fe0': ALL32 } },
      {
        asm: 'pusha wraps SP',
        code: '60',
        in: { esp: 0x5555_0008 },
        out: { esp: 0x5555_fff8 },
        ramOut: { 'ss:fff8': '40 00 20 00 00 08 08 00', 'ss:0000': '10 00 b2 b1 03 00 a2 a1' },
      },
      {
        asm: 'popa skips SP',
        code: '61',
        ram: { 'ss:1000': NEW16 },
        out: {
          edi: 0x8888_0001,
          esi: 0x7777_0002,
          ebp: 0x6666_0003,
          esp: 0x5555_1010,
          ebx: 0x4444_0005,
          edx: 0x3333_0006,
          ecx: 0x2222_0007,
          eax: 0x1111_0008,
        },
      },
      {
        asm: 'popad',
        code: '66 61',
        ram: {
          'ss:1000': ALL32.replaceAll('00 10 55 55', 'ff ff ff ff').replaceAll('a2 a1 11 11', '01 02 03 04'),
        },
        out: { esp: 0x5555_1020, eax: 0x0403_0201 },
      },
      { asm: 'pusha with an odd SP of 15 writes nothing and is #SS', code: '60', in: { esp: 15 }, fault: SS },
      { asm: 'pushad that does not fit writes nothing', code: '66 60', in: { esp: 0x1e }, fault: SS },
      { asm: 'popa that does not fit loads nothing', code: '61', in: { esp: 0xfff3 }, fault: SS },
    ]),
  )('%s', (_, row) => {
    check(row);
  });
});

/** ENTER as the SDM's pseudo-code has it, on a copy of the stack segment. */
function enterReference(
  stack: DataView,
  state: { esp: number; ebp: number },
  alloc: number,
  level: number,
  size: 2 | 4,
): { esp: number; ebp: number } {
  let sp = state.esp & 0xffff;
  const push = (value: number): void => {
    sp = (sp - size) & 0xffff;
    if (size === 2) stack.setUint16(sp, value, true);
    else stack.setUint32(sp, value, true);
  };
  push(state.ebp);
  const frameTemp = sp;
  let bp = state.ebp & 0xffff;
  for (let i = 1; i < level; i++) {
    bp = (bp - size) & 0xffff;
    push(size === 2 ? stack.getUint16(bp, true) : stack.getUint32(bp, true));
  }
  const frame = ((state.esp & 0xffff_0000) | frameTemp) >>> 0;
  if (level > 0) push(frame);
  const ebp = size === 4 ? frame : ((state.ebp & 0xffff_0000) | frameTemp) >>> 0;
  return { esp: ((state.esp & 0xffff_0000) | ((sp - alloc) & 0xffff)) >>> 0, ebp };
}

describe('ENTER and LEAVE', () => {
  it.each([2, 4] as const)('do what the manual says at every level (operand size %i)', (size) => {
    const test = new TestCpu();
    for (let level = 0; level < 64; level++) {
      const prefix = size === 4 ? [0x66] : [];
      test.reset({}).poke('eip', [...prefix, 0xc8, 0x34, 0x02, level, ...prefix, 0xc9]);
      for (let i = 0; i < 0x400; i++) test.memory.ram[0x4_0400 + i] = i * 7;
      const stack = test.memory.ram.slice(0x4_0000, 0x5_0000);
      const before = test.state;
      const want = enterReference(new DataView(stack.buffer), before, 0x234, level & 31, size);
      test.run(1);
      expect([level, test.state]).toEqual([
        level,
        { ...before, ...want, eip: before.eip + 4 + prefix.length },
      ]);
      expect(Buffer.compare(test.memory.ram.subarray(0x4_0000, 0x5_0000), stack)).toBe(0);
      test.run(1);
      expect([level, test.state]).toEqual([level, { ...before, eip: before.eip + 5 + 2 * prefix.length }]);
    }
  });

  it.each(
    rows([
      {
        asm: 'enter whose allocation ends at FFFFH is #SS and leaves SP and BP',
        code: 'c8 01 00 00',
        in: { esp: 0x5555_0002 },
      },
      { asm: 'enter whose old frame pointer cannot be read', code: 'c8 00 00 02', in: { ebp: 1 } },
      { asm: 'enter whose first push does not fit', code: 'c8 00 00 00', in: { esp: 0x5555_0001 } },
    ]),
  )('%s', (_, row) => {
    const test = new TestCpu().reset(row.in ?? {}).poke('eip', row.code);
    const { esp, ebp } = test.state;
    test.run(1);
    if (test.vector === null) {
      // The frame of #SS does not fit either.
      expect(test.state).toMatchObject({ eip: 0x100, esp, ebp });
      return;
    }
    expect(test.vector).toBe(SS);
    expect(test.state).toMatchObject({ esp: ((esp & 0xffff_0000) | ((esp - 6) & 0xffff)) >>> 0, ebp });
  });

  it.each(
    rows([
      {
        asm: 'leave',
        code: 'c9',
        ram: { 'ss:0800': '34 12' },
        out: { esp: 0x5555_0802, ebp: 0x6666_1234 },
      },
      {
        asm: 'o32 leave',
        code: '66 c9',
        ram: { 'ss:0800': '78 56 34 12' },
        out: { esp: 0x5555_0804, ebp: 0x1234_5678 },
      },
      { asm: 'leave with BP ffff leaves SP', code: 'c9', in: { ebp: 0xffff }, fault: SS },
    ]),
  )('%s', (_, row) => {
    check(row);
  });
});

describe('a 32-bit stack', () => {
  const big = (row: Row): TestCpu => {
    const test = new TestCpu().reset({ esp: 0x1_0000, ebp: 0x1_0008, limits: { ss: 0xf_ffff } });
    test.cpu.segAttr[SEG_SS] |= 0x4000;
    test.poke('eip', row.code).poke('ss:10000', '01 02 03 04 05 06 07 08 09 0a 0b 0c').run(1);
    expect(test.state).toMatchObject(row.out ?? {});
    return test;
  };
  it.each(
    rows([
      { asm: 'push ax', code: '50', out: { esp: 0xfffe } },
      { asm: 'pop ax', code: '58', out: { esp: 0x1_0002, eax: 0x1111_0201 } },
      { asm: 'pusha', code: '60', out: { esp: 0xfff0 } },
      { asm: 'popa', code: '61', out: { esp: 0x1_0010, edi: 0x8888_0201 } },
      { asm: 'ret', code: 'c3', out: { esp: 0x1_0002, eip: 0x201 } },
      { asm: 'leave', code: 'c9', out: { esp: 0x1_000a, ebp: 0x1_0a09 } },
      { asm: 'enter 2,1', code: 'c8 02 00 01', out: { esp: 0xfffa, ebp: 0x1_fffe } },
      { asm: 'pop es', code: '07', out: { esp: 0x1_0002, es: 0x201 } },
    ]),
  )('moves all of ESP: %s', (_, row) => {
    big(row);
  });
});
