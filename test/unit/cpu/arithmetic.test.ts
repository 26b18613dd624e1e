/** Binary arithmetic against BigInt, for every operand size, through registers and memory. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { check, rows, TestCpu } from './driver.ts';
import {
  AF,
  add,
  bitsOf,
  CF,
  exec,
  OF,
  PF,
  resultFlags,
  SF,
  type Size,
  STATUS,
  sub,
  ZF,
} from './reference.ts';

const NUM_RUNS = Number(process.env.FUZZ_RUNS ?? 1500);
const test = new TestCpu();

const size = fc.constantFrom<Size>(1, 2, 4);
/** 32-bit values with the edges of every size. */
const value = fc.oneof(
  fc.integer({ min: 0, max: 0xffff_ffff }),
  fc.constantFrom(0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff),
);
const flags = fc
  .integer({ min: 0, max: 63 })
  .map((n) => 2 | [CF, PF, AF, ZF, SF, OF].reduce((sum, mask, i) => sum | ((n >> i) & 1 ? mask : 0), 0));

const cut = (n: number, s: Size): bigint => BigInt.asUintN(bitsOf(s), BigInt(n));
const signed = (n: bigint, s: Size): bigint => BigInt.asIntN(bitsOf(s), n);

/** Replaces the low `s` bytes of a register. */
const merge = (old: number, n: bigint, s: Size): number =>
  Number((BigInt(old) & ~(2n ** BigInt(bitsOf(s)) - 1n)) | BigInt.asUintN(bitsOf(s), n));

/** 66 prefix for 32 bits. */
const o32 = (s: Size): number[] => (s === 4 ? [0x66] : []);
/** Opcode of the byte or word form. */
const wide = (opcode: number, s: Size): number => (s === 1 ? opcode : opcode | 1);

const NAMES = ['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp'];

function binary(
  operation: number,
  a: bigint,
  b: bigint,
  s: Size,
  eflags: number,
): { value: bigint; flags: number } {
  const cf = eflags & CF;
  const logic = (n: bigint): { value: bigint; flags: number } => ({ value: n, flags: resultFlags(n, s) });
  switch (NAMES[operation]) {
    case 'add':
      return add(a, b, 0, s);
    case 'adc':
      return add(a, b, cf, s);
    case 'sbb':
      return sub(a, b, cf, s);
    case 'or':
      return logic(a | b);
    case 'and':
      return logic(a & b);
    case 'xor':
      return logic(a ^ b);
    default:
      return sub(a, b, 0, s);
  }
}

describe('ADD OR ADC SBB AND SUB XOR CMP', () => {
  it('agree with BigInt in every form', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 7 }),
        fc.integer({ min: 0, max: 5 }),
        size,
        value,
        value,
        flags,
        (operation, form, s, a, b, eflags) => {
          const bytes = Array.from({ length: s }, (_, i) => (b >>> (8 * i)) & 0xff);
          const group = operation << 3;
          // eax is the destination (or memory at DS:BX), ecx the source.
          const code = [
            [...o32(s), wide(group, s), 0xc8],
            [...o32(s), wide(group | 2, s), 0xc1],
            [...o32(s), wide(group | 4, s), ...bytes],
            [...o32(s), wide(0x80, s), 0xc0 | group, ...bytes],
            [...o32(s), wide(group, s), 0x0f],
            [...o32(s), wide(group | 2, s), 0x07],
          ][form];
          const inMemory = form === 4;
          test.memory.view.setUint32(0x2_0010, inMemory ? a : b, true);
          exec(test, code, { eax: a, ecx: b, ebx: 0x10, eflags });
          const want = binary(operation, cut(a, s), cut(b, s), s, eflags);
          const left = operation === 7 ? a : merge(a, want.value, s);
          const defined = [1, 4, 6].includes(operation) ? ~AF : -1;
          const state = test.state;
          expect(inMemory ? test.memory.view.getUint32(0x2_0010, true) : state.eax).toBe(left);
          expect((state.eflags & defined).toString(16)).toBe(((want.flags | 2) & defined).toString(16));
        },
      ),
      { numRuns: 3 * NUM_RUNS },
    );
  });
});

describe('TEST INC DEC NEG NOT', () => {
  it('agree with BigInt in registers and memory', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 4 }),
        fc.boolean(),
        size,
        value,
        value,
        flags,
        (which, mem, s, a, b, eflags) => {
          const modrm = mem ? 0x07 : 0xc0;
          const code = [
            [...o32(s), wide(0x84, s), modrm | 8],
            [...o32(s), wide(0xfe, s), modrm],
            [...o32(s), wide(0xfe, s), modrm | 8],
            [...o32(s), wide(0xf6, s), modrm | 0x18],
            [...o32(s), wide(0xf6, s), modrm | 0x10],
          ][which];
          test.memory.view.setUint32(0x2_0010, a, true);
          exec(test, code, { eax: a, ecx: b, ebx: 0x10, eflags });
          const x = cut(a, s);
          const keepCf = (r: { value: bigint; flags: number }): { value: bigint; flags: number } => ({
            value: r.value,
            flags: (r.flags & ~CF) | (eflags & CF),
          });
          const want = [
            { value: x, flags: resultFlags(x & cut(b, s), s) },
            keepCf(add(x, 1n, 0, s)),
            keepCf(sub(x, 1n, 0, s)),
            sub(0n, x, 0, s),
            { value: ~x, flags: eflags },
          ][which];
          const defined = which === 0 ? ~AF : -1;
          const state = test.state;
          expect(mem ? test.memory.view.getUint32(0x2_0010, true) : state.eax).toBe(merge(a, want.value, s));
          expect(state.eflags & defined).toBe((want.flags | 2) & defined);
        },
      ),
      { numRuns: 2 * NUM_RUNS },
    );
  });

  it('have short register forms INC r and DEC r', () => {
    fc.assert(
      fc.property(fc.boolean(), fc.constantFrom<Size>(2, 4), value, flags, (down, s, a, eflags) => {
        exec(test, [...o32(s), down ? 0x48 : 0x40], { eax: a, eflags });
        const want = down ? sub(cut(a, s), 1n, 0, s) : add(cut(a, s), 1n, 0, s);
        expect(test.state.eax).toBe(merge(a, want.value, s));
        expect(test.state.eflags).toBe(2 | (want.flags & ~CF) | (eflags & CF));
      }),
      { numRuns: NUM_RUNS },
    );
  });
});

/** The double-width register pair that MUL and DIV use: AX, DX:AX, EDX:EAX. */
const pair = (eax: number, edx: number, s: Size): bigint =>
  s === 1 ? cut(eax, 2) : (cut(edx, s) << BigInt(bitsOf(s))) | cut(eax, s);

describe('MUL and IMUL', () => {
  const over = (yes: boolean): number => (yes ? CF | OF : 0);

  it('of one operand give the whole product, CF and OF', () => {
    fc.assert(
      fc.property(fc.boolean(), fc.boolean(), size, value, value, value, (isSigned, mem, s, a, b, d) => {
        const code = [...o32(s), wide(0xf6, s), (mem ? 0x07 : 0xc1) | (isSigned ? 0x28 : 0x20)];
        test.memory.view.setUint32(0x2_0010, b, true);
        exec(test, code, { eax: a, ecx: b, edx: d, ebx: 0x10, eflags: 2 });
        const product = isSigned ? signed(cut(a, s), s) * signed(cut(b, s), s) : cut(a, s) * cut(b, s);
        const state = test.state;
        expect(pair(state.eax, state.edx, s)).toBe(BigInt.asUintN(2 * bitsOf(s), product));
        if (s === 1) expect(state.edx).toBe(d);
        if (s !== 4) expect(state.eax >>> 16).toBe(a >>> 16);
        const fits = isSigned
          ? product === signed(BigInt.asUintN(bitsOf(s), product), s)
          : product < 2n ** BigInt(bitsOf(s));
        expect(state.eflags & (CF | OF)).toBe(over(!fits));
      }),
      { numRuns: 2 * NUM_RUNS },
    );
  });

  it('of two and three operands give the low half, CF and OF', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2 }),
        fc.constantFrom<Size>(2, 4),
        value,
        value,
        (form, s, a, b) => {
          const bytes = Array.from({ length: s }, (_, i) => (b >>> (8 * i)) & 0xff);
          const code = [
            [...o32(s), 0x0f, 0xaf, 0xc1],
            [...o32(s), 0x69, 0xd0, ...bytes],
            [...o32(s), 0x6b, 0xd0, b & 0xff],
          ][form];
          exec(test, code, { eax: a, ecx: b, edx: 0, eflags: 2 });
          const factor = form === 2 ? BigInt.asIntN(8, BigInt(b)) : signed(cut(b, s), s);
          const product = signed(cut(a, s), s) * factor;
          const low = BigInt.asUintN(bitsOf(s), product);
          const state = test.state;
          expect(form === 0 ? state.eax : state.edx).toBe(form === 0 ? merge(a, low, s) : Number(low));
          expect(state.eflags & (CF | OF)).toBe(over(product !== signed(low, s)));
        },
      ),
      { numRuns: 2 * NUM_RUNS },
    );
  });
});

describe('DIV and IDIV', () => {
  const half = (s: Size): bigint => 2n ** BigInt(bitsOf(s));

  /** A dividend near the edge of what fits, now and then. */
  const division = fc
    .record({
      isSigned: fc.boolean(),
      s: size,
      divisor: value,
      eax: value,
      edx: value,
      edge: fc.constantFrom<bigint | null>(null, null, -2n, -1n, 0n, 1n, 2n),
      negative: fc.boolean(),
    })
    .map(({ isSigned, s, divisor, eax, edx, edge, negative }) => {
      if (edge === null)
        return { isSigned, s, divisor, dividend: BigInt.asUintN(2 * bitsOf(s), pair(eax, edx, s)) };
      const d = isSigned ? signed(cut(divisor, s), s) : cut(divisor, s);
      const quotient = isSigned ? (negative ? -half(s) / 2n : half(s) / 2n - 1n) : half(s) - 1n;
      return {
        isSigned,
        s,
        divisor,
        dividend: BigInt.asUintN(2 * bitsOf(s), quotient * d + edge * (1n + (d < 0n ? -d : d) / 2n)),
      };
    });

  it('give quotient and remainder, or #DE with nothing changed', () => {
    let faults = 0;
    fc.assert(
      fc.property(division, ({ isSigned, s, divisor, dividend }) => {
        const code = [...o32(s), wide(0xf6, s), isSigned ? 0xf9 : 0xf1];
        const mask = half(s) - 1n;
        const eax = s === 1 ? Number(dividend) : Number(dividend & mask);
        const edx = s === 1 ? 0x1234_5678 : Number(dividend >> BigInt(bitsOf(s)));
        const isFine = exec(test, code, { eax, edx, ecx: divisor, eflags: STATUS | 2 });
        const n = isSigned ? BigInt.asIntN(2 * bitsOf(s), dividend) : dividend;
        const d = isSigned ? signed(cut(divisor, s), s) : cut(divisor, s);
        const state = test.state;
        const q = d === 0n ? null : n / d;
        const fits = q !== null && (isSigned ? q === signed(BigInt.asUintN(bitsOf(s), q), s) : q < half(s));
        if (!fits || q === null) {
          faults++;
          expect([isFine, test.vector, state.eax, state.edx]).toEqual([false, 0, eax, edx]);
          expect(test.frame.ip).toBe(0x100);
          return;
        }
        const rest = BigInt.asUintN(bitsOf(s), n % d);
        const low = BigInt.asUintN(bitsOf(s), q);
        expect(isFine).toBe(true);
        if (s === 1) expect([state.eax, state.edx]).toEqual([Number((rest << 8n) | low), edx]);
        else expect([state.eax, state.edx]).toEqual([Number(low), Number(rest)]);
      }),
      { numRuns: 4 * NUM_RUNS },
    );
    expect(faults).toBeGreaterThan(NUM_RUNS / 10);
  });

  it.each(
    rows([
      {
        asm: 'idiv of 8000000000000000h by −1 is #DE',
        code: '66 f7 f9',
        in: { eax: 0, edx: 0x8000_0000, ecx: 0xffff_ffff },
        fault: 0,
      },
      {
        asm: 'idiv of 80000000h by −1 is #DE',
        code: '66 f7 f9',
        in: { eax: 0x8000_0000, edx: 0xffff_ffff, ecx: 0xffff_ffff },
        fault: 0,
      },
      {
        asm: 'idiv of −80000000h by 1',
        code: '66 f7 f9',
        in: { eax: 0x8000_0000, edx: 0xffff_ffff, ecx: 1 },
        out: { eax: 0x8000_0000, edx: 0 },
      },
      {
        asm: 'idiv of 8000000000000000h by 80000000h is #DE',
        code: '66 f7 f9',
        in: { eax: 0, edx: 0x8000_0000, ecx: 0x8000_0000 },
        fault: 0,
      },
      {
        asm: 'idiv of −8000h by 1 (16 bits)',
        code: 'f7 f9',
        in: { eax: 0x8000, edx: 0xffff, ecx: 1 },
        out: { eax: 0x8000, edx: 0 },
      },
      {
        asm: 'idiv of 8000h by −1 (16 bits) is #DE',
        code: 'f7 f9',
        in: { eax: 0x8000, edx: 0xffff, ecx: 0xffff },
        fault: 0,
      },
      { asm: 'idiv of −80h by 1 (8 bits)', code: 'f6 f9', in: { eax: 0xff80, ecx: 1 }, out: { eax: 0x80 } },
      { asm: 'idiv of 80h by 1 (8 bits) is #DE', code: 'f6 f9', in: { eax: 0x80, ecx: 1 }, fault: 0 },
      { asm: 'div by 0 is #DE', code: '66 f7 f1', in: { edx: 0, ecx: 0 }, fault: 0 },
      {
        asm: 'div of FFFFFFFEFFFFFFFFh by FFFFFFFFh',
        code: '66 f7 f1',
        in: { eax: 0xffff_ffff, edx: 0xffff_fffe, ecx: 0xffff_ffff },
        out: { eax: 0xffff_ffff, edx: 0xffff_fffe },
      },
      { asm: 'a #DE behind a prefix points at it', code: '2e 66 f7 f1', in: { ecx: 0 }, fault: 0 },
    ]),
  )('%s', (_, row) => {
    check(row);
  });
});

describe('ADCX and ADOX', () => {
  it('carry through CF or OF and leave the rest', () => {
    fc.assert(
      fc.property(fc.boolean(), value, value, flags, (overflow, a, b, eflags) => {
        exec(test, [overflow ? 0xf3 : 0x66, 0x0f, 0x38, 0xf6, 0xc1], { eax: a, ecx: b, eflags });
        const flag = overflow ? OF : CF;
        const sum = BigInt(a) + BigInt(b) + ((eflags & flag) !== 0 ? 1n : 0n);
        expect(test.state.eax).toBe(Number(BigInt.asUintN(32, sum)));
        expect(test.state.eflags).toBe((eflags & ~flag) | (sum >= 2n ** 32n ? flag : 0));
      }),
      { numRuns: NUM_RUNS },
    );
  });
});
