/** `pio86 worker`: runs the cases of a campaign that `pio86 fuzz --queue` hands out. */
import { availableParallelism } from 'node:os';
import { requireName } from '../campaigns/campaign-name.ts';
import { parseQueueUrl, type QueueUrl } from '../campaigns/redis-url.ts';
import { usageError } from '../cli-error.ts';
import type { CommandSpec } from '../command.ts';
import { parseNumber } from '../numbers.ts';

interface WorkerCommandOptions {
  readonly queue?: QueueUrl;
  readonly name?: string;
  readonly workers?: number;
  readonly wait: number;
}

const MAX_THREADS = 256;
const MAX_WAIT = 1_000_000;

export const workerCommand: CommandSpec<WorkerCommandOptions> = {
  name: 'worker',
  summary: "run cases of a campaign of 'fuzz --queue'",
  description:
    'Takes shards of a campaign from Redis, runs them, counts them there, and ends with the campaign. ' +
    'May be killed and started at any time. See docs/campaigns.md.',
  examples: [
    'pio86 worker --queue redis://127.0.0.1:6379',
    'pio86 worker --queue redis://fuzz.example/2 --name big --workers 8 --wait 600',
  ],
  options: [
    { flags: '--queue <url>', description: 'redis://[user:password@]host[:port][/db]', parse: parseQueueUrl },
    {
      flags: '--name <campaign>',
      description: 'which campaign (default: the only one that has not ended)',
      parse: requireName,
    },
    {
      flags: '--workers <n>',
      description: 'threads (default: one for each core)',
      parse: (text) => parseNumber('--workers', text, 1, MAX_THREADS),
    },
    {
      flags: '--wait <seconds>',
      description: 'how long to wait for the campaign to be made',
      default: 0,
      parse: (text) => parseNumber('--wait', text, 0, MAX_WAIT),
    },
  ],
  async action(context, _args, { queue, name, workers, wait }) {
    if (queue === undefined) throw usageError('worker needs --queue redis://host:port');
    const { work } = await import('../campaigns/work.ts');
    const threads = workers ?? availableParallelism();
    return work({ url: queue, threads, wait, ...(name === undefined ? {} : { name }) }, context);
  },
};
