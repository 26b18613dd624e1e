/**
 * `pio86 conform PATH…`: replays recorded vectors and says where pio86 disagrees with the processor or with KVM.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { closingLines, failureLines, fileLine, jsonReport, type Totals } from './conform-report.ts';
import type { ConformEngine } from './engine-names.ts';
import { type Failure, type FileVerdict, judgeFile } from './file-verdict.ts';
import { findVectorFiles, messageOf, type VectorFile } from './vector-files.ts';

/** How to report. */
export interface ConformOptions {
  /** How many failures are shown in full. */
  readonly failures: number;
  /** One JSON document instead of lines. */
  readonly json: boolean;
  /** Only cases whose id contains this text (`i=143`, `id=7`). */
  readonly filter?: string;
  /** Default `off`. */
  readonly jit?: ConformEngine;
}

/** Where the report goes. */
export interface LineSink {
  line(text: string): void;
}

const EXIT_OK = 0;
const EXIT_FINDING = 1;
const EXIT_BAD_INPUT = 3;

/**
 * Replays all vector files under `paths`.
 * @returns the exit code: 1 when a case failed; else 3 when something was malformed or there was nothing to replay;
 * else 0.
 */
export async function runConform(
  paths: readonly string[],
  options: ConformOptions,
  out: LineSink,
): Promise<number> {
  const problems: string[] = [];
  const files = paths.flatMap((path) => filesOf(path, problems));
  const nameWidth = Math.max(0, ...files.map((file) => file.name.length));
  if (!options.json) for (const problem of problems) out.line(problem);
  const verdicts: FileVerdict[] = [];
  const failures: Failure[] = [];
  for (const file of files) {
    const verdict = judgeFile(file, options.filter ?? '', options.jit ?? 'off', (failure) => {
      if (failures.length < options.failures) failures.push(failure);
    });
    verdicts.push(verdict);
    if (!options.json) {
      out.line(fileLine(verdict, nameWidth));
      for (const complaint of verdict.complaints) out.line(`  malformed: ${complaint}`);
    }
    // Ctrl-C is heard between files.
    await nextTurn();
  }
  const totals = totalsOf(verdicts, problems.length);
  if (totals.passed + totals.failed + totals.excluded + totals.malformed === 0) {
    problems.push('no vectors to replay');
    if (!options.json) out.line('no vectors to replay');
  }
  if (options.json) {
    problems.push(...verdicts.flatMap((verdict) => verdict.complaints));
    out.line(jsonReport(verdicts, failures, totals, problems));
  } else {
    for (const failure of failures) for (const line of failureLines(failure)) out.line(line);
    for (const line of closingLines(totals, verdicts)) out.line(line);
  }
  if (totals.failed > 0) return EXIT_FINDING;
  return problems.length + totals.malformed > 0 ? EXIT_BAD_INPUT : EXIT_OK;
}

function filesOf(path: string, problems: string[]): VectorFile[] {
  try {
    const files = findVectorFiles(path);
    if (files.length === 0) problems.push(`${path}: no .jsonl or .jsonl.gz file in it`);
    return files;
  } catch (error) {
    problems.push(`${path}: ${messageOf(error)}`);
    return [];
  }
}

function totalsOf(verdicts: readonly FileVerdict[], malformed: number): Totals {
  const totals: Totals = { passed: 0, failed: 0, excluded: 0, malformed };
  for (const verdict of verdicts) {
    totals.passed += verdict.passed;
    totals.failed += verdict.failed;
    totals.excluded += verdict.excluded;
    totals.malformed += verdict.malformed;
  }
  return totals;
}
