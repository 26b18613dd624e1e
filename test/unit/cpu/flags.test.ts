/** Lazy flags: every combination has a representation, and every setter leaves the others alone. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  getAf,
  getCf,
  getEflags,
  getOf,
  getPf,
  getSf,
  getStatusFlags,
  getZf,
  setCf,
  setEflags,
  setFlagsAdd,
  setFlagsIncDec,
  setFlagsLogic,
  setFlagsResult,
  setFlagsSub,
  setOf,
  setStatusFlags,
  setZf,
  signExtend,
  testCondition,
} from '../../../src/cpu/flags.ts';
import { TestCpu } from './driver.ts';
import { AF, add, bitsOf, CF, OF, PF, resultFlags, SF, type Size, STATUS, sub, ZF } from './reference.ts';

const MASKS = [CF, PF, AF, ZF, SF, OF];
const combination = (n: number): number => MASKS.reduce((sum, mask, i) => sum | ((n >> i) & 1 ? mask : 0), 0);
const ALL = Array.from({ length: 64 }, (_, n) => combination(n));
const size = fc.constantFrom<Size>(1, 2, 4);
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });

/** States that operations leave, not only those that setStatusFlags makes. */
const someState = fc.tuple(u32, u32, size, fc.integer({ min: 0, max: 3 })).map(([a, b, s, how]) => {
  const lazy = new Int32Array(2);
  if (how === 0) setFlagsAdd(lazy, a | 0, b | 0, (a + b) | 0, s);
  else if (how === 1) setFlagsSub(lazy, a | 0, b | 0, (a - b) | 0, s);
  else if (how === 2) setFlagsLogic(lazy, a & b, s);
  else setStatusFlags(lazy, b);
  return lazy;
});

describe('status flags', () => {
  it('round-trip in all 64 combinations, one by one and together', () => {
    const lazy = new Int32Array(2);
    for (const flags of ALL) {
      setStatusFlags(lazy, flags);
      expect(getStatusFlags(lazy)).toBe(flags);
      const single = [getCf, getPf, getAf, getZf, getSf, getOf].map((get, i) =>
        get(lazy) !== 0 ? MASKS[i] : 0,
      );
      expect(single.reduce((sum, bit) => sum | bit, 0)).toBe(flags);
      for (const get of [getCf, getPf, getAf, getZf, getSf, getOf]) expect([0, 1]).toContain(get(lazy));
    }
  });

  it.each<[string, (lazy: Int32Array, value: number) => void, number]>([
    ['CF', setCf, CF],
    ['OF', setOf, OF],
    ['ZF', setZf, ZF],
  ])('keep the others when %s is set or cleared', (_, set, mask) => {
    const lazy = new Int32Array(2);
    for (const flags of ALL) {
      for (const value of [0, 1]) {
        setStatusFlags(lazy, flags);
        set(lazy, value);
        expect(getStatusFlags(lazy)).toBe((flags & ~mask) | (value !== 0 ? mask : 0));
      }
    }
    fc.assert(
      fc.property(someState, fc.constantFrom(0, 1), (state, value) => {
        const before = getStatusFlags(state);
        set(state, value);
        expect(getStatusFlags(state)).toBe((before & ~mask) | (value !== 0 ? mask : 0));
      }),
    );
  });

  it('decide the sixteen conditions alike in every representation', () => {
    fc.assert(
      fc.property(someState, fc.integer({ min: 0, max: 15 }), (state, cc) => {
        const plain = new Int32Array(2);
        setStatusFlags(plain, getStatusFlags(state));
        expect(testCondition(state, cc)).toBe(testCondition(plain, cc));
        expect(testCondition(state, cc)).toBe(!testCondition(state, cc ^ 1));
      }),
    );
  });
});

describe('the helpers that operations call', () => {
  it('agree with BigInt for additions and subtractions with carry', () => {
    fc.assert(
      fc.property(size, u32, u32, fc.constantFrom(0, 1), (s, a, b, carry) => {
        const bits = bitsOf(s);
        const [x, y] = [BigInt.asUintN(bits, BigInt(a)), BigInt.asUintN(bits, BigInt(b))];
        const lazy = new Int32Array(2);
        setFlagsAdd(lazy, Number(x) | 0, Number(y) | 0, (Number(x) + Number(y) + carry) | 0, s);
        expect(getStatusFlags(lazy)).toBe(add(x, y, carry, s).flags);
        setFlagsSub(lazy, Number(x) | 0, Number(y) | 0, (Number(x) - Number(y) - carry) | 0, s);
        expect(getStatusFlags(lazy)).toBe(sub(x, y, carry, s).flags);
      }),
    );
  });

  it('set SF, ZF and PF from a result, CF and OF as told, and clear AF', () => {
    fc.assert(
      fc.property(size, u32, fc.constantFrom(0, 1), fc.constantFrom(0, 1), (s, r, cf, of) => {
        const lazy = new Int32Array(2);
        const want = resultFlags(BigInt(r), s);
        setFlagsResult(lazy, r | 0, s, cf, of);
        expect(getStatusFlags(lazy)).toBe(want | (cf !== 0 ? CF : 0) | (of !== 0 ? OF : 0));
        setFlagsLogic(lazy, r | 0, s);
        expect(getStatusFlags(lazy)).toBe(want);
      }),
    );
  });

  it('leave CF alone in INC and DEC', () => {
    const lazy = new Int32Array(2);
    for (const s of [1, 2, 4] as const) {
      for (const edge of [
        0, 1, 0xf, 0x10, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000,
      ]) {
        for (const step of [1, -1]) {
          for (const cf of [0, CF]) {
            const a = BigInt.asUintN(bitsOf(s), BigInt(edge));
            setStatusFlags(lazy, cf);
            setFlagsIncDec(lazy, signExtend(Number(a) + step, s), step, s);
            const want = step > 0 ? add(a, 1n, 0, s) : sub(a, 1n, 0, s);
            expect(getStatusFlags(lazy)).toBe((want.flags & ~CF) | cf);
          }
        }
      }
    }
  });
});

describe('EFLAGS', () => {
  it('keeps every bit that exists, and bit 1', () => {
    const { cpu } = new TestCpu();
    fc.assert(
      fc.property(u32, (value) => {
        setEflags(cpu, value);
        expect(getEflags(cpu)).toBe((value & 0x3f_7fd7) | 2);
      }),
    );
  });

  it('is read and written whole or in parts', () => {
    const { cpu } = new TestCpu();
    for (const flags of ALL) {
      setEflags(cpu, flags | 0x200);
      expect(getStatusFlags(cpu.lazy)).toBe(flags);
      expect(cpu.sysFlags & STATUS).toBe(0);
    }
  });
});
