import { describe, expect, it } from 'vitest';
import { Prng } from '../../../src/fuzz/prng.ts';

const take = (random: Prng): number[] => Array.from({ length: 50 }, () => random.next());

describe('Prng', () => {
  it('gives the same stream for the same seed and another for another seed or stream', () => {
    const one = take(new Prng(7, 0));
    expect(take(new Prng(7, 0))).toEqual(one);
    expect(take(new Prng(8, 0))).not.toEqual(one);
    expect(take(new Prng(7, 1))).not.toEqual(one);
  });

  it('uses all 32 bits, unsigned', () => {
    const values = take(new Prng(0, 0));
    for (const value of values) expect(value).toBeGreaterThanOrEqual(0);
    expect(values.reduce((all, value) => (all | value) >>> 0, 0)).toBe(0xffff_ffff);
    expect(Math.max(...values)).toBeGreaterThan(0x8000_0000);
  });

  it('stays below what is asked for and reaches all of it', () => {
    const random = new Prng(1, 2);
    const seen = new Set(Array.from({ length: 300 }, () => random.below(7)));
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(new Set(Array.from({ length: 100 }, () => random.pick(['a', 'b'])))).toEqual(new Set(['a', 'b']));
    const rare = Array.from({ length: 4000 }, () => random.oneIn(4)).filter(Boolean).length;
    expect(rare).toBeGreaterThan(800);
    expect(rare).toBeLessThan(1200);
  });
});
