/** A few hundred random port I/O cases against the reference model: for Stryker (docs/mutation.md), which has no time for many. */
import { expect, it } from 'vitest';
import { StringIoTarget } from '../../src/fuzz/targets/string-io.ts';

const SEED = 77;
const CASES = 400;

it('400 random string I/O cases agree with the reference model', () => {
  const target = new StringIoTarget();
  for (let run = 0; run < CASES; run++) expect(target.run(SEED, run), `case ${run}`).toEqual([]);
  const { kernelAccesses, userspaceAccesses, faults } = target.takeCounts();
  expect(Math.min(kernelAccesses, userspaceAccesses, faults)).toBeGreaterThan(CASES / 40);
});
