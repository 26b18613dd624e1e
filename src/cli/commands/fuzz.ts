/** `pio86 fuzz`: random cases against independent oracles. */
import { EXPORT_FORMATS } from '../../fuzz/engine/fuzz-target.ts';
import { STRING_IO_JIT } from '../../fuzz/string-io-engine.ts';
import { requireName } from '../campaigns/campaign-name.ts';
import { parseQueueUrl, type QueueUrl } from '../campaigns/redis-url.ts';
import { usageError } from '../cli-error.ts';
import type { CommandContext, CommandSpec } from '../command.ts';
import { fuzzCampaign, replayCase } from '../fuzz/campaign-command.ts';
import {
  FUZZ_ORACLES,
  type FuzzCommandOptions,
  type FuzzOracle,
  MAX_RUNS,
  MAX_SEED,
  ORACLE_TARGETS,
} from '../fuzz/fuzz-options.ts';
import { flagOf, guidedFuzz, isGuided } from '../fuzz/guided-command.ts';
import { FUZZ_TARGETS, nameWithJit } from '../fuzz/targets.ts';
import { parseCount, parseNumber } from '../numbers.ts';

const MAX_SECONDS = 10_000_000;
const MAX_WORKERS = 256;
const MAX_SHARD = 2 ** 24;
const DEFAULT_WINDOW = 1024;
const MAX_WINDOW = 16_384;
const LOOPBACK = '127.0.0.1';
/** Options that make sense for a campaign alone, and those that make none. */
const QUEUE_ONLY = ['name', 'shard', 'window', 'statusPort', 'statusHost'] as const;
const NEVER_QUEUE = ['ledger', 'replay', 'export', 'oracle'] as const;

export const fuzzCommand: CommandSpec<FuzzCommandOptions> = {
  name: 'fuzz',
  summary: 'random cases against independent oracles',
  description:
    'Runs random cases of a target against its oracle. A difference is made small and printed as a case ' +
    'that --replay runs again. Exit code 1: a difference. See docs/fuzzing.md.',
  examples: [
    'pio86 fuzz string-io --runs 10000',
    'pio86 fuzz string-io --time 60 --workers 2 --json',
    'pio86 fuzz string-io --jit verify --runs 50000',
    'pio86 fuzz insn --corpus corpus/ --time 600 --workers 2',
    'pio86 fuzz string-io --runs 50M --ledger string-io.ledger --time 600',
    'pio86 fuzz devices --oracle qtest --time 60',
    'pio86 fuzz string-io --replay case.txt',
    'pio86 fuzz string-io --replay case.txt --export c',
    'pio86 fuzz string-io --runs 50M --queue redis://127.0.0.1 --name big',
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
    {
      flags: '--coverage',
      description: 'change cases that reach new code instead of making all of them by chance',
    },
    {
      flags: '--corpus <dir>',
      description: 'as --coverage, with the cases in a folder: begin with them, keep what is new',
    },
    { flags: '--minimize', description: 'with --corpus: remove the cases that cover nothing of their own' },
    {
      flags: '--value-profile',
      description: 'coverage counts how near comparisons came to equality, too (slower)',
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
      description:
        'kvm: ask the host’s /dev/kvm too (string-io, devices); qtest: ask QEMU’s devices (devices)',
      choices: FUZZ_ORACLES,
    },
    {
      flags: '--jit <how>',
      description:
        'string-io: who is judged. off: the interpreter, each access an exit; on: generated code; verify: both, and ' +
        'the interpreter without exits, which must also agree with one another',
      choices: STRING_IO_JIT,
      default: 'off',
    },
    { flags: '--json', description: 'end with one line of JSON' },
    {
      flags: '--queue <url>',
      description:
        "redis://host:port: hand the cases to 'pio86 worker' processes, or share a corpus (docs/campaigns.md)",
      parse: parseQueueUrl,
    },
    {
      flags: '--name <campaign>',
      description: 'with --queue (default: TARGET-SEED; of a corpus: TARGET)',
      parse: requireName,
    },
    {
      flags: '--shard <n>',
      description: 'with --queue: cases of a shard (default: about a second of one core)',
      parse: (text) => parseCount('--shard', text, 1, MAX_SHARD),
    },
    {
      flags: '--window <n>',
      description: `with --queue: shards that are out at once, at most (default: ${DEFAULT_WINDOW})`,
      parse: (text) => parseNumber('--window', text, 1, MAX_WINDOW),
    },
    {
      flags: '--status-port <n>',
      description: 'with --queue: serve a status page there; 0 takes a free port',
      parse: (text) => parseNumber('--status-port', text, 0, 0xffff),
    },
    { flags: '--status-host <address>', description: `where it listens (default: ${LOOPBACK})` },
  ],
  async action(context, [target = ''], options) {
    const name = named(target, options);
    if (isGuided(options)) return guidedFuzz(context, name, options);
    if (options.queue !== undefined) return campaign(context, name, options.queue, options);
    const needsQueue = QUEUE_ONLY.find((option) => options[option] !== undefined);
    if (needsQueue !== undefined) throw usageError(`${flagOf(needsQueue)} needs --queue`);
    if (options.replay === undefined && options.export !== undefined)
      throw usageError('--export needs --replay');
    if (options.oracle !== undefined) return withOracle(context, name, options.oracle, options);
    if (options.replay !== undefined) return replayCase(context, await create(name), options.replay, options);
    return fuzzCampaign(context, name, options, await createRunner(name, options.workers));
  },
};

/** The target under `--jit`. @throws CliError (usage) where it means nothing. */
function named(target: string, { jit, oracle }: FuzzCommandOptions): string {
  if (jit === 'off') return target;
  if (target !== 'string-io')
    throw usageError(`--jit ${jit}: only for string-io (insn and jit always run both engines)`);
  if (oracle !== undefined)
    throw usageError('--jit does not go with --oracle: --oracle kvm asks about the exits');
  return nameWithJit(target, jit);
}

/** QEMU is a child process; the host's KVM is asked in a process of its own. */
async function withOracle(
  context: CommandContext,
  target: string,
  oracle: FuzzOracle,
  options: FuzzCommandOptions,
): Promise<number> {
  const targets = ORACLE_TARGETS[oracle];
  if (!targets.includes(target)) throw usageError(`--oracle ${oracle}: only for ${targets.join(' and ')}`);
  if (options.workers > 1) throw usageError(`--oracle ${oracle} runs on one thread: no --workers`);
  if (oracle === 'qtest') {
    const { fuzzWithQemu } = await import('../host/fuzz-with-qemu.ts');
    return fuzzWithQemu(context, target, options);
  }
  const { superviseChild } = await import('../host/supervise.ts');
  // The child ends by itself: a signal ends every KVM_RUN.
  return superviseChild(context, { command: 'fuzz', target, options }, Number.POSITIVE_INFINITY);
}

async function campaign(
  context: CommandContext,
  name: string,
  url: QueueUrl,
  options: FuzzCommandOptions,
): Promise<number> {
  const wrong = NEVER_QUEUE.find((option) => options[option] !== undefined);
  if (wrong !== undefined) throw usageError(`${flagOf(wrong)} does not go with --queue`);
  if (options.workers !== 1) throw usageError("--workers does not go with --queue: start 'pio86 worker'");
  const { coordinate } = await import('../campaigns/coordinate.ts');
  const { runs, seed, shard, findings, statusPort } = options;
  return coordinate(
    {
      url,
      target: await create(name),
      window: options.window ?? DEFAULT_WINDOW,
      time: options.time ?? Number.POSITIVE_INFINITY,
      json: options.json === true,
      statusHost: options.statusHost ?? LOOPBACK,
      ...(options.name === undefined ? {} : { name: options.name }),
      ...(runs === undefined ? {} : { runs }),
      ...(seed === undefined ? {} : { seed }),
      ...(shard === undefined ? {} : { shard }),
      ...(findings === undefined ? {} : { findings }),
      ...(statusPort === undefined ? {} : { statusPort }),
    },
    context,
  );
}

async function createRunner(name: string, workers: number) {
  if (workers > 1) {
    if (import.meta.url.endsWith('.ts'))
      throw usageError('--workers needs the built program, not its sources');
    const { WorkerPool } = await import('../fuzz/worker-pool.ts');
    return new WorkerPool(name, workers);
  }
  const { localRunner } = await import('../../fuzz/engine/shard.ts');
  return localRunner(await create(name));
}

async function create(name: string) {
  const { createFuzzTarget } = await import('../fuzz/targets.ts');
  const made = await createFuzzTarget(name);
  if (made === null) throw usageError(`fuzz: no target "${name}" (there is: ${FUZZ_TARGETS.join(', ')})`);
  return made;
}
