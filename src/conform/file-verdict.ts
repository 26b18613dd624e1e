/**
 * Replays one vector file and counts: passed, failed, excluded by reason, malformed by line.
 */
import { EmulatorError } from '../errors.ts';
import { CaseDiff, type Difference } from './case-diff.ts';
import type { ConformEngine } from './engine-names.ts';
import { compareEngines, enginesOf } from './engines.ts';
import { VECTOR_FORMATS } from './formats.ts';
import { type JsonObject, parseVector } from './json-fields.ts';
import { messageOf, readVectorLines, type VectorFile } from './vector-files.ts';
import type { Replayer } from './vector-format.ts';

/** One case that did not do what it should. */
export interface Failure {
  readonly file: string;
  readonly line: number;
  readonly id: string;
  /** The instruction, as far as the vector tells. */
  readonly what: string;
  readonly differences: readonly Difference[];
  /** Differences that `differences` has no room for. */
  readonly more: number;
}

/** What came of one file. */
export interface FileVerdict {
  readonly name: string;
  /** The format's name, empty when the file is of none. */
  format: string;
  passed: number;
  failed: number;
  excluded: number;
  /** Excluded cases by tag; a case with two tags is in two counts. */
  readonly reasons: Map<string, number>;
  /** Lines that are no vectors, plus one for a damaged file. */
  malformed: number;
  /** What is wrong with the first of them: `path:line: what`. */
  readonly complaints: string[];
}

/** How many malformed lines of one file are shown; a file that is something else entirely stays readable. */
const MAX_COMPLAINTS = 10;

/** Replays a file; every failure goes to `onFailure`. Only cases whose id contains `filter` are run, on the engine named. */
export function judgeFile(
  file: VectorFile,
  filter: string,
  engine: ConformEngine,
  onFailure: (failure: Failure) => void,
): FileVerdict {
  const verdict: FileVerdict = {
    name: file.name,
    format: '',
    passed: 0,
    failed: 0,
    excluded: 0,
    reasons: new Map(),
    malformed: 0,
    complaints: [],
  };
  const { lines, damage } = readVectorLines(file.path);
  if (damage !== null) {
    const where = lines.length > 0 ? ` after line ${lines.length}` : '';
    complain(verdict, `${file.path}: ${damage}${where}`);
  }
  let replayers: readonly Replayer[] = [];
  const diff = new CaseDiff();
  for (const [i, text] of lines.entries()) {
    diff.clear();
    try {
      const test = parseVector(text);
      if (replayers.length === 0) replayers = openReplayers(test, file, verdict, engine);
      const [first] = replayers;
      if (judgeCase(replayers, test, filter, verdict, diff)) {
        onFailure(failure(verdict, i + 1, `${file.name} ${first.idOf(test)}`, first.describe(test), diff));
      }
    } catch (error) {
      if (!(error instanceof EmulatorError) || error.code !== 'E_VECTOR') throw error;
      complain(verdict, `${file.path}:${i + 1}: ${messageOf(error)}`);
    }
  }
  diff.clear();
  for (const replayer of replayers) replayer.finish(diff);
  if (diff.count > 0) {
    verdict.failed++;
    onFailure(failure(verdict, lines.length, `${file.name} (after the last case)`, '', diff));
  }
  return verdict;
}

function complain(verdict: FileVerdict, what: string): void {
  verdict.malformed++;
  if (verdict.complaints.length < MAX_COMPLAINTS) verdict.complaints.push(what);
}

/** One for each engine. */
function openReplayers(
  first: JsonObject,
  file: VectorFile,
  verdict: FileVerdict,
  engine: ConformEngine,
): readonly Replayer[] {
  const format = VECTOR_FORMATS.find((candidate) => candidate.detect(first));
  if (format === undefined) {
    const keys = Object.keys(first).slice(0, 8).join(', ');
    throw new EmulatorError('E_VECTOR', `no vector format has these fields: ${keys}`);
  }
  verdict.format = format.name;
  return enginesOf(engine).map((jit) => format.open(first, file.folder, jit));
}

/** Runs one case. @returns whether it failed. */
function judgeCase(
  replayers: readonly Replayer[],
  test: JsonObject,
  filter: string,
  verdict: FileVerdict,
  diff: CaseDiff,
): boolean {
  const [first, second] = replayers;
  if (!first.idOf(test).includes(filter)) return false;
  const reasons = first.exclusions(test);
  if (reasons.length > 0) {
    verdict.excluded++;
    for (const reason of reasons) verdict.reasons.set(reason, (verdict.reasons.get(reason) ?? 0) + 1);
    return false;
  }
  for (const replayer of replayers) replayer.replay(test, diff);
  if (second !== undefined) compareEngines(first, second, diff);
  if (diff.count === 0) verdict.passed++;
  else verdict.failed++;
  return diff.count > 0;
}

function failure(verdict: FileVerdict, line: number, id: string, what: string, diff: CaseDiff): Failure {
  return {
    file: verdict.name,
    line,
    id,
    what,
    differences: [...diff.rows],
    more: diff.count - diff.rows.length,
  };
}
