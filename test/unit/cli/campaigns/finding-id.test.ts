import { describe, expect, it } from 'vitest';
import { findingId } from '../../../../src/cli/campaigns/finding-id.ts';

describe('findingId', () => {
  it('is the same for the same case from another seed and place', () => {
    const one = findingId({ lines: ['# replay', 'target=bus', 'seed=1', 'run=4', 'step=a'] });
    expect(findingId({ lines: ['target=bus', 'seed=2', 'run=9', '', 'step=a'] })).toBe(one);
    expect(findingId({ lines: ['target=bus', 'seed=1', 'run=4', 'step=b'] })).not.toBe(one);
  });
});
