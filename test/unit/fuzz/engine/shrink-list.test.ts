import { describe, expect, it } from 'vitest';
import { shrinkList } from '../../../../src/fuzz/engine/shrink-list.ts';

describe('shrinkList', () => {
  it('leaves the elements that are needed, and those simple', () => {
    const list = Array.from({ length: 50 }, (_, i) => i);
    const fails = (candidate: readonly number[]): boolean =>
      candidate.includes(7) && candidate.some((n) => n > 30);
    const small = shrinkList(list, fails, (n) => [31, 40].filter((simple) => simple < n));
    expect(small).toHaveLength(2);
    expect(small).toEqual([7, 31]);
  });

  it('leaves a list that cannot be smaller', () => {
    expect(shrinkList([3], () => true)).toEqual([3]);
    expect(shrinkList([1, 2], (candidate) => candidate.length === 2)).toEqual([1, 2]);
  });
});
