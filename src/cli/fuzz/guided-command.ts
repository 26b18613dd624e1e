/**
 * `pio86 fuzz TARGET --coverage`, `--corpus DIR` and `--minimize`, as the command line wants them.
 */
import { randomInt } from 'node:crypto';
import type { GuidedRunner } from '../../fuzz/engine/guided-worker.ts';
import { usageError } from '../cli-error.ts';
import type { CommandContext } from '../command.ts';
import { DEFAULT_RUNS, type FuzzCommandOptions, MAX_RUNS, MAX_SEED } from './fuzz-options.ts';
import type { GuidedWorkerData } from './instrumented-build.ts';
import { guidedStatus } from './status-screen.ts';

/** Options that a guided campaign has no use for. */
const NEVER_GUIDED = ['ledger', 'replay', 'export', 'oracle', 'queue'] as const;

/** Whether the options ask for coverage guidance. @throws CliError for options that do not go together. */
export function isGuided(options: FuzzCommandOptions): boolean {
  const { coverage, corpus, valueProfile, minimize } = options;
  if (minimize === true && corpus === undefined) throw usageError('--minimize needs --corpus');
  const isOn = coverage === true || corpus !== undefined;
  if (valueProfile === true && !isOn) throw usageError('--value-profile needs --coverage or --corpus');
  if (!isOn) return false;
  const wrong = NEVER_GUIDED.find((option) => options[option] !== undefined);
  if (wrong !== undefined) throw usageError(`--${wrong} does not go with coverage guidance`);
  return true;
}

/** Runs a guided campaign, or makes its corpus small. @returns the exit code. @throws CliError, EmulatorError. */
export async function guidedFuzz(
  context: CommandContext,
  target: string,
  options: FuzzCommandOptions,
): Promise<number> {
  const seed = options.seed ?? randomInt(MAX_SEED + 1);
  const data = { target, seed, kind: options.valueProfile === true ? 'values' : 'edges' } as const;
  const json = options.json === true;
  const out = { line: (text: string) => context.out.write(`${text}\n`) };
  const { minimizeCorpus, runGuidedFuzz } = await import('../../fuzz/run-guided.ts');
  const { corpus, findings } = options;
  if (options.minimize === true && corpus !== undefined) {
    return minimizeCorpus({ target, corpus, json }, await localWorker(data), out);
  }
  let isStopped = false;
  const off = context.io.onSigint(() => {
    isStopped = true;
  });
  const runner = await createRunner(data, options.workers);
  const workers = options.workers === 1 ? '1 worker' : `${options.workers} workers`;
  try {
    return await runGuidedFuzz(
      {
        target,
        seed,
        json,
        runs: options.runs ?? (options.time === undefined ? DEFAULT_RUNS : MAX_RUNS),
        time: options.time ?? Number.POSITIVE_INFINITY,
        ...(corpus === undefined ? {} : { corpus }),
        ...(findings === undefined ? {} : { findings }),
      },
      runner,
      {
        out,
        now: () => performance.now(),
        isStopped: () => isStopped,
        progress: guidedStatus(context, `pio86 fuzz ${target}: guided by coverage, seed ${seed}, ${workers}`),
      },
    );
  } finally {
    off();
    await runner.close();
  }
}

async function localWorker(data: Omit<GuidedWorkerData, 'worker'>) {
  const { createGuidedWorker } = await import('./instrumented-build.ts');
  return createGuidedWorker({ ...data, worker: 0 });
}

async function createRunner(data: Omit<GuidedWorkerData, 'worker'>, workers: number): Promise<GuidedRunner> {
  if (workers === 1) {
    const { localGuidedRunner } = await import('../../fuzz/engine/guided-worker.ts');
    return localGuidedRunner(await localWorker(data));
  }
  if (import.meta.url.endsWith('.ts')) throw usageError('--workers needs the built program, not its sources');
  const { GuidedPool } = await import('./guided-pool.ts');
  return new GuidedPool(data, workers);
}
