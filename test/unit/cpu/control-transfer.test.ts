/** Jumps, calls, returns, loops, software interrupts, BOUND. */
import { describe, expect, it } from 'vitest';
import {
  X86_EFLAGS_AC,
  X86_EFLAGS_CF,
  X86_EFLAGS_ID,
  X86_EFLAGS_IF,
  X86_EFLAGS_OF,
  X86_EFLAGS_PF,
  X86_EFLAGS_RF,
  X86_EFLAGS_VIF,
  X86_EFLAGS_VIP,
  X86_EFLAGS_VM,
  X86_EFLAGS_ZF,
} from '../../../src/cpu/registers.ts';
import { check, rows, TestCpu } from './driver.ts';

const GP = 13;
const SS = 12;
/** Default ESP is 0x55551000. */
const AFTER_PUSH = 0x5555_0ffe;

describe('near branches', () => {
  it.each(
    rows([
      { asm: 'jmp short forward', code: 'eb 10', out: { eip: 0x112 } },
      { asm: 'jmp short back', code: 'eb fe', out: { eip: 0x100 } },
      { asm: 'jmp short wraps to 16 bits going up', code: 'eb 7f', in: { eip: 0xfff0 }, out: { eip: 0x71 } },
      { asm: 'jmp short wraps to 16 bits going down', code: 'eb 80', in: { eip: 0 }, out: { eip: 0xff82 } },
      { asm: 'jmp short whose end is 0x10000', code: 'eb 00', in: { eip: 0xfffe }, out: { eip: 0 } },
      { asm: 'jmp near wraps', code: 'e9 00 80', in: { eip: 0x9000 }, out: { eip: 0x1003 } },
      { asm: 'o32 jmp near', code: '66 e9 00 01 00 00', out: { eip: 0x206 } },
      {
        asm: 'o32 jmp beyond the limit is #GP at the jump',
        code: '66 e9 00 00 01 00',
        fault: GP,
      },
      { asm: 'o32 jmp short below 0 is #GP', code: '66 eb 80', in: { eip: 0 }, fault: GP },
      {
        asm: 'o32 jmp above 64 KiB with a large limit',
        code: '66 e9 00 00 01 00',
        in: { limits: { cs: 0xf_ffff } },
        out: { eip: 0x1_0106 },
      },
      {
        asm: 'jmp beyond a small limit is #GP',
        code: 'e9 00 02',
        in: { limits: { cs: 0x2ff } },
        fault: GP,
      },
      {
        asm: 'jmp to the limit itself',
        code: 'e9 fc 01',
        in: { limits: { cs: 0x2ff } },
        out: { eip: 0x2ff },
      },
      { asm: 'jz taken', code: '74 05', in: { eflags: X86_EFLAGS_ZF }, out: { eip: 0x107 } },
      { asm: 'jz not taken', code: '74 05', out: { eip: 0x102 } },
      {
        asm: 'o32 jz beyond the limit is #GP when taken',
        code: '66 0f 84 00 00 01 00',
        in: { eflags: X86_EFLAGS_ZF },
        fault: GP,
      },
      { asm: 'o32 jz beyond the limit does nothing when not taken', code: '66 0f 84 00 00 01 00' },
      { asm: 'jmp ax', code: 'ff e0', out: { eip: 0xa1a2 } },
      { asm: 'o32 jmp eax beyond the limit is #GP', code: '66 ff e0', fault: GP },
      { asm: 'jmp [bx]', code: 'ff 27', ram: { 'ds:10': '34 12' }, out: { eip: 0x1234 } },
      { asm: 'o32 jmp [bx]', code: '66 ff 27', ram: { 'ds:10': '34 12 00 00' }, out: { eip: 0x1234 } },
      { asm: 'o32 jmp [bx] beyond the limit', code: '66 ff 27', ram: { 'ds:10': '34 12 01 00' }, fault: GP },
    ]),
  )('%s', (_, row) => {
    check(row);
  });
});

describe('every condition', () => {
  const status = [X86_EFLAGS_OF, X86_EFLAGS_CF, X86_EFLAGS_ZF, 0x80, X86_EFLAGS_PF];
  /** Intel SDM vol. 2, “Conditional Tests”. */
  const holds: ((of: boolean, cf: boolean, zf: boolean, sf: boolean, pf: boolean) => boolean)[] = [
    (of) => of,
    (_of, cf) => cf,
    (_of, _cf, zf) => zf,
    (_of, cf, zf) => cf || zf,
    (_of, _cf, _zf, sf) => sf,
    (_of, _cf, _zf, _sf, pf) => pf,
    (of, _cf, _zf, sf) => sf !== of,
    (of, _cf, zf, sf) => zf || sf !== of,
  ];

  it('is the same in Jcc, SETcc and CMOVcc for all 32 flag combinations', () => {
    const test = new TestCpu();
    for (let cc = 0; cc < 16; cc++) {
      test.reset({}).poke(0x1_0100, [0x0f, 0x90 | cc, 0xc0, 0x0f, 0x40 | cc, 0xd9, 0x70 | cc, 0x10]);
      for (let bits = 0; bits < 32; bits++) {
        const on = status.map((_, i) => (bits >> i) & 1);
        const eflags = status.reduce((sum, mask, i) => sum | (on[i] !== 0 ? mask : 0), 2);
        const [of, cf, zf, sf, pf] = on.map((bit) => bit !== 0);
        const want = holds[cc >> 1](of, cf, zf, sf, pf) !== ((cc & 1) !== 0);
        test.set({ eip: 0x100, eax: 0xff, ebx: 1, ecx: 2, eflags }).run(3);
        expect([cc, eflags, test.state]).toMatchObject([
          cc,
          eflags,
          { eax: want ? 1 : 0, ebx: want ? 2 : 1, eip: want ? 0x118 : 0x108, eflags },
        ]);
      }
    }
  });
});

describe('LOOP and JCXZ', () => {
  it.each(
    rows([
      { asm: 'loop taken', code: 'e2 10', out: { ecx: 0x2222_0002, eip: 0x112 } },
      { asm: 'loop at 1', code: 'e2 10', in: { ecx: 0x2222_0001 }, out: { ecx: 0x2222_0000, eip: 0x102 } },
      {
        asm: 'loop at 0 wraps CX',
        code: 'e2 10',
        in: { ecx: 0x2222_0000 },
        out: { ecx: 0x2222_ffff, eip: 0x112 },
      },
      {
        asm: 'a32 loop counts ECX',
        code: '67 e2 10',
        in: { ecx: 0x1_0000 },
        out: { ecx: 0xffff, eip: 0x113 },
      },
      { asm: 'a32 loop at 1', code: '67 e2 10', in: { ecx: 1 }, out: { ecx: 0, eip: 0x103 } },
      { asm: 'o32 loop below 0 is #GP, CX unchanged', code: '66 e2 80', in: { eip: 0 }, fault: GP },
      {
        asm: 'o32 loop that ends needs no target',
        code: '66 e2 80',
        in: { eip: 0, ecx: 1 },
        out: { ecx: 0 },
      },
      { asm: 'loope with ZF', code: 'e1 10', in: { eflags: 0x40 }, out: { ecx: 0x2222_0002, eip: 0x112 } },
      { asm: 'loope without ZF', code: 'e1 10', out: { ecx: 0x2222_0002, eip: 0x102 } },
      { asm: 'loopne without ZF', code: 'e0 10', out: { ecx: 0x2222_0002, eip: 0x112 } },
      { asm: 'loopne with ZF', code: 'e0 10', in: { eflags: 0x40 }, out: { ecx: 0x2222_0002, eip: 0x102 } },
      {
        asm: 'loope at 1',
        code: 'e1 10',
        in: { eflags: 0x40, ecx: 0x2222_0001 },
        out: { ecx: 0x2222_0000, eip: 0x102 },
      },
      { asm: 'a32 loopne', code: '67 e0 10', in: { ecx: 0x1_0000 }, out: { ecx: 0xffff, eip: 0x113 } },
      { asm: 'o32 loopne below 0 is #GP, CX unchanged', code: '66 e0 80', in: { eip: 0 }, fault: GP },
      { asm: 'jcxz with CX 0', code: 'e3 10', in: { ecx: 0x2222_0000 }, out: { eip: 0x112 } },
      { asm: 'jcxz with CX 3', code: 'e3 10' },
      { asm: 'a32 jecxz looks at ECX', code: '67 e3 10', in: { ecx: 0x2222_0000 } },
      { asm: 'a32 jecxz with ECX 0', code: '67 e3 10', in: { ecx: 0 }, out: { eip: 0x113 } },
      { asm: 'o32 jcxz below 0 is #GP', code: '66 e3 80', in: { eip: 0, ecx: 0 }, fault: GP },
    ]),
  )('%s', (_, row) => {
    check(row);
  });
});

describe('CALL and RET near', () => {
  it.each(
    rows([
      {
        asm: 'call',
        code: 'e8 10 00',
        out: { eip: 0x113, esp: AFTER_PUSH },
        ramOut: { 'ss:0ffe': '03 01' },
      },
      {
        asm: 'o32 call',
        code: '66 e8 10 00 00 00',
        out: { eip: 0x116, esp: 0x5555_0ffc },
        ramOut: { 'ss:0ffc': '06 01 00 00' },
      },
      { asm: 'o32 call beyond the limit pushes nothing', code: '66 e8 00 00 01 00', fault: GP },
      {
        asm: 'call wraps SP',
        code: 'e8 10 00',
        in: { esp: 0x5555_0000 },
        out: { eip: 0x113, esp: 0x5555_fffe },
        ramOut: { 'ss:fffe': '03 01' },
      },
      {
        asm: 'call with a return address of 0x10000 pushes 0',
        code: 'e8 00 02',
        in: { eip: 0xfffd },
        out: { eip: 0x200, esp: AFTER_PUSH },
        ramOut: { 'ss:0ffe': '00 00' },
      },
      {
        asm: 'call ax',
        code: 'ff d0',
        out: { eip: 0xa1a2, esp: AFTER_PUSH },
        ramOut: { 'ss:0ffe': '02 01' },
      },
      {
        asm: 'call [esp] reads before it pushes',
        code: '67 ff 14 24',
        in: { esp: 0x1000 },
        ram: { 'ss:1000': '78 56' },
        out: { eip: 0x5678, esp: 0xffe },
        ramOut: { 'ss:0ffe': '04 01' },
      },
      { asm: 'o32 call eax beyond the limit', code: '66 ff d0', fault: GP },
      { asm: 'ret', code: 'c3', ram: { 'ss:1000': '34 12' }, out: { eip: 0x1234, esp: 0x5555_1002 } },
      {
        asm: 'o32 ret',
        code: '66 c3',
        ram: { 'ss:1000': '34 12 00 00' },
        out: { eip: 0x1234, esp: 0x5555_1004 },
      },
      { asm: 'o32 ret beyond the limit', code: '66 c3', ram: { 'ss:1000': '34 12 01 00' }, fault: GP },
      {
        asm: 'ret 0xfffe wraps SP',
        code: 'c2 fe ff',
        ram: { 'ss:1000': '34 12' },
        out: { eip: 0x1234, esp: 0x5555_1000 },
      },
      {
        asm: 'o32 ret 4 beyond the limit',
        code: '66 c2 04 00',
        ram: { 'ss:1000': '34 12 01 00' },
        fault: GP,
      },
    ]),
  )('%s', (_, row) => {
    check(row);
  });
});

describe('far transfers', () => {
  const far = { ram: { 'ds:10': '34 12 78 56' } };
  it.each(
    rows([
      { asm: 'jmp 0x5678:0x1234', code: 'ea 34 12 78 56', out: { cs: 0x5678, eip: 0x1234 } },
      {
        asm: 'o32 jmp 0x5678:0x1234',
        code: '66 ea 34 12 00 00 78 56',
        out: { cs: 0x5678, eip: 0x1234 },
      },
      { asm: 'o32 jmp far beyond the limit', code: '66 ea 34 12 01 00 78 56', fault: GP },
      { asm: 'jmp far [bx]', code: 'ff 2f', ...far, out: { cs: 0x5678, eip: 0x1234 } },
      {
        asm: 'o32 jmp far [bx]',
        code: '66 ff 2f',
        ram: { 'ds:10': '34 12 00 00 78 56' },
        out: { cs: 0x5678, eip: 0x1234 },
      },
      { asm: 'jmp far whose selector straddles the limit', code: 'ff 2f', in: { ebx: 0xfffd }, fault: GP },
      {
        asm: 'call 0x5678:0x1234',
        code: '9a 34 12 78 56',
        out: { cs: 0x5678, eip: 0x1234, esp: 0x5555_0ffc },
        ramOut: { 'ss:0ffc': '05 01 00 10' },
      },
      {
        asm: 'o32 call far pushes two doublewords',
        code: '66 9a 34 12 00 00 78 56',
        out: { cs: 0x5678, eip: 0x1234, esp: 0x5555_0ff8 },
        ramOut: { 'ss:0ff8': '08 01 00 00 00 10 00 00' },
      },
      { asm: 'o32 call far beyond the limit pushes nothing', code: '66 9a 34 12 01 00 78 56', fault: GP },
      {
        asm: 'call far [bx]',
        code: 'ff 1f',
        ...far,
        out: { cs: 0x5678, eip: 0x1234, esp: 0x5555_0ffc },
        ramOut: { 'ss:0ffc': '02 01 00 10' },
      },
      {
        asm: 'call far wraps SP between its two pushes',
        code: '9a 34 12 78 56',
        in: { esp: 0x5555_0002 },
        out: { cs: 0x5678, eip: 0x1234, esp: 0x5555_fffe },
        ramOut: { 'ss:0000': '00 10', 'ss:fffe': '05 01' },
      },
      {
        asm: 'retf',
        code: 'cb',
        ram: { 'ss:1000': '34 12 78 56' },
        out: { cs: 0x5678, eip: 0x1234, esp: 0x5555_1004 },
      },
      {
        asm: 'o32 retf 8 drops the upper half of the selector',
        code: '66 ca 08 00',
        ram: { 'ss:1000': '34 12 00 00 78 56 ff ff' },
        out: { cs: 0x5678, eip: 0x1234, esp: 0x5555_1010 },
      },
      { asm: 'o32 retf beyond the limit', code: '66 cb', ram: { 'ss:1000': '34 12 01 00 78 56' }, fault: GP },
      {
        asm: 'retf wraps SP between its two pops',
        code: 'cb',
        in: { esp: 0x5555_fffe },
        ram: { 'ss:fffe': '34 12', 'ss:0000': '78 56' },
        out: { cs: 0x5678, eip: 0x1234, esp: 0x5555_0002 },
      },
    ]),
  )('%s', (_, row) => {
    check(row);
  });

  it('pushes nothing when the second slot of a far call does not fit', () => {
    // SP 3: the first word fits at 1, the second one would straddle FFFFH; so does the frame of #SS.
    const test = new TestCpu().reset({ esp: 3 }).poke('eip', '9a 34 12 78 56');
    test.run(1);
    expect(test.peek('ss:0000', 4)).toBe('00 00 00 00');
    expect(test.state).toMatchObject({ esp: 3, cs: 0x1000, eip: 0x100 });
  });

  it('keeps the limit of CS', () => {
    const test = check({
      asm: 'jmp 0x2000:0',
      code: 'ea 00 00 00 20',
      in: { limits: { cs: 0x1ff } },
      out: { cs: 0x2000, eip: 0 },
    });
    test.poke('cs:0000', 'e9 00 02').run(1);
    expect(test.vector).toBe(GP);
  });
});

describe('IRET', () => {
  const image = (flags: string): Record<string, string> => ({ 'ss:1000': `34 12 78 56 ${flags}` });
  it.each(
    rows([
      {
        asm: 'iret loads every flag but the reserved ones',
        code: 'cf',
        ram: image('ff ff'),
        out: { cs: 0x5678, eip: 0x1234, esp: 0x5555_1006, eflags: 0x7fd7 },
      },
      {
        asm: 'iret keeps the upper half of EFLAGS',
        code: 'cf',
        in: { eflags: X86_EFLAGS_AC | X86_EFLAGS_ID },
        ram: image('00 00'),
        out: { cs: 0x5678, eip: 0x1234, esp: 0x5555_1006, eflags: X86_EFLAGS_AC | X86_EFLAGS_ID },
      },
      {
        asm: 'iretd loads RF, AC and ID, keeps VM, VIF and VIP',
        code: '66 cf',
        in: { eflags: X86_EFLAGS_VIF },
        ram: { 'ss:1000': '34 12 00 00 78 56 00 00 02 00 37 00' },
        out: {
          cs: 0x5678,
          eip: 0x1234,
          esp: 0x5555_100c,
          eflags: X86_EFLAGS_RF | X86_EFLAGS_AC | X86_EFLAGS_ID | X86_EFLAGS_VIF,
        },
      },
      {
        asm: 'iretd beyond the limit changes nothing',
        code: '66 cf',
        ram: { 'ss:1000': '34 12 01 00 78 56 00 00 ff ff' },
        fault: GP,
      },
      {
        asm: 'iret that straddles the end of the stack',
        code: 'cf',
        in: { esp: 0x5555_fffb },
        fault: SS,
      },
    ]),
  )('%s', (_, row) => {
    check(row);
  });

  it('lets RF last for one instruction', () => {
    const test = new TestCpu()
      .reset({})
      .poke('eip', '66 cf')
      .poke('ss:1000', '00 02 00 00 00 10 00 00 02 00 01 00');
    test.poke('cs:0200', '90 90').run(1);
    expect(test.state.eflags & X86_EFLAGS_RF).not.toBe(0);
    test.run(1);
    expect(test.state.eflags & (X86_EFLAGS_RF | X86_EFLAGS_VM | X86_EFLAGS_VIP)).toBe(0);
  });
});

describe('software interrupts and BOUND', () => {
  it.each(
    rows([
      { asm: 'int 0x21', code: 'cd 21', trap: 0x21 },
      { asm: 'int 0x21 with a prefix', code: '26 cd 21', trap: 0x21 },
      {
        asm: 'int clears IF, TF and AC',
        code: 'cd 80',
        in: { eflags: X86_EFLAGS_IF | X86_EFLAGS_AC },
        trap: 0x80,
      },
      { asm: 'int3', code: 'cc', trap: 3 },
      { asm: 'int1', code: 'f1', trap: 1 },
      { asm: 'into with OF', code: 'ce', in: { eflags: X86_EFLAGS_OF }, trap: 4 },
      { asm: 'into without OF', code: 'ce' },
      { asm: 'o32 int pushes words all the same', code: '66 cd 21', trap: 0x21 },
      { asm: 'bound within', code: '62 07', in: { eax: 5 }, ram: { 'ds:10': '05 00 05 00' } },
      { asm: 'bound below', code: '62 07', in: { eax: 4 }, ram: { 'ds:10': '05 00 05 00' }, fault: 5 },
      { asm: 'bound above', code: '62 07', in: { eax: 6 }, ram: { 'ds:10': '05 00 05 00' }, fault: 5 },
      { asm: 'bound is signed', code: '62 07', in: { eax: 0xffff }, ram: { 'ds:10': 'fe ff 01 00' } },
      {
        asm: 'o32 bound',
        code: '66 62 07',
        in: { eax: 0x8000_0000 },
        ram: { 'ds:10': '00 00 00 00 ff ff ff 7f' },
        fault: 5,
      },
      { asm: 'bound whose upper bound straddles the limit', code: '62 07', in: { ebx: 0xfffd }, fault: GP },
    ]),
  )('%s', (_, row) => {
    check(row);
  });
});
