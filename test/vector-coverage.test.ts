/** The summary of what the vectors run, from which docs/instructions.md takes its columns. */
import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  COMMITTED_SETS,
  COVERAGE_FILE,
  coverageText,
  measureCoverage,
  OUTSIDE_SETS,
  readCoverage,
} from '../scripts/vector-coverage.ts';

/** The part of the summary that is about `sets`. */
function partOf(sets: readonly string[]): object {
  const names = sets.map((set) => `${basename(set)}/`);
  return Object.fromEntries(
    Object.entries(readCoverage()).filter(([file]) => names.some((name) => file.startsWith(name))),
  );
}

describe('test/vectors/coverage.json', () => {
  it('is what the vectors of this project decode to', () => {
    expect(partOf(COMMITTED_SETS)).toEqual(measureCoverage(COMMITTED_SETS));
  });

  it.skipIf(!OUTSIDE_SETS.every((set) => existsSync(set)))(
    'is what the vectors beside the project decode to (../shared/vectors)',
    () => {
      expect(partOf(OUTSIDE_SETS)).toEqual(measureCoverage(OUTSIDE_SETS));
    },
  );

  it('is written one file a line, as npm run docs:vectors writes it', () => {
    expect(readFileSync(COVERAGE_FILE, 'utf8')).toBe(coverageText(readCoverage()));
  });
});
