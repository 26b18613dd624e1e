/**
 * `pio86 fuzz TARGET --coverage`, `--corpus DIR` and `--minimize`, as the command line wants them.
 */
import { randomInt } from 'node:crypto';
import type { GuidedRunner } from '../../fuzz/engine/guided-worker.ts';
import type { CorpusExchange } from '../campaigns/corpus-exchange.ts';
import { usageError } from '../cli-error.ts';
import type { CommandContext } from '../command.ts';
import { DEFAULT_RUNS, type FuzzCommandOptions, MAX_RUNS, MAX_SEED } from './fuzz-options.ts';
import type { GuidedWorkerData } from './instrumented-build.ts';
import { guidedStatus } from './status-screen.ts';

/** Options that a guided campaign has no use for. */
const NEVER_GUIDED = [
  'ledger',
  'replay',
  'export',
  'oracle',
  'shard',
  'window',
  'statusPort',
  'statusHost',
] as const;

/** Whether the options ask for coverage guidance. @throws CliError for options that do not go together. */
export function isGuided(options: FuzzCommandOptions): boolean {
  const { coverage, corpus, valueProfile, minimize } = options;
  if (minimize === true && corpus === undefined) throw usageError('--minimize needs --corpus');
  const isOn = coverage === true || corpus !== undefined;
  if (valueProfile === true && !isOn) throw usageError('--value-profile needs --coverage or --corpus');
  if (!isOn) return false;
  const wrong = NEVER_GUIDED.find((option) => options[option] !== undefined);
  if (wrong !== undefined) throw usageError(`${flagOf(wrong)} does not go with coverage guidance`);
  if (options.name !== undefined && options.queue === undefined) throw usageError('--name needs --queue');
  if (minimize === true && options.queue !== undefined)
    throw usageError('--minimize does not go with --queue');
  return true;
}

/** `statusPort` → `--status-port`. */
export function flagOf(option: string): string {
  return `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
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
  let exchange: CorpusExchange | null = null;
  try {
    exchange = await openExchange(context, target, options);
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
        ...(exchange === null ? {} : { exchange }),
        progress: guidedStatus(context, `pio86 fuzz ${target}: guided by coverage, seed ${seed}, ${workers}`),
      },
    );
  } finally {
    off();
    await Promise.all([runner.close(), exchange?.close()]);
  }
}

/** The cases of other machines, under `--queue`. */
async function openExchange(
  { err }: CommandContext,
  target: string,
  { queue, name }: FuzzCommandOptions,
): Promise<CorpusExchange | null> {
  if (queue === undefined) return null;
  const { CorpusExchange } = await import('../campaigns/corpus-exchange.ts');
  return CorpusExchange.open(queue, name ?? target, target, (text) => err.write(`pio86: ${text}\n`));
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
