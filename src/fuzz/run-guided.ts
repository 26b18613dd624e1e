/**
 * `pio86 fuzz TARGET --coverage` and `--corpus DIR`: a guided campaign, and `--minimize`: a corpus made as small as its coverage allows.
 */
import { appendFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EmulatorError } from '../errors.ts';
import { CorpusFolder } from './corpus-folder.ts';
import { FeatureSet } from './engine/coverage-map.ts';
import { type GuidedState, runGuidedCampaign } from './engine/guided-campaign.ts';
import type { GuidedRunner, GuidedWorker } from './engine/guided-worker.ts';
import { minimalSet } from './engine/minimal-set.ts';
import { PLOT_HEAD, plotRow, reportGuided } from './report/guided-report.ts';
import type { LineSink } from './report/report.ts';

/** What to run. */
export interface GuidedFuzzOptions {
  readonly target: string;
  readonly runs: number;
  /** Seconds; infinite: until all cases are run. */
  readonly time: number;
  readonly seed: number;
  /** The folder of cases; without it what is found is lost at the end. */
  readonly corpus?: string;
  /** A folder for reproducers of what is found. */
  readonly findings?: string;
  readonly json: boolean;
}

/** What the engine needs from its host. */
export interface GuidedHost {
  readonly out: LineSink;
  /** Milliseconds. */
  now(): number;
  isStopped(): boolean;
  /** Told after each task; a status screen. */
  progress(state: GuidedState): void;
}

const EXIT_OK = 0;
const EXIT_FINDING = 1;
const MS = 1000;
const PLOT_FILE = 'plot.csv';
/** How often the plot file gets a row. */
const PLOT_MS = 5000;

/**
 * Fuzzes with coverage guidance. @returns the exit code: 0 nothing found, 1 a finding.
 * @throws EmulatorError `E_INPUT` for a corpus that cannot be read or written.
 */
export async function runGuidedFuzz(
  options: GuidedFuzzOptions,
  runner: GuidedRunner,
  host: GuidedHost,
): Promise<number> {
  const { target, seed, runs, time, corpus, json } = options;
  const folder = corpus === undefined ? null : new CorpusFolder(corpus);
  const files = folder?.read() ?? [];
  const plot = folder === null ? null : new PlotFile(join(folder.path, PLOT_FILE));
  if (!json) host.out.line(`# ${target}: seed ${seed}, ${files.length} cases in the corpus`);
  const end = await runGuidedCampaign(runner, {
    runs,
    timeMs: time * MS,
    texts: files.map(({ text }) => text),
    now: () => host.now(),
    isStopped: () => host.isStopped(),
    keep: (text) => folder?.add(text),
    refuse: (index, why) => {
      throw new EmulatorError('E_INPUT', `${files[index]?.path ?? 'a case of another worker'}: ${why}`);
    },
    progress: (state) => {
      host.progress(state);
      plot?.add(state, PLOT_MS);
    },
  });
  plot?.add(end, 0);
  saveFinding(options, end);
  reportGuided(options, end, host.out);
  return end.finding === null ? EXIT_OK : EXIT_FINDING;
}

/** Rows of where the campaign was, the first one right away. */
class PlotFile {
  readonly #path: string;
  #next = 0;

  constructor(path: string) {
    this.#path = path;
    if (!existsSync(path)) writeFileSync(path, `${PLOT_HEAD}\n`);
  }

  /** @param everyMs rows are as far apart. */
  add(state: GuidedState, everyMs: number): void {
    if (everyMs > 0 && state.elapsedMs < this.#next) return;
    this.#next = state.elapsedMs + everyMs;
    appendFileSync(this.#path, `${plotRow(state)}\n`);
  }
}

function saveFinding({ findings, target }: GuidedFuzzOptions, { finding, runs }: GuidedState): void {
  if (findings === undefined || finding === null) return;
  mkdirSync(findings, { recursive: true });
  const comments = finding.differences.map((line) => `# ${line}`);
  const text = `${[...finding.lines, ...comments].join('\n')}\n`;
  writeFileSync(join(findings, `${target}-guided-${runs}.txt`), text);
}

/**
 * Removes the cases of a corpus that cover nothing that others do not; cases that differ from their oracle stay.
 * @returns the exit code: 1 when one differs. @throws EmulatorError `E_INPUT` for a file that is no case.
 */
export function minimizeCorpus(
  { target, corpus, json }: { readonly target: string; readonly corpus: string; readonly json: boolean },
  worker: GuidedWorker,
  out: LineSink,
): number {
  const folder = new CorpusFolder(corpus);
  const files = folder.read();
  const covered = new FeatureSet();
  const cases = files.flatMap((file) => {
    const measured = measure(worker, file.path, file.text);
    if (measured === null) return [];
    covered.add(measured.features);
    return [{ file, ...measured }];
  });
  const kept = new Set(minimalSet(cases));
  folder.remove(cases.filter((test) => !kept.has(test)).map(({ file }) => file));
  const differing = files.length - cases.length;
  const after = kept.size + differing;
  const { edges, size: features } = covered;
  if (json)
    out.line(
      JSON.stringify({ schemaVersion: 2, target, before: files.length, after, edges, features, differing }),
    );
  else {
    out.line(`${files.length} cases before, ${after} after: ${edges} edges, ${features} features`);
    if (differing > 0) out.line(`${differing} of them differ from the oracle`);
  }
  return differing === 0 ? EXIT_OK : EXIT_FINDING;
}

function measure(worker: GuidedWorker, path: string, text: string): ReturnType<GuidedWorker['measure']> {
  try {
    return worker.measure(text);
  } catch (error) {
    throw new EmulatorError('E_INPUT', `${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
