/** `pio86 fuzz`: random cases against independent oracles. */
import { EXPORT_FORMATS } from '../../fuzz/engine/fuzz-target.ts';
import { usageError } from '../cli-error.ts';
import type { CommandContext, CommandSpec } from '../command.ts';
import { fuzzCampaign, replayCase } from '../fuzz/campaign-command.ts';
import { type FuzzCommandOptions, KVM_ORACLE_TARGETS, MAX_RUNS, MAX_SEED } from '../fuzz/fuzz-options.ts';
import { FUZZ_TARGETS } from '../fuzz/targets.ts';
import { parseCount, parseNumber } from '../numbers.ts';

const MAX_SECONDS = 10_000_000;
const MAX_WORKERS = 256;

export const fuzzCommand: CommandSpec<FuzzCommandOptions> = {
  name: 'fuzz',
  summary: 'random cases against independent oracles',
  description:
    'Runs random cases of a target against its oracle. A difference is made small and printed as a case ' +
    'that --replay runs again. Exit code 1: a difference. See docs/fuzzing.md.',
  examples: [
    'pio86 fuzz string-io --runs 10000',
    'pio86 fuzz string-io --time 60 --workers 2 --json',
    'pio86 fuzz string-io --runs 50M --ledger string-io.ledger --time 600',
    'pio86 fuzz string-io --replay case.txt',
    'pio86 fuzz string-io --replay case.txt --export c',
  ],
  arguments: [{ name: '<target>', description: 'what to fuzz', choices: FUZZ_TARGETS }],
  options: [
    {
      flags: '--runs <n>',
      description: 'how many cases',
      defaultText: '10000, with --time no limit',
      parse: (text) => parseCount('--runs', text, 1, MAX_RUNS),
    },
    {
      flags: '--time <seconds>',
      description: 'stop after this time',
      parse: (text) => parseNumber('--time', text, 1, MAX_SECONDS),
    },
    {
      flags: '--seed <n>',
      description: 'the same seed gives the same cases (default: a random one, printed)',
      parse: (text) => parseNumber('--seed', text, 0, MAX_SEED),
    },
    {
      flags: '--workers <n>',
      description: 'threads',
      default: 1,
      parse: (text) => parseNumber('--workers', text, 1, MAX_WORKERS),
    },
    { flags: '--ledger <file>', description: 'keep which cases have been run, and go on from there' },
    { flags: '--findings <dir>', description: 'save what is found as files to --replay' },
    { flags: '--replay <file>', description: 'run one saved case instead' },
    {
      flags: '--export <form>',
      description: 'with --replay: print the case as a vitest test, a C program for /dev/kvm, a qtest script',
      choices: EXPORT_FORMATS,
    },
    {
      flags: '--oracle <oracle>',
      description: 'kvm: ask the host’s /dev/kvm too (string-io, devices)',
      choices: ['kvm'],
    },
    { flags: '--json', description: 'end with one line of JSON' },
  ],
  async action(context, [name = ''], options) {
    if (options.replay === undefined && options.export !== undefined)
      throw usageError('--export needs --replay');
    if (options.replay !== undefined && options.oracle !== 'kvm')
      return replayCase(context, await target(name), options.replay, options);
    if (options.oracle === 'kvm') return onHost(context, name, options);
    return fuzzCampaign(context, name, options, await createRunner(name, options.workers));
  },
};

/** The host's KVM is asked in a process of its own. */
async function onHost(context: CommandContext, target: string, options: FuzzCommandOptions): Promise<number> {
  if (!KVM_ORACLE_TARGETS.some((known) => known === target)) {
    throw usageError(`--oracle kvm: only for ${KVM_ORACLE_TARGETS.join(' and ')}`);
  }
  if (options.workers > 1) throw usageError('--oracle kvm runs on one thread: no --workers');
  const { superviseChild } = await import('../host/supervise.ts');
  // The child ends by itself: a signal ends every KVM_RUN.
  return superviseChild(context, { command: 'fuzz', target, options }, Number.POSITIVE_INFINITY);
}

async function createRunner(name: string, workers: number) {
  if (workers > 1) {
    if (import.meta.url.endsWith('.ts'))
      throw usageError('--workers needs the built program, not its sources');
    const { WorkerPool } = await import('../fuzz/worker-pool.ts');
    return new WorkerPool(name, workers);
  }
  const { localRunner } = await import('../../fuzz/engine/shard.ts');
  return localRunner(await target(name));
}

async function target(name: string) {
  const { createFuzzTarget } = await import('../fuzz/targets.ts');
  const made = await createFuzzTarget(name);
  if (made === null) throw usageError(`fuzz: no target "${name}" (there is: ${FUZZ_TARGETS.join(', ')})`);
  return made;
}
