/** Shifts, rotates and double shifts against bit strings. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { check, rows, TestCpu } from './driver.ts';
import { bitsOf, CF, doubleShift, exec, OF, type Size, STATUS, shift } from './reference.ts';

const NUM_RUNS = Number(process.env.FUZZ_RUNS ?? 4000);
const test = new TestCpu();
const KINDS = ['rol', 'ror', 'rcl', 'rcr', 'shl', 'shr', 'sal', 'sar'];

const size = fc.constantFrom<Size>(1, 2, 4);
const value = fc.oneof(
  fc.integer({ min: 0, max: 0xffff_ffff }),
  fc.constantFrom(0, 1, 0x80, 0x8000, 0x8000_0000, 0x7fff_ffff, 0xffff_ffff),
);
const count = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 255 }));
const flags = fc.integer({ min: 0, max: 0xfff }).map((n) => (n & STATUS) | 2);
const o32 = (s: Size): number[] => (s === 4 ? [0x66] : []);
const cut = (n: number, s: Size): bigint => BigInt.asUintN(bitsOf(s), BigInt(n));
const merge = (old: number, n: bigint, s: Size): number =>
  Number((BigInt(old) & ~(2n ** BigInt(bitsOf(s)) - 1n)) | n);

describe('shifts and rotates', () => {
  it.each(KINDS)(
    '%s agrees with a bit string by CL, by an immediate and by 1, in registers and memory',
    (name) => {
      const kind = KINDS.indexOf(name);
      fc.assert(
        fc.property(
          size,
          value,
          count,
          flags,
          fc.integer({ min: 0, max: 2 }),
          fc.boolean(),
          (s, a, n, eflags, form, mem) => {
            const modrm = (mem ? 0x07 : 0xc0) | (kind << 3);
            const byWidth = s === 1 ? 0 : 1;
            const code = [
              [...o32(s), 0xd2 | byWidth, modrm],
              [...o32(s), 0xc0 | byWidth, modrm, n],
              [...o32(s), 0xd0 | byWidth, modrm],
            ][form];
            test.memory.view.setUint32(0x2_0010, a, true);
            exec(test, code, { eax: a, ebx: 0x10, ecx: n, eflags });
            const want = shift(kind, cut(a, s), form === 2 ? 1 : n, s, eflags);
            const state = test.state;
            expect(mem ? test.memory.view.getUint32(0x2_0010, true) : state.eax).toBe(
              merge(a, want.value, s),
            );
            expect(state.eflags & want.defined).toBe(want.flags & want.defined);
          },
        ),
        { numRuns: NUM_RUNS / 4 },
      );
    },
  );

  it.each(
    rows([
      { asm: 'shl eax,cl with CL 32 changes no flag', code: '66 d3 e0', in: { ecx: 32, eflags: STATUS } },
      {
        asm: 'rol al,cl with CL 8 sets CF from bit 0',
        code: 'd2 c0',
        in: { eax: 0x81, ecx: 8 },
        out: { eflags: CF },
        undefinedFlags: OF,
      },
      {
        asm: 'rcl al,cl with CL 9 is a full turn',
        code: 'd2 d0',
        in: { eax: 0x81, ecx: 9, eflags: CF },
        undefinedFlags: OF,
      },
      {
        asm: 'rcr eax,31',
        code: '66 c1 d8 1f',
        in: { eax: 1, eflags: CF },
        out: { eax: 6, eflags: 0 },
        undefinedFlags: OF,
      },
      {
        asm: 'sar ax,31 fills with the sign',
        code: 'c1 f8 1f',
        in: { eax: 0x8000 },
        out: { eax: 0xffff, eflags: 0x85 },
        undefinedFlags: 0x810,
      },
      {
        asm: 'shr al,8 leaves 0 and the last bit in CF',
        code: 'c0 e8 08',
        in: { eax: 0x80 },
        out: { eax: 0, eflags: 0x45 },
        undefinedFlags: 0x810,
      },
    ]),
  )('%s', (_, row) => {
    check(row);
  });
});

describe('SHLD and SHRD', () => {
  it.each([
    ['shld', true],
    ['shrd', false],
  ])('%s agrees with a bit string by CL and by an immediate, in registers and memory', (_, left) => {
    fc.assert(
      fc.property(
        fc.constantFrom<Size>(2, 4),
        value,
        value,
        count,
        flags,
        fc.boolean(),
        fc.boolean(),
        (s, a, b, n, eflags, byCl, mem) => {
          const opcode = (left ? 0xa4 : 0xac) | (byCl ? 1 : 0);
          const code = [...o32(s), 0x0f, opcode, mem ? 0x17 : 0xd0, ...(byCl ? [] : [n])];
          test.memory.view.setUint32(0x2_0010, a, true);
          exec(test, code, { eax: a, edx: b, ebx: 0x10, ecx: n, eflags });
          const want = doubleShift(left, cut(a, s), cut(b, s), n, s, eflags);
          // A count above 16 of a 16-bit operand: everything is undefined.
          if (want === null) return;
          const state = test.state;
          expect(mem ? test.memory.view.getUint32(0x2_0010, true) : state.eax).toBe(merge(a, want.value, s));
          expect(state.edx).toBe(b);
          expect(state.eflags & want.defined).toBe(want.flags & want.defined);
        },
      ),
      { numRuns: NUM_RUNS / 2 },
    );
  });

  it.each(
    rows([
      // DEST:SRC:DEST shifted by 20, as Intel processors do.
      {
        asm: 'shld ax,dx,20',
        code: '0f a4 d0 14',
        in: { eax: 0x1234, edx: 0x5678 },
        out: { eax: 0x6781 },
        undefinedFlags: 0x8d5,
      },
      {
        asm: 'shrd ax,dx,20',
        code: '0f ac d0 14',
        in: { eax: 0x1234, edx: 0x5678 },
        out: { eax: 0x4567 },
        undefinedFlags: 0x8d5,
      },
    ]),
  )('%s', (_, row) => {
    check(row);
  });
});
