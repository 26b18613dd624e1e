/**
 * `pio86 fuzz TARGET`: random cases against an independent reference, and the replay of one that failed.
 */
import { readFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { EmulatorError } from '../errors.ts';
import { caseFromText, caseToText } from './case-text.ts';
import { CaseSource } from './generate-case.ts';
import { StringIoJudge } from './judge-case.ts';
import { shrinkCase } from './shrink-case.ts';
import type { StringIoCase } from './string-io-case.ts';

/** What can be fuzzed. */
export const FUZZ_TARGETS = ['string-io'] as const;

/** What to run. */
export interface FuzzOptions {
  /** One of {@link FUZZ_TARGETS}. */
  readonly target: string;
  readonly runs: number;
  /** 32 bits; the same seed gives the same cases. */
  readonly seed: number;
  /** A reproducer to run instead of random cases. */
  readonly replay?: string;
  /** One JSON document instead of lines. */
  readonly json: boolean;
}

/** Where the report goes. */
export interface LineSink {
  line(text: string): void;
}

const EXIT_OK = 0;
const EXIT_FINDING = 1;

/** Version of the `--json` document. */
const SCHEMA_VERSION = 1;
/** Cases between two looks at whether the user has had enough. */
const SLICE = 500;

/** A case that the emulator and the model disagree about. */
interface Finding {
  readonly run: number;
  readonly test: StringIoCase;
  readonly differences: readonly string[];
}

/** Counts of a run: what the cases did, so that a fuzzer that tests nothing is seen. */
interface Tally {
  runs: number;
  /** Cases that left what the model knows. */
  notJudged: number;
  kernelAccesses: number;
  userspaceAccesses: number;
  /** Exceptions taken. */
  faults: number;
}

/**
 * Fuzzes, or replays one case. @returns the exit code: 0 nothing found, 1 a finding.
 * @throws EmulatorError `E_ARGUMENT` for bad options, `E_INPUT` for a reproducer that cannot be read.
 */
export async function runFuzz(
  options: FuzzOptions,
  out: LineSink,
  judge: StringIoJudge = new StringIoJudge(),
): Promise<number> {
  const problem = optionProblem(options);
  if (problem !== null) throw new EmulatorError('E_ARGUMENT', problem);
  if (options.replay !== undefined) return replay(options, options.replay, out, judge);
  if (!options.json) out.line(`# ${options.target}: seed ${options.seed}, ${options.runs} runs`);
  const tally: Tally = { runs: 0, notJudged: 0, kernelAccesses: 0, userspaceAccesses: 0, faults: 0 };
  const finding = await search(options, judge, tally);
  report(options, tally, finding, out);
  return finding === null ? EXIT_OK : EXIT_FINDING;
}

function optionProblem({ target, runs, seed }: FuzzOptions): string | null {
  if (!FUZZ_TARGETS.some((known) => known === target)) {
    return `fuzz: no target "${target}" (there is: ${FUZZ_TARGETS.join(', ')})`;
  }
  if (!Number.isInteger(runs) || runs < 1) return `fuzz: --runs ${runs} is not a whole number from 1`;
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffff_ffff) {
    return `fuzz: --seed ${seed} is not a whole number from 0 to 0xffffffff`;
  }
  return null;
}

/** Runs cases until one fails; that one is made small. */
async function search(options: FuzzOptions, judge: StringIoJudge, tally: Tally): Promise<Finding | null> {
  const cases = new CaseSource(options.seed);
  for (let run = 0; run < options.runs; run++) {
    if (run % SLICE === SLICE - 1) await nextTurn();
    const test = cases.at(run);
    const verdict = judge.judge(test);
    tally.runs++;
    if (!verdict.isJudged) tally.notJudged++;
    tally.kernelAccesses += verdict.kernel;
    tally.userspaceAccesses += verdict.userspace;
    tally.faults += verdict.faults;
    if (verdict.differences.length > 0) {
      const small = await shrinkCase(test, (candidate) => judge.judge(candidate).differences.length > 0);
      return { run, test: small, differences: judge.judge(small).differences };
    }
  }
  return null;
}

function replay(options: FuzzOptions, path: string, out: LineSink, judge: StringIoJudge): number {
  let test: StringIoCase;
  try {
    test = caseFromText(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new EmulatorError('E_INPUT', `${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const { differences, isJudged } = judge.judge(test);
  if (options.json) {
    const document = {
      schemaVersion: SCHEMA_VERSION,
      target: options.target,
      replay: path,
      isJudged,
      differences,
    };
    out.line(JSON.stringify(document, null, 2));
  } else if (!isJudged) {
    out.line('the reference model does not know what this case runs into: not judged');
  } else {
    for (const difference of differences) out.line(difference);
    out.line(differences.length > 0 ? '1 finding' : '0 findings');
  }
  return differences.length > 0 ? EXIT_FINDING : EXIT_OK;
}

function report(options: FuzzOptions, tally: Tally, finding: Finding | null, out: LineSink): void {
  const reproducer = finding === null ? [] : caseToText(finding.test, options.seed, finding.run);
  if (options.json) {
    const document = {
      schemaVersion: SCHEMA_VERSION,
      target: options.target,
      seed: options.seed,
      ...tally,
      findings: finding === null ? [] : [{ run: finding.run, differences: finding.differences, reproducer }],
    };
    out.line(JSON.stringify(document, null, 2));
    return;
  }
  const { runs, kernelAccesses, userspaceAccesses, faults, notJudged } = tally;
  const counts = [
    `${kernelAccesses} kernel accesses, ${userspaceAccesses} exits, ${faults} faults, ${notJudged} not judged`,
    `${runs} runs, ${finding === null ? '0 findings' : '1 finding'} (seed ${options.seed})`,
  ];
  if (finding === null) {
    for (const line of counts) out.line(line);
    return;
  }
  // Everything but the case is a comment: the whole output can be replayed.
  out.line(`# run ${finding.run} differs; the smallest case that does:`);
  for (const line of reproducer) out.line(line);
  for (const line of [...finding.differences, ...counts]) out.line(`# ${line}`);
}
