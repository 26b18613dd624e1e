/**
 * `pio86 worker`: takes shards of a campaign, runs them on threads of this machine, counts them in Redis, and ends with the campaign.
 *
 * It may die at any moment: a shard counts when its bit is set, in one step with its counts and findings; a shard of a dead worker is
 * given to another one when its lock has run out. A shard that is run twice is counted once.
 */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Job } from 'bullmq';
import type { Redis } from 'ioredis';
import { CliError, inputError } from '../cli-error.ts';
import type { CommandContext } from '../command.ts';
import { EXIT_BUG, EXIT_OK } from '../exit-codes.ts';
import { WorkerPool } from '../fuzz/worker-pool.ts';
import { buildId } from './build-id.ts';
import { type CampaignMeta, CampaignStore, campaignNames, QUEUE_PREFIX } from './campaign-store.ts';
import { loadQueueModules, openRedis } from './connect.ts';
import type { QueueUrl } from './redis-url.ts';
import { runOpenShard } from './run-open-shard.ts';

/** What to work on. */
export interface WorkOptions {
  readonly url: QueueUrl;
  /** Without it the only campaign that has not ended. */
  readonly name?: string;
  readonly threads: number;
  /** Seconds to wait for the campaign to be made. */
  readonly wait: number;
}

/** A worker that does not say for this long that it has a shard loses it. */
const LOCK_MS = 5000;
/** How often workers look for shards that were lost. */
const STALLED_MS = 2500;
/** How long a worker whose server went away waits before it asks for a shard again; BullMQ's own 15 s are idle ones. */
const RETRY_MS = 500;
const BEAT_MS = 1000;
const MS = 1000;

/** @returns the exit code. @throws CliError. */
export async function work(options: WorkOptions, context: CommandContext): Promise<number> {
  const build = buildId();
  const say = (text: string): void => context.err.write(`pio86: ${text}\n`);
  const modules = await loadQueueModules();
  const redis = await openRedis(modules, options.url, say);
  try {
    const { store, meta } = await findCampaign(redis, options);
    if (meta.build !== build) {
      throw inputError(`campaign ${store.name}: is of build ${meta.build}, this worker is ${build}`);
    }
    say(`campaign ${store.name}: ${meta.target}, seed ${meta.seed}, ${options.threads} threads`);
    const pool = new WorkerPool(meta.target, options.threads);
    const id = `${hostname()}-${process.pid}-${randomBytes(2).toString('hex')}`;
    const life = { id, host: hostname(), pid: process.pid, threads: options.threads };
    let cases = 0;
    let failure: unknown = null;
    const run = async ({ data }: Job<{ index: number }>): Promise<void> => {
      try {
        const counted = await runOpenShard(store, meta, pool, data.index);
        cases += counted;
      } catch (error) {
        failure ??= error;
        throw error;
      }
    };
    const worker = new modules.bullmq.Worker(store.name, run, {
      connection: redis,
      prefix: QUEUE_PREFIX,
      concurrency: pool.slots,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_MS,
      runRetryDelay: RETRY_MS,
      // However often: begin() counts, and gives up a shard that nobody survives.
      maxStalledCount: Number.MAX_SAFE_INTEGER,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
    });
    // A lost lock (this process slept) or a lost server: the shard comes back, here or elsewhere.
    worker.on('error', () => {});
    let isStopped = false;
    const off = context.io.onSigint(() => {
      if (isStopped) context.io.exitSoon(EXIT_OK);
      isStopped = true;
    });
    try {
      while (!isStopped && failure === null) {
        const isEnded = await store.beat({ ...life, cases });
        if (isEnded === null) throw inputError(`campaign ${store.name}: gone from Redis`);
        if (isEnded) break;
        await sleep(BEAT_MS);
      }
      // What runs is run to its end, but for a failure.
      await worker.close(failure !== null);
      if (failure instanceof CliError) throw failure;
      if (failure !== null) throw new CliError(EXIT_BUG, `campaign ${store.name}: ${String(failure)}`);
      say(`${cases} cases run here`);
      return EXIT_OK;
    } finally {
      off();
      await pool.close();
    }
  } finally {
    redis.disconnect();
  }
}

/** @throws CliError (bad input) that names what there is. */
async function findCampaign(
  redis: Redis,
  { name, wait }: WorkOptions,
): Promise<{ store: CampaignStore; meta: CampaignMeta }> {
  for (let waited = 0; ; waited++) {
    const all = await open(redis, name === undefined ? await campaignNames(redis) : [name]);
    const running = name === undefined ? all.filter(({ meta }) => !meta.isEnded) : all;
    const [only] = running;
    if (only !== undefined && running.length === 1) return only;
    if (running.length > 1) {
      throw inputError(
        `--name: which campaign? there is ${running.map(({ store }) => store.name).join(', ')}`,
      );
    }
    if (waited >= wait) {
      const names = (await campaignNames(redis)).join(', ') || 'none';
      const what = name === undefined ? 'no campaign is running' : `there is no campaign '${name}'`;
      throw inputError(`--name: ${what} (there is: ${names})`);
    }
    await sleep(MS);
  }
}

async function open(redis: Redis, names: readonly string[]) {
  const found: { store: CampaignStore; meta: CampaignMeta }[] = [];
  for (const name of names) {
    const store = new CampaignStore(redis, name);
    const meta = await store.meta();
    if (meta !== null) found.push({ store, meta });
  }
  return found;
}
