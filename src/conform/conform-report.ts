/**
 * What `pio86 conform` prints: a line a file, the first failures as a diff, the closing count; or one JSON document.
 */
import type { Failure, FileVerdict } from './file-verdict.ts';

/** Version of the `--json` document. */
const SCHEMA_VERSION = 1;

/** Counts over all files. */
export interface Totals {
  passed: number;
  failed: number;
  excluded: number;
  malformed: number;
}

/** `name  passed N  failed N  excluded N (lock 31, string 2)`. */
export function fileLine(verdict: FileVerdict, nameWidth: number): string {
  const counts = `passed ${pad(verdict.passed)}  failed ${pad(verdict.failed)}  excluded ${pad(verdict.excluded)}`;
  const line = `${verdict.name.padEnd(nameWidth)}  ${counts}${reasonList(verdict.reasons)}`;
  return verdict.malformed > 0 ? `${line}  malformed ${verdict.malformed}` : line;
}

/** One failure: what it was, then a line for everything that differs. */
export function failureLines(failure: Failure): string[] {
  const width = Math.max(...failure.differences.map((difference) => difference.what.length));
  const lines = [`FAIL ${failure.id} (line ${failure.line})  ${failure.what}`.trimEnd()];
  for (const { what, expected, got } of failure.differences) {
    lines.push(`  ${what.padEnd(width)}  expected ${expected}  got ${got}`);
  }
  if (failure.more > 0) lines.push(`  … and ${failure.more} more differences`);
  return lines;
}

/** `N passed, N failed`, with the excluded and malformed counts before it where there are any. */
export function closingLines(totals: Totals, verdicts: readonly FileVerdict[]): string[] {
  const lines: string[] = [];
  if (totals.excluded > 0) lines.push(`${totals.excluded} excluded${reasonList(sumReasons(verdicts))}`);
  if (totals.malformed > 0) lines.push(`${totals.malformed} malformed`);
  lines.push(`${totals.passed} passed, ${totals.failed} failed`);
  return lines;
}

/** The same as one JSON document. */
export function jsonReport(
  verdicts: readonly FileVerdict[],
  failures: readonly Failure[],
  totals: Totals,
  problems: readonly string[],
): string {
  const files = verdicts.map((verdict) => ({ ...verdict, reasons: Object.fromEntries(verdict.reasons) }));
  return JSON.stringify({ schemaVersion: SCHEMA_VERSION, ...totals, problems, files, failures }, null, 2);
}

function sumReasons(verdicts: readonly FileVerdict[]): ReadonlyMap<string, number> {
  const sum = new Map<string, number>();
  for (const { reasons } of verdicts) {
    for (const [reason, count] of reasons) sum.set(reason, (sum.get(reason) ?? 0) + count);
  }
  return sum;
}

function reasonList(reasons: ReadonlyMap<string, number>): string {
  if (reasons.size === 0) return '';
  return ` (${[...reasons].map(([reason, count]) => `${reason} ${count}`).join(', ')})`;
}

function pad(count: number): string {
  return String(count).padStart(5);
}
