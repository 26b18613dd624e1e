import { describe, expect, it } from 'vitest';
import type { FuzzTarget } from '../../../../src/fuzz/engine/fuzz-target.ts';
import { MAX_FINDINGS, runWholeShard } from '../../../../src/fuzz/engine/shard.ts';

/** Case n differs when `isBad(n)`; making it small runs ten more. */
function target(isBad: (run: number) => boolean): FuzzTarget {
  let cases = 0;
  return {
    name: 't',
    run: (_seed, run) => {
      cases++;
      return isBad(run) ? ['x'] : [];
    },
    takeCounts: () => {
      const taken = { cases };
      cases = 0;
      return taken;
    },
    reproduce: (_seed, run) => {
      cases += 10;
      return Promise.resolve({ lines: [`${run}`], differences: ['x'] });
    },
    replay: () => ({ isJudged: true, differences: [] }),
    export: () => [],
  };
}

describe('runWholeShard', () => {
  it('goes on after findings and counts each case once', async () => {
    const result = await runWholeShard(
      target((run) => run % 4 === 1),
      { seed: 1, first: 8, count: 10 },
    );
    expect(result).toMatchObject({ counts: { cases: 10 }, differing: 3 });
    expect(result.findings.map(({ run }) => run)).toEqual([9, 13, 17]);
  });

  it('makes a few cases small where all differ, and counts the others', async () => {
    const result = await runWholeShard(
      target(() => true),
      { seed: 1, first: 0, count: 100 },
    );
    expect(result).toMatchObject({ counts: { cases: 100 }, differing: 100 });
    expect(result.findings).toHaveLength(MAX_FINDINGS);
  });
});
