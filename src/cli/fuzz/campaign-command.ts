/**
 * A campaign, and the replay of a case, as the command line wants them: for `pio86 fuzz` itself and for the process that asks the
 * host's KVM.
 */
import { randomInt } from 'node:crypto';
import type { CampaignState } from '../../fuzz/engine/campaign.ts';
import type { FuzzTarget } from '../../fuzz/engine/fuzz-target.ts';
import type { ShardRunner } from '../../fuzz/engine/shard.ts';
import type { CommandContext } from '../command.ts';
import { DEFAULT_RUNS, type FuzzCommandOptions, MAX_RUNS, MAX_SEED } from './fuzz-options.ts';

/** How often the status line changes. */
const STATUS_MS = 250;

/** Runs a campaign and closes the runner. @returns the exit code. @throws EmulatorError for bad options, a wrong ledger. */
export async function fuzzCampaign(
  context: CommandContext,
  name: string,
  options: FuzzCommandOptions,
  runner: ShardRunner,
): Promise<number> {
  const { runFuzz } = await import('../../fuzz/run-fuzz.ts');
  let isStopped = false;
  const off = context.io.onSigint(() => {
    isStopped = true;
  });
  const { ledger, findings } = options;
  try {
    return await runFuzz(
      {
        target: options.oracle === undefined ? name : `${name}-${options.oracle}`,
        runs: options.runs ?? (options.time === undefined ? DEFAULT_RUNS : MAX_RUNS),
        time: options.time ?? Number.POSITIVE_INFINITY,
        seed: options.seed ?? randomInt(MAX_SEED + 1),
        json: options.json === true,
        ...(ledger === undefined ? {} : { ledger }),
        ...(findings === undefined ? {} : { findings }),
      },
      runner,
      {
        out: { line: (text) => context.out.write(`${text}\n`) },
        now: () => performance.now(),
        isStopped: () => isStopped,
        progress: statusLine(context),
      },
    );
  } finally {
    off();
    await runner.close();
  }
}

/** Runs one saved case, or prints it in another form. @returns the exit code. @throws EmulatorError `E_INPUT`. */
export async function replayCase(
  { out }: CommandContext,
  target: FuzzTarget,
  path: string,
  options: FuzzCommandOptions,
): Promise<number> {
  const { requireReadable } = await import('../read-input.ts');
  requireReadable(path);
  const { exportFuzz, replayFuzz } = await import('../../fuzz/run-fuzz.ts');
  const sink = { line: (text: string) => out.write(`${text}\n`) };
  if (options.export !== undefined) return exportFuzz(target, path, options.export, sink);
  return replayFuzz(target, path, options.json === true, sink);
}

/** One line on a terminal that is written over; nothing elsewhere. */
function statusLine({ io, err }: CommandContext): (state: CampaignState) => void {
  if (io.stderr.isTTY !== true) return () => {};
  let shown = 0;
  return ({ runs, elapsedMs, finding }) => {
    if (elapsedMs - shown < STATUS_MS && finding === null) return;
    shown = elapsedMs;
    const seconds = elapsedMs / 1000;
    const rate = Math.round(runs / Math.max(seconds, 0.001));
    const text = `${runs} runs  ${rate} exec/s  ${seconds.toFixed(1)} s  ${finding === null ? 0 : 1} findings`;
    err.write(`\r\x1b[K${text}${finding === null ? '' : '\n'}`);
  };
}
