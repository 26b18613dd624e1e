/** MOV with segment registers, XCHG, extensions, XADD, CMPXCHG, far pointers, LEA, XLAT, every addressing form. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { check, rows, TestCpu } from './driver.ts';
import { add, bitsOf, exec, type Size, STATUS, sub, ZF } from './reference.ts';

const UD = 6;
const GP = 13;
const test = new TestCpu();
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const o32 = (s: Size): number[] => (s === 4 ? [0x66] : []);
const cut = (n: number, s: Size): bigint => BigInt.asUintN(bitsOf(s), BigInt(n));
const merge = (old: number, n: bigint, s: Size): number =>
  Number((BigInt(old) & ~(2n ** BigInt(bitsOf(s)) - 1n)) | n);

describe('data transfer', () => {
  it.each(
    rows([
      { asm: 'mov ax,ds', code: '8c d8', out: { eax: 0x1111_2000 } },
      { asm: 'o32 mov eax,ds clears the upper half', code: '66 8c d8', out: { eax: 0x2000 } },
      {
        asm: 'o32 mov [bx],ds writes two bytes',
        code: '66 8c 1f',
        ram: { 'ds:10': 'ff ff ff ff' },
        ramOut: { 'ds:10': '00 20' },
      },
      { asm: 'mov es,ax', code: '8e c0', out: { es: 0xa1a2 } },
      { asm: 'o32 mov es,eax takes 16 bits', code: '66 8e c0', out: { es: 0xa1a2 } },
      { asm: 'mov fs,[bx]', code: '8e 27', ram: { 'ds:10': '34 12' }, out: { fs: 0x1234 } },
      { asm: 'mov cs,ax', code: '8e c8', fault: UD },
      { asm: 'mov sreg 6', code: '8e f0', fault: UD },
      { asm: 'mov ax,sreg 7', code: '8c f8', fault: UD },
      { asm: 'mov gs,[bx] that faults leaves GS', code: '8e 2f', in: { ebx: 0xffff }, fault: GP },
      { asm: 'xchg ax,cx', code: '91', out: { eax: 0x1111_0003, ecx: 0x2222_a1a2 } },
      { asm: 'xchg al,ah', code: '86 e0', out: { eax: 0x1111_a2a1 } },
      {
        asm: 'xchg [bx],cx',
        code: '87 0f',
        ram: { 'ds:10': '34 12' },
        out: { ecx: 0x2222_1234 },
        ramOut: { 'ds:10': '03 00' },
      },
      { asm: 'movzx ax,bl', code: '0f b6 c3', in: { ebx: 0x80 }, out: { eax: 0x1111_0080 } },
      { asm: 'o32 movzx eax,bh', code: '66 0f b6 c7', in: { ebx: 0x8000 }, out: { eax: 0x80 } },
      {
        asm: 'o32 movzx eax,[bx] as a word',
        code: '66 0f b7 07',
        ram: { 'ds:10': '34 82' },
        out: { eax: 0x8234 },
      },
      { asm: 'movzx ax,[bx] as a byte', code: '0f b6 07', ram: { 'ds:10': '82' }, out: { eax: 0x1111_0082 } },
      { asm: 'movsx ax,bl', code: '0f be c3', in: { ebx: 0x80 }, out: { eax: 0x1111_ff80 } },
      {
        asm: 'o32 movsx eax,[bx] as a word',
        code: '66 0f bf 07',
        ram: { 'ds:10': '34 82' },
        out: { eax: 0xffff_8234 },
      },
      { asm: 'bswap eax', code: '66 0f c8', out: { eax: 0xa2a1_1111 } },
      { asm: 'movbe ax,[bx]', code: '0f 38 f0 07', ram: { 'ds:10': '12 34' }, out: { eax: 0x1111_1234 } },
      { asm: 'o32 movbe [bx],eax', code: '66 0f 38 f1 07', ramOut: { 'ds:10': '11 11 a1 a2' } },
      { asm: 'cbw', code: '98', in: { eax: 0x80 }, out: { eax: 0xff80 } },
      { asm: 'cwde', code: '66 98', in: { eax: 0x8000 }, out: { eax: 0xffff_8000 } },
      { asm: 'cwd', code: '99', in: { eax: 0x8000 }, out: { edx: 0x3333_ffff } },
      { asm: 'cdq', code: '66 99', in: { eax: 0x8000_0000 }, out: { edx: 0xffff_ffff } },
      { asm: 'xlat', code: 'd7', ram: { 'ds:00b2': '5a' }, out: { eax: 0x1111_a15a } },
      {
        asm: 'es xlat wraps at 64 KiB',
        code: '26 d7',
        in: { ebx: 0xffff },
        ram: { 'es:00a1': '5a' },
        out: { eax: 0x1111_a15a },
      },
      { asm: 'a32 xlat uses EBX', code: '67 d7', in: { ebx: 0x1_0000 }, fault: GP },
      {
        asm: 'lds bx,[bx]',
        code: 'c5 1f',
        ram: { 'ds:10': '34 12 78 56' },
        out: { ebx: 0x4444_1234, ds: 0x5678 },
      },
      {
        asm: 'o32 les eax,[bx]',
        code: '66 c4 07',
        ram: { 'ds:10': '01 02 03 04 78 56' },
        out: { eax: 0x0403_0201, es: 0x5678 },
      },
      {
        asm: 'lss sp,[bx]',
        code: '0f b2 27',
        ram: { 'ds:10': '34 12 78 56' },
        out: { esp: 0x5555_1234, ss: 0x5678 },
      },
      {
        asm: 'lfs and lgs',
        code: '0f b4 07',
        ram: { 'ds:10': '34 12 78 56' },
        out: { eax: 0x1111_1234, fs: 0x5678 },
      },
      {
        asm: 'lgs ax,[bx]',
        code: '0f b5 07',
        ram: { 'ds:10': '34 12 78 56' },
        out: { eax: 0x1111_1234, gs: 0x5678 },
      },
      { asm: 'les with a register is #UD', code: 'c4 c0 00 00', fault: UD },
      {
        asm: 'lea ax,[bx+si+0x7f]',
        code: '8d 40 7f',
        in: { ebx: 0xfff0, esi: 0x20 },
        out: { eax: 0x1111_008f },
      },
      { asm: 'o32 lea eax,[bx] is zero-extended', code: '66 8d 07', out: { eax: 0x10 } },
      {
        asm: 'a32 lea ax,[ebx+esi*4] is cut',
        code: '67 8d 04 b3',
        in: { ebx: 0xf_fff0, esi: 8 },
        out: { eax: 0x1111_0010 },
      },
      {
        asm: 'lea does not care about the limit',
        code: '8d 07',
        in: { ebx: 0xffff, limits: { ds: 0 } },
        out: { eax: 0x1111_ffff },
      },
      { asm: 'lea with a register is #UD', code: '8d c0', fault: UD },
      { asm: 'setc [bx]', code: '0f 92 07', in: { eflags: 1 }, ramOut: { 'ds:10': '01' } },
      { asm: 'setc beyond the limit', code: '0f 92 07', in: { ebx: 0x11, limits: { ds: 0x10 } }, fault: GP },
    ]),
  )('%s', (_, row) => {
    check(row);
  });

  it('XADD exchanges and adds, also a register with itself', () => {
    fc.assert(
      fc.property(fc.constantFrom<Size>(1, 2, 4), u32, u32, fc.boolean(), (s, a, b, same) => {
        exec(test, [...o32(s), 0x0f, s === 1 ? 0xc0 : 0xc1, same ? 0xc0 : 0xc8], {
          eax: a,
          ecx: b,
          eflags: 2,
        });
        const x = cut(a, s);
        const want = add(x, same ? x : cut(b, s), 0, s);
        expect(test.state.eax).toBe(merge(a, want.value, s));
        expect(test.state.ecx).toBe(same ? b : merge(b, x, s));
        expect(test.state.eflags).toBe(want.flags | 2);
      }),
    );
  });

  it('CMPXCHG stores or loads, and sets flags as CMP', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<Size>(1, 2, 4),
        u32,
        u32,
        u32,
        fc.boolean(),
        (s, acc, other, source, equal) => {
          const dest = equal ? acc : other;
          test.memory.view.setUint32(0x2_0010, dest, true);
          exec(test, [...o32(s), 0x0f, s === 1 ? 0xb0 : 0xb1, 0x0f], {
            eax: acc,
            ecx: source,
            ebx: 0x10,
            eflags: 2,
          });
          const [x, y] = [cut(acc, s), cut(dest, s)];
          expect(test.memory.view.getUint32(0x2_0010, true)).toBe(
            x === y ? merge(dest, cut(source, s), s) : dest,
          );
          expect(test.state.eax).toBe(x === y ? acc : merge(acc, y, s));
          expect(test.state.eflags).toBe(sub(x, y, 0, s).flags | 2);
        },
      ),
    );
  });

  it('CMPXCHG8B touches no flag but ZF', () => {
    const ram = { 'ds:10': '01 02 03 04 05 06 07 08' };
    const equal = { eax: 0x0403_0201, edx: 0x0807_0605, ecx: 0x1111_1111, ebx: 0x10 };
    check({
      asm: 'equal',
      code: '0f c7 0f',
      in: { ...equal, eflags: STATUS & ~ZF },
      ram,
      out: { eflags: STATUS },
      ramOut: { 'ds:10': '10 00 00 00 11 11 11 11' },
    });
    check({
      asm: 'not',
      code: '0f c7 0f',
      in: { ...equal, edx: 0, eflags: STATUS },
      ram,
      out: { edx: 0x0807_0605, eflags: STATUS & ~ZF },
    });
  });
});

describe('every addressing form', () => {
  const names = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'] as const;
  const values = [
    0x0123_4567, 0x0234_5678, 0x0345_6789, 0x0456_789a, 0x0567_89ab, 0x0678_9abc, 0x0789_abcd, 0x089a_bcde,
  ];
  const state = Object.fromEntries(names.map((name, i) => [name, values[i]]));

  it('of 16 bits: LEA gives the sum modulo 64 KiB', () => {
    const pairs = [[3, 6], [3, 7], [5, 6], [5, 7], [6], [7], [5], [3]];
    for (let modrm = 0; modrm < 0xc0; modrm++) {
      const [mod, rm] = [modrm >> 6, modrm & 7];
      test.reset(state).poke('eip', [0x66, 0x8d, modrm, 0x9c, 0xfe]);
      const regs = mod === 0 && rm === 6 ? [] : pairs[rm];
      const disp = mod === 1 ? -0x64 : mod === 2 || regs.length === 0 ? -0x164 : 0;
      const want = (regs.reduce((sum, reg) => sum + values[reg], disp) & 0xffff) >>> 0;
      test.run(1);
      expect([modrm, test.state[names[(modrm >> 3) & 7]]]).toEqual([modrm, want]);
    }
  });

  it('of 32 bits: LEA gives base + index·scale + displacement', () => {
    for (let modrm = 0; modrm < 0xc0; modrm += 1) {
      const [mod, rm] = [modrm >> 6, modrm & 7];
      for (let sib = 0; sib < (rm === 4 ? 256 : 1); sib += 3) {
        const bytes = [0x66, 0x67, 0x8d, modrm, ...(rm === 4 ? [sib] : []), 0x9c, 0xfe, 0xff, 0xff];
        test.reset(state).poke('eip', bytes);
        const base = rm === 4 ? sib & 7 : rm;
        const hasBase = !(mod === 0 && base === 5);
        const index = rm === 4 ? (sib >> 3) & 7 : 4;
        const disp = mod === 1 ? -0x64 : mod === 2 || !hasBase ? -0x164 : 0;
        let want = disp + (hasBase ? values[base] : 0);
        if (index !== 4) want += values[index] * 2 ** (sib >> 6);
        test.run(1);
        expect([modrm, sib, test.state[names[(modrm >> 3) & 7]]]).toEqual([
          modrm,
          sib,
          ((want % 2 ** 32) + 2 ** 32) % 2 ** 32,
        ]);
      }
    }
  });

  it('uses SS for BP, EBP and ESP and DS for the others', () => {
    const bySegment = (code: number[]): string => {
      test.reset({ ebp: 0x30, ebx: 0x30, esi: 0, edi: 0, esp: 0x30, eax: 0, ecx: 0, edx: 0 });
      test.memory.ram.fill(0xdd, 0x2_0000, 0x2_0100).fill(0x55, 0x4_0000, 0x4_0100);
      test.poke('eip', code).run(1);
      const al = [test.state.eax, test.state.ecx, test.state.edx].find((v) => v !== 0) ?? 0;
      return al === 0xdd ? 'ds' : al === 0x55 ? 'ss' : al.toString(16);
    };
    const want16 = ['ds', 'ds', 'ss', 'ss', 'ds', 'ds', 'ss', 'ds'];
    for (let rm = 0; rm < 8; rm++) {
      expect([rm, bySegment([0x8a, 0x40 | rm, 0])]).toEqual([rm, want16[rm]]);
    }
    expect(bySegment([0x8a, 0x06, 0x30, 0])).toBe('ds');
    const want32 = ['ds', 'ds', 'ds', 'ds', 'ss', 'ss', 'ds', 'ds'];
    for (let rm = 0; rm < 8; rm++) {
      const code = rm === 4 ? [0x67, 0x8a, 0x44, 0x24, 0] : [0x67, 0x8a, 0x40 | rm, 0];
      expect([rm, bySegment(code)]).toEqual([rm, want32[rm]]);
    }
    // Base decides, not index: [eax+ebp] is DS, [ebp+eax] is SS.
    expect(bySegment([0x67, 0x8a, 0x04, 0x28])).toBe('ds');
    expect(bySegment([0x67, 0x8a, 0x44, 0x05, 0])).toBe('ss');
  });
});
