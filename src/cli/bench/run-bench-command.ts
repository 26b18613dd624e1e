/** Carries out `pio86 bench`: files in and out, Ctrl-C, the exit code. */
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { BenchFailure } from '../../bench/bench-failure.ts';
import { type Baseline, readBaseline, requireCommonRows, slowdowns } from '../../bench/report/baseline.ts';
import { chartSvg } from '../../bench/report/chart.ts';
import { reportHtml } from '../../bench/report/html.ts';
import type { BenchReport } from '../../bench/report/report.ts';
import { reportText } from '../../bench/report/table.ts';
import { runBench } from '../../bench/run-bench.ts';
import { absentError, usageError } from '../cli-error.ts';
import type { CommandContext } from '../command.ts';
import { EXIT_FINDING, EXIT_OK, EXIT_SIGINT } from '../exit-codes.ts';
import type { CliIo } from '../io.ts';
import { fileErrorText, readInput } from '../read-input.ts';
import { packageVersion } from '../version.ts';
import type { BenchCommandOptions } from './bench-options.ts';

const MAX_BASELINE_BYTES = 16 << 20;

async function baselineOf(path: string, io: CliIo): Promise<Baseline> {
  const { bytes } = await readInput(path, io, MAX_BASELINE_BYTES);
  return readBaseline(new TextDecoder().decode(bytes), path);
}

/** Before an hour of measuring: can the chart be written at all? @throws CliError (usage). */
function requireWritable(path: string): void {
  try {
    closeSync(openSync(path, 'a'));
  } catch (error) {
    throw usageError(`--chart: cannot write ${path}: ${fileErrorText(error)}`);
  }
}

function writeChart(path: string, report: BenchReport): void {
  const svg = path.toLowerCase().endsWith('.svg');
  const text = svg ? chartSvg(report) : reportHtml(report);
  if (text === null)
    throw usageError('--chart: no rates were measured; name a workload of the groups io to tools');
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw usageError(`--chart: cannot write ${path}: ${fileErrorText(error)}`);
  }
}

async function measure(
  { io, err }: CommandContext,
  names: readonly string[],
  options: BenchCommandOptions,
  baseline: Baseline | null,
): Promise<BenchReport | null> {
  const abort = new AbortController();
  const offSigint = io.onSigint(() => abort.abort());
  try {
    return await runBench({
      names,
      samples: options.samples,
      seconds: options.seconds,
      clock: options.clock,
      jit: options.jit,
      peers: options.peers === true ? 'all' : (options.peer ?? []),
      version: packageVersion(),
      env: io.env,
      signal: abort.signal,
      progress: (text) => {
        if (io.stderr.isTTY === true) err.write(`pio86: bench: ${text}\n`);
      },
      note: (text) => err.write(`pio86: bench: ${text}\n`),
      ...(options.filter === undefined ? {} : { filter: options.filter }),
      ...(baseline === null ? {} : { baseline }),
    });
  } catch (error) {
    if (abort.signal.aborted) return null;
    if (error instanceof BenchFailure) throw absentError(`bench: ${error.message}`);
    throw error;
  } finally {
    offSigint();
  }
}

/** @returns the exit code: {@link EXIT_FINDING} for a slowdown beyond `--max-slowdown`, and where pio86 itself has failed. */
export async function runBenchCommand(
  context: CommandContext,
  names: readonly string[],
  options: BenchCommandOptions,
): Promise<number> {
  const { out, err, io } = context;
  if (options.maxSlowdown !== undefined && options.baseline === undefined) {
    throw usageError('--max-slowdown: there is no --baseline to compare with');
  }
  const baseline = options.baseline === undefined ? null : await baselineOf(options.baseline, io);
  if (options.chart !== undefined) requireWritable(options.chart);
  const report = await measure(context, names, options, baseline);
  if (report === null) return EXIT_SIGINT;
  out.write(`${options.json === true ? JSON.stringify(report) : reportText(report)}\n`);
  if (options.chart !== undefined) writeChart(options.chart, report);
  if (options.maxSlowdown !== undefined && report.rows.length > 0)
    requireCommonRows(report, options.baseline ?? '');
  const slow = options.maxSlowdown === undefined ? [] : slowdowns(report, options.maxSlowdown);
  for (const line of slow) err.write(`pio86: bench: ${line}\n`);
  const hasFailed = report.skipped.some(({ isFailure }) => isFailure);
  return slow.length > 0 || hasFailed ? EXIT_FINDING : EXIT_OK;
}
