import { expect, it } from 'vitest';
import { minimalSet } from '../../../../src/fuzz/engine/minimal-set.ts';
import { Prng } from '../../../../src/fuzz/prng.ts';

it('keeps the case that covers what two others do together', () => {
  const both = { size: 9, features: [1, 2, 3] };
  expect(minimalSet([{ size: 1, features: [1] }, { size: 1, features: [2, 3] }, both])).toEqual([both]);
});

it('takes the smaller of two that cover the same, and each of those that cover something of their own', () => {
  const small = { size: 2, features: [5, 6] };
  const own = { size: 30, features: [7] };
  expect(minimalSet([{ size: 8, features: [5, 6] }, own, small])).toEqual([own, small]);
});

it('covers what all of them do with fewer cases', () => {
  const random = new Prng(11, 0);
  for (let round = 0; round < 50; round++) {
    const cases = Array.from({ length: 30 }, () => ({
      size: random.below(100),
      features: Array.from({ length: 1 + random.below(12) }, () => random.below(40)),
    }));
    const all = new Set(cases.flatMap(({ features }) => features));
    const kept = minimalSet(cases);
    expect(new Set(kept.flatMap(({ features }) => features))).toEqual(all);
    expect(kept.length).toBeLessThan(cases.length);
  }
});
