/**
 * The closing lines of .ci/run, from the test runner's own report: each test that failed, then the counts.
 *
 *     node scripts/ci-summary.mjs test-report.json
 */
import { readFileSync } from 'node:fs';

const MESSAGE_CHARS = 600;

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
for (const { name, status, message, assertionResults } of report.testResults) {
  // A file that could not be loaded has no tests.
  if (status === 'failed' && assertionResults.length === 0) console.log(`FAILED ${name}: ${message}`);
  for (const test of assertionResults) {
    if (test.status !== 'failed') continue;
    console.log(
      `FAILED ${name} > ${test.fullName}: ${test.failureMessages.join(' ').slice(0, MESSAGE_CHARS)}`,
    );
  }
}
const skipped = report.numPendingTests > 0 ? `, ${report.numPendingTests} skipped` : '';
console.log(`${report.numPassedTests} passed, ${report.numFailedTests} failed${skipped}`);
