/** Writes test/vectors/coverage.json: which encodings the recorded vectors run. Needs ../shared/vectors/sst80286. */
import { existsSync, writeFileSync } from 'node:fs';
import {
  COMMITTED_SETS,
  COVERAGE_FILE,
  coverageText,
  measureCoverage,
  OUTSIDE_SETS,
} from './vector-coverage.ts';

const absent = OUTSIDE_SETS.filter((set) => !existsSync(set));
if (absent.length > 0) {
  console.error(`not there, so the summary stays as it is: ${absent.join(' ')}`);
  process.exitCode = 3;
} else {
  writeFileSync(COVERAGE_FILE, coverageText(measureCoverage([...COMMITTED_SETS, ...OUTSIDE_SETS])));
}
