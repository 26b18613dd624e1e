/**
 * `pio86 fuzz TARGET`: random cases against an independent oracle, and the replay of one that failed.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EmulatorError } from '../errors.ts';
import { type CampaignState, runCampaign } from './engine/campaign.ts';
import type { ExportFormat, FuzzTarget } from './engine/fuzz-target.ts';
import { Ledger } from './engine/ledger.ts';
import type { ShardRunner } from './engine/shard.ts';
import { type LineSink, reportCampaign, reportReplay } from './report/report.ts';

/** What to run. */
export interface FuzzOptions {
  readonly target: string;
  readonly runs: number;
  /** Seconds; infinite: until all cases are run. */
  readonly time: number;
  /** 32 bits; the same seed gives the same cases. */
  readonly seed: number;
  /** A ledger file: cases in it are not run again, and those that are run are entered. Its seed counts. */
  readonly ledger?: string;
  /** A folder for reproducers of what is found. */
  readonly findings?: string;
  /** One line of JSON at the end instead of text. */
  readonly json: boolean;
}

/** What the engine needs from its host. */
export interface FuzzHost {
  readonly out: LineSink;
  /** Milliseconds. */
  now(): number;
  isStopped(): boolean;
  /** Told after each shard; a status screen. */
  progress(state: CampaignState): void;
}

const EXIT_OK = 0;
const EXIT_FINDING = 1;
const MS = 1000;
/** How often the ledger is written. */
const LEDGER_MS = 2000;

/**
 * Fuzzes. @returns the exit code: 0 nothing found, 1 a finding.
 * @throws EmulatorError `E_ARGUMENT` for bad options, `E_INPUT` for a ledger of another campaign.
 */
export async function runFuzz(options: FuzzOptions, runner: ShardRunner, host: FuzzHost): Promise<number> {
  const problem = optionProblem(options);
  if (problem !== null) throw new EmulatorError('E_ARGUMENT', problem);
  const ledger = openLedger(options);
  const { out } = host;
  if (!options.json) out.line(`# ${options.target}: seed ${ledger.seed}, ${ledger.total} cases done before`);
  let written = host.now();
  const end = await runCampaign(runner, {
    runs: options.runs,
    timeMs: options.time * MS,
    ledger,
    now: () => host.now(),
    isStopped: () => host.isStopped(),
    progress: (state) => {
      host.progress(state);
      if (host.now() - written < LEDGER_MS) return;
      written = host.now();
      saveLedger(options, ledger);
    },
  });
  saveLedger(options, ledger);
  saveFinding(options, ledger.seed, end);
  reportCampaign(options, ledger, end, out);
  return end.finding === null ? EXIT_OK : EXIT_FINDING;
}

/** Runs a reproducer. @returns the exit code. @throws EmulatorError `E_INPUT` for one that cannot be read. */
export function replayFuzz(target: FuzzTarget, path: string, isJson: boolean, out: LineSink): number {
  const verdict = fromFile(path, (text) => target.replay(text));
  reportReplay(target.name, path, verdict, isJson, out);
  return verdict.differences.length === 0 ? EXIT_OK : EXIT_FINDING;
}

/** Prints a reproducer in another form. @throws EmulatorError `E_INPUT`. */
export function exportFuzz(target: FuzzTarget, path: string, format: ExportFormat, out: LineSink): number {
  for (const line of fromFile(path, (text) => target.export(text, format))) out.line(line);
  return EXIT_OK;
}

function fromFile<T>(path: string, use: (text: string) => T): T {
  try {
    return use(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new EmulatorError('E_INPUT', `${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function optionProblem({ runs, seed, time }: FuzzOptions): string | null {
  if (!Number.isInteger(runs) || runs < 1) return `fuzz: --runs ${runs} is not a whole number from 1`;
  if (!(time > 0)) return `fuzz: --time ${time} is not above 0`;
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffff_ffff) {
    return `fuzz: --seed ${seed} is not a whole number from 0 to 0xffffffff`;
  }
  return null;
}

function openLedger({ ledger: path, target, seed }: FuzzOptions): Ledger {
  if (path === undefined || !existsSync(path)) return new Ledger(target, seed);
  const ledger = fromFile(path, (text) => Ledger.parse(text));
  if (ledger.target === target) return ledger;
  throw new EmulatorError('E_INPUT', `${path}: a ledger of ${ledger.target}, not of ${target}`);
}

/** Written aside and put in place: a ledger is never half there. */
function saveLedger({ ledger: path }: FuzzOptions, ledger: Ledger): void {
  if (path === undefined) return;
  writeFileSync(`${path}.new`, `${ledger.lines().join('\n')}\n`);
  renameSync(`${path}.new`, path);
}

function saveFinding(options: FuzzOptions, seed: number, { finding }: CampaignState): void {
  if (options.findings === undefined || finding === null) return;
  mkdirSync(options.findings, { recursive: true });
  const comments = finding.differences.map((line) => `# ${line}`);
  const path = join(options.findings, `${options.target}-${seed}-${finding.run}.txt`);
  writeFileSync(path, `${[...finding.lines, ...comments].join('\n')}\n`);
}
