/** BT and its family, scans, counts, CRC32. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { check, rows, TestCpu } from './driver.ts';
import { bitsOf, CF, exec, fromBits, type Size, STATUS, toBits, ZF } from './reference.ts';

const NUM_RUNS = Number(process.env.FUZZ_RUNS ?? 1500);
const test = new TestCpu();
const size = fc.constantFrom<Size>(2, 4);
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const flags = fc.integer({ min: 0, max: 0xfff }).map((n) => (n & STATUS) | 2);
const o32 = (s: Size): number[] => (s === 4 ? [0x66] : []);
const cut = (n: number, s: Size): bigint => BigInt.asUintN(bitsOf(s), BigInt(n));
const merge = (old: number, n: bigint, s: Size): number =>
  Number((BigInt(old) & ~(2n ** BigInt(bitsOf(s)) - 1n)) | n);

/** BT BTS BTR BTC on a bit string. */
function change(operation: number, old: '0' | '1'): string {
  return [old, '1', '0', old === '1' ? '0' : '1'][operation];
}

describe('BT BTS BTR BTC', () => {
  const operation = fc.integer({ min: 0, max: 3 });

  it('of a register take the offset modulo the operand size', () => {
    fc.assert(
      fc.property(
        operation,
        fc.boolean(),
        size,
        u32,
        u32,
        flags,
        (which, immediate, s, a, offset, eflags) => {
          const code = immediate
            ? [...o32(s), 0x0f, 0xba, 0xe0 | (which << 3), offset & 0xff]
            : [...o32(s), 0x0f, 0xa3 | (which << 3), 0xc8];
          exec(test, code, { eax: a, ecx: offset, eflags });
          const bits = bitsOf(s);
          const at = bits - 1 - (offset % bits);
          const text = toBits(cut(a, s), bits);
          const bit = text[at] as '0' | '1';
          const want = fromBits(text.slice(0, at) + change(which, bit) + text.slice(at + 1));
          expect(test.state.eax).toBe(merge(a, want, s));
          expect(test.state.eflags).toBe((eflags & ~CF) | Number(bit));
        },
      ),
      { numRuns: NUM_RUNS },
    );
  });

  it('of memory reach as far as a signed offset does', () => {
    const middle = 0x2_8000;
    fc.assert(
      fc.property(
        operation,
        size,
        fc.integer({ min: -0x8000, max: 0x7fff }),
        fc.boolean(),
        (which, s, offset, was) => {
          const { ram } = test.memory;
          const at = middle + Math.floor(offset / 8);
          const mask = 1 << (((offset % 8) + 8) % 8);
          ram[at] = was ? mask : 0;
          exec(test, [...o32(s), 0x0f, 0xa3 | (which << 3), 0x0f], { ebx: 0x8000, ecx: offset, eflags: 2 });
          expect(ram[at]).toBe([was, true, false, !was][which] ? mask : 0);
          expect(test.state.eflags & CF).toBe(was ? CF : 0);
          ram[at] = 0;
          expect(ram.subarray(at - 8, at + 9).every((byte) => byte === 0)).toBe(true);
        },
      ),
      { numRuns: NUM_RUNS },
    );
  });

  it.each(
    rows([
      {
        asm: 'bts word [bx],ax wraps the address at 64 KiB',
        code: '0f ab 07',
        in: { eax: 0x20, ebx: 0xfffe },
        ramOut: { 'ds:0002': '01' },
      },
      {
        asm: 'a32 btc [ebx],ax with a negative offset',
        code: '67 0f bb 03',
        in: { eax: 0xffef, ebx: 0x8000 },
        ramOut: { 'ds:7ffc': '00 80' },
      },
      {
        asm: 'a32 o32 btc [ebx],eax with a negative offset',
        code: '67 66 0f bb 03',
        in: { eax: 0xffff_ffdf, ebx: 0x8000 },
        ramOut: { 'ds:7ff8': '00 00 00 80' },
      },
      {
        asm: 'bt word [bx],15 with an immediate stays in its word',
        code: '0f ba 27 0f',
        ram: { 'ds:0010': '00 80' },
        out: { eflags: CF },
      },
      { asm: 'bts word [bx],31 is bit 15', code: '0f ba 2f 1f', ramOut: { 'ds:0010': '00 80' } },
      { asm: 'bt through the limit is #GP', code: '0f a3 07', in: { eax: 0, ebx: 0xffff }, fault: 13 },
    ]),
  )('%s', (_, row) => {
    check(row);
  });
});

describe('scans and counts', () => {
  it.each<[string, number[], (text: string) => number]>([
    ['bsf', [0x0f, 0xbc], (text) => text.length - 1 - text.lastIndexOf('1')],
    ['bsr', [0x0f, 0xbd], (text) => text.length - 1 - text.indexOf('1')],
  ])('%s finds the bit, or sets ZF and leaves the register', (_, opcode, find) => {
    fc.assert(
      fc.property(size, u32, fc.integer({ min: 0, max: 32 }), u32, (s, n, shift, old) => {
        const src = (shift === 32 ? 0 : n >>> shift) >>> 0;
        exec(test, [...o32(s), ...opcode, 0xc1], { eax: old, ecx: src, eflags: 2 });
        const text = toBits(cut(src, s), bitsOf(s));
        const isZero = !text.includes('1');
        expect(test.state.eax).toBe(isZero ? old : merge(old, BigInt(find(text)), s));
        expect(test.state.eflags & ZF).toBe(isZero ? ZF : 0);
      }),
      { numRuns: NUM_RUNS },
    );
  });

  it.each<[string, number, (text: string) => number]>([
    ['popcnt', 0xb8, (text) => [...text].filter((bit) => bit === '1').length],
    ['tzcnt', 0xbc, (text) => (/0*$/.exec(text)?.[0] ?? '').length],
    ['lzcnt', 0xbd, (text) => (/^0*/.exec(text)?.[0] ?? '').length],
  ])('%s counts', (name, opcode, count) => {
    fc.assert(
      fc.property(size, u32, fc.integer({ min: 0, max: 32 }), flags, (s, n, shift, eflags) => {
        const src = (shift === 32 ? 0 : n >>> shift) >>> 0;
        exec(test, [...o32(s), 0xf3, 0x0f, opcode, 0xc1], { eax: 0x1234_5678, ecx: src, eflags });
        const want = count(toBits(cut(src, s), bitsOf(s)));
        const zero = cut(src, s) === 0n;
        expect(test.state.eax).toBe(merge(0x1234_5678, BigInt(want), s));
        const got = test.state.eflags;
        if (name === 'popcnt') expect(got).toBe(2 | (zero ? ZF : 0));
        else expect(got & (CF | ZF)).toBe((zero ? CF : 0) | (want === 0 ? ZF : 0));
      }),
      { numRuns: NUM_RUNS },
    );
  });

  it('CRC32 of the check string is that of iSCSI', () => {
    // The catalogue's check value of CRC-32C over "123456789".
    test.reset({ eax: 0xffff_ffff });
    const code = [...'123456789'].flatMap((c) => [0xb3, c.charCodeAt(0), 0xf2, 0x0f, 0x38, 0xf0, 0xc3]);
    test.poke('eip', code).run(18);
    expect((~test.state.eax >>> 0).toString(16)).toBe('e3069283');
  });

  it('CRC32 of a word and a doubleword is that of their bytes', () => {
    test.reset({ eax: 0x1234, ecx: 0x8765_4321, edx: 0x1234 });
    test.poke('eip', '66 f2 0f 38 f1 c1');
    test.run(1);
    const dword = test.state.eax;
    test.reset({ eax: 0x1234, ecx: 0x4321, ebx: 0x8765 }).poke('eip', 'f2 0f 38 f1 c1 f2 0f 38 f1 c3').run(2);
    const words = test.state.eax;
    test.reset({ eax: 0x1234, ecx: 0x4321, ebx: 0x8765 });
    test.poke('eip', ['c1', 'c5', 'c3', 'c7'].map((modrm) => `f2 0f 38 f0 ${modrm}`).join(' ')).run(4);
    expect([dword, words]).toEqual([test.state.eax, test.state.eax]);
  });
});
