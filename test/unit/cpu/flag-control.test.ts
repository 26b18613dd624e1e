/** CLC … SALC, PUSHF, POPF. */
import { describe, expect, it } from 'vitest';
import { check, rows, TestCpu } from './driver.ts';
import { STATUS } from './reference.ts';

describe('flag control', () => {
  it.each<[string, string, number, number]>([
    ['clc', 'f8', 1, 0],
    ['stc', 'f9', 0, 1],
    ['cld', 'fc', 0x400, 0],
    ['std', 'fd', 0, 0x400],
    ['cli', 'fa', 0x200, 0],
    ['sti', 'fb', 0, 0x200],
  ])('%s changes one bit, whatever the others are', (asm, code, clear, set) => {
    for (const eflags of [0, STATUS, 0x7fd7 & ~0x100, 0x3f_0000 & ~0x1_0000]) {
      check({ asm, code, in: { eflags }, out: { eflags: (eflags & ~clear) | set } });
    }
  });

  it('cmc turns CF over', () => {
    check({ asm: 'cmc', code: 'f5', in: { eflags: STATUS }, out: { eflags: STATUS & ~1 } });
    check({ asm: 'cmc', code: 'f5', in: { eflags: 0 }, out: { eflags: 1 } });
  });

  it.each(
    rows([
      {
        asm: 'lahf has bit 1 set and bits 3 and 5 clear',
        code: '9f',
        in: { eflags: STATUS },
        out: { eax: 0x1111_d7a2 },
      },
      {
        asm: 'sahf leaves OF and takes no other bit',
        code: '9e',
        in: { eax: 0xff00, eflags: 0x800 },
        out: { eflags: 0x8d7 },
      },
      { asm: 'sahf of 0', code: '9e', in: { eax: 0, eflags: 0xed7 }, out: { eflags: 0xe02 } },
      {
        asm: 'pushf',
        code: '9c',
        in: { eflags: 0x7ed7 },
        out: { esp: 0x5555_0ffe },
        ramOut: { 'ss:0ffe': 'd7 7e' },
      },
      {
        asm: 'pushfd clears VM and RF in the image',
        code: '66 9c',
        in: { eflags: 0x3c_0002 },
        out: { esp: 0x5555_0ffc },
        ramOut: { 'ss:0ffc': '02 00 3c 00' },
      },
      {
        asm: 'popf loads everything but the reserved bits',
        code: '9d',
        ram: { 'ss:1000': 'ff fe' },
        out: { esp: 0x5555_1002, eflags: 0x7ed7 },
      },
      {
        asm: 'popf of 0 leaves the upper half',
        code: '9d',
        in: { eflags: 0x24_7ed7 },
        out: { esp: 0x5555_1002, eflags: 0x24_0002 },
      },
      {
        asm: 'popfd loads AC and ID, not RF, VM, VIF and VIP',
        code: '66 9d',
        ram: { 'ss:1000': 'ff fe ff ff' },
        out: { esp: 0x5555_1004, eflags: 0x24_7ed7 },
      },
      {
        asm: 'popfd leaves VIF and VIP',
        code: '66 9d',
        in: { eflags: 0x18_0002 },
        out: { esp: 0x5555_1004, eflags: 0x18_0002 },
      },
      { asm: 'popf that faults leaves EFLAGS', code: '9d', in: { esp: 0xffff, eflags: 0x47 }, fault: 12 },
    ]),
  )('%s', (_, row) => {
    check(row);
  });

  it('pushf shows TF while single-stepping', () => {
    const test = new TestCpu().reset({ eflags: 0x102 }).poke('eip', '9c').poke(0x501, '90');
    test.run(1);
    expect(test.word('ss:0ffe')).toBe(0x102);
  });
});
