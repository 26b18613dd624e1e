import { describe, expect, it } from 'vitest';
import { spreadOf } from '../../../src/bench/statistics.ts';

describe('spreadOf', () => {
  it('is the one sample where there is one', () => {
    expect(spreadOf([4])).toEqual({ median: 4, min: 4, max: 4, q1: 4, q3: 4 });
  });

  it('halves an odd number of samples in the middle one', () => {
    expect(spreadOf([9, 1, 5, 7, 3])).toEqual({ median: 5, min: 1, max: 9, q1: 3, q3: 7 });
  });

  it('takes the mean of the two in the middle of an even number', () => {
    expect(spreadOf([4, 1, 3, 2])).toEqual({ median: 2.5, min: 1, max: 4, q1: 1.5, q3: 3.5 });
  });

  it('leaves the samples in their order', () => {
    const samples = [3, 1, 2];
    spreadOf(samples);
    expect(samples).toEqual([3, 1, 2]);
  });
});
