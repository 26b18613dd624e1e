/**
 * `pio86 fuzz --queue`: makes a campaign or goes on with it, hands its shards out through BullMQ, never more than a window of them, and
 * reports when every case was run. It keeps nothing: killed and started again (even twice at once) it goes on from what Redis has.
 */
import { randomInt } from 'node:crypto';
import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { runCampaign } from '../../fuzz/engine/campaign.ts';
import type { FuzzTarget } from '../../fuzz/engine/fuzz-target.ts';
import { inputError, usageError } from '../cli-error.ts';
import type { CommandContext } from '../command.ts';
import { EXIT_FINDING, EXIT_OK } from '../exit-codes.ts';
import { buildId } from './build-id.ts';
import { type CampaignMeta, type CampaignSnapshot, CampaignStore, QUEUE_PREFIX } from './campaign-store.ts';
import { type CampaignView, campaignView, Rate } from './campaign-view.ts';
import { loadQueueModules, openRedis } from './connect.ts';
import { QueueRunner } from './queue-runner.ts';
import type { QueueUrl } from './redis-url.ts';
import { reportLines, saveFindings, statusText } from './report-campaign.ts';
import { ledgerOf, MAX_SHARDS, shardCount } from './shard-bits.ts';
import { shardSize } from './shard-size.ts';
import { serveStatus } from './status-page.ts';

/** What to run. What is left out is as in the campaign that is there, or has a default. */
export interface CoordinateOptions {
  readonly url: QueueUrl;
  readonly target: FuzzTarget;
  readonly name?: string;
  readonly runs?: number;
  readonly seed?: number;
  /** Cases of a shard. */
  readonly shard?: number;
  readonly window: number;
  /** Seconds. */
  readonly time: number;
  readonly findings?: string;
  readonly json: boolean;
  readonly statusPort?: number;
  readonly statusHost: string;
}

const DEFAULT_RUNS = 10_000;
const MAX_SEED = 0xffff_ffff;
const MS = 1000;
/** How often a line says where the campaign is: on a terminal, elsewhere. */
const TERMINAL_MS = 500;
const LINE_MS = 10_000;

/** @returns the exit code: 1 with findings. @throws CliError. */
export async function coordinate(options: CoordinateOptions, context: CommandContext): Promise<number> {
  const build = buildId();
  const say = (text: string): void => context.err.write(`pio86: ${text}\n`);
  const modules = await loadQueueModules();
  const redis = await openRedis(modules, options.url, say);
  let queue: Queue | null = null;
  try {
    const { store, meta } = await openCampaign(redis, options, build);
    await warnOfMemory(redis, say);
    queue = new modules.bullmq.Queue(store.name, { connection: redis, prefix: QUEUE_PREFIX });
    // BullMQ says what openRedis says already.
    queue.on('error', () => {});
    const coordinator = new Coordinator(options, context, store, queue, meta);
    return await coordinator.run();
  } finally {
    await queue?.close().catch(() => {});
    redis.disconnect();
  }
}

/** @throws CliError (bad input) when the campaign of that name is another one. */
async function openCampaign(redis: Redis, options: CoordinateOptions, build: string) {
  const seed = options.seed ?? randomInt(MAX_SEED + 1);
  const store = new CampaignStore(redis, options.name ?? `${options.target.name}-${seed}`);
  const there = await store.meta();
  const meta = there ?? (await store.create(newMeta(options, seed, build)));
  const asked = { target: options.target.name, ...pick(options), build };
  for (const [field, value] of Object.entries(asked)) {
    const has = meta[field as keyof CampaignMeta];
    if (value !== has) throw inputError(`campaign ${store.name}: its ${field} is ${has}, not ${value}`);
  }
  return { store, meta };
}

/** The options that say which campaign it is. */
function pick({ runs, seed, shard }: CoordinateOptions): Record<string, number> {
  return {
    ...(runs === undefined ? {} : { runs }),
    ...(seed === undefined ? {} : { seed }),
    ...(shard === undefined ? {} : { shard }),
  };
}

function newMeta(options: CoordinateOptions, seed: number, build: string): CampaignMeta {
  const { target, runs = DEFAULT_RUNS } = options;
  const shard = options.shard ?? shardSize(target, seed, runs, () => performance.now());
  if (shardCount({ runs, shard }) > MAX_SHARDS) {
    throw usageError(`--shard: ${shard} makes more than ${MAX_SHARDS} shards of ${runs} cases`);
  }
  return { target: target.name, seed, runs, shard, build, isEnded: false };
}

/** A server that forgets is no error: a short campaign does not mind. */
async function warnOfMemory(redis: Redis, say: (text: string) => void): Promise<void> {
  const row = await redis.config('GET', 'appendonly').catch(() => null);
  if (Array.isArray(row) && row[1] === 'no') {
    say('Redis keeps no append-only file (appendonly no): the campaign ends with it');
  }
}

class Coordinator {
  readonly #options: CoordinateOptions;
  readonly #context: CommandContext;
  readonly #store: CampaignStore;
  readonly #queue: Queue;
  readonly #meta: CampaignMeta;
  readonly #rate = new Rate();
  #isStopped = false;
  #error: unknown = null;
  #snapshot: CampaignSnapshot | null = null;
  #saved = 0;

  constructor(
    options: CoordinateOptions,
    context: CommandContext,
    store: CampaignStore,
    queue: Queue,
    meta: CampaignMeta,
  ) {
    this.#options = options;
    this.#context = context;
    this.#store = store;
    this.#queue = queue;
    this.#meta = meta;
  }

  async run(): Promise<number> {
    const { statusPort, statusHost, json, time } = this.#options;
    const { target, seed, runs, shard, build } = this.#meta;
    const { io, out, err } = this.#context;
    const page =
      statusPort === undefined ? null : await serveStatus(statusHost, statusPort, () => this.#view());
    if (!json) {
      out.write(
        `# campaign ${this.#store.name}: ${target}, seed ${seed}, ${runs} cases in shards of ${shard}\n`,
      );
      out.write(`# build ${build}\n`);
    }
    if (page !== null) err.write(`pio86: status page ${page.url}\n`);
    let runner: QueueRunner | null = null;
    const stop = (): void => {
      this.#isStopped = true;
      runner?.stop();
    };
    const off = io.onSigint(stop);
    const alarm =
      time === Number.POSITIVE_INFINITY ? null : setTimeout(stop, Math.min(time * MS, 2 ** 31 - 1));
    const line = setInterval(() => void this.#line(), io.stderr.isTTY === true ? TERMINAL_MS : LINE_MS);
    try {
      // More than once only when Redis lost the last moment of its file: what it has not counted is run again.
      while (!this.#isStopped && !(await this.#isComplete())) {
        runner = this.#runner(stop);
        await this.#hand(runner);
        await runner.close();
      }
      if (this.#error !== null) throw this.#error;
      return await this.#end();
    } finally {
      clearInterval(line);
      if (alarm !== null) clearTimeout(alarm);
      off();
      await runner?.close();
      await page?.close();
    }
  }

  #runner(stop: () => void): QueueRunner {
    return new QueueRunner({
      store: this.#store,
      queue: this.#queue,
      size: this.#meta.shard,
      window: this.#options.window,
      now: () => performance.now(),
      onSnapshot: (snapshot) => {
        this.#rate.add(performance.now(), snapshot.cases);
        this.#snapshot = snapshot;
        void this.#save(snapshot);
      },
      onError: (error) => {
        this.#error ??= error;
        stop();
      },
    });
  }

  async #hand(runner: QueueRunner): Promise<void> {
    const { done } = await this.#read();
    const { runs, shard } = this.#meta;
    await runCampaign(runner, {
      ledger: ledgerOf(this.#meta, done),
      ...{ runs, shardSize: shard, timeMs: Number.POSITIVE_INFINITY },
      now: () => performance.now(),
      isStopped: () => this.#isStopped,
      progress: () => {},
    });
  }

  async #read(): Promise<CampaignSnapshot> {
    if ((await this.#store.meta()) === null)
      throw inputError(`campaign ${this.#store.name}: gone from Redis`);
    this.#snapshot = await this.#store.snapshot();
    return this.#snapshot;
  }

  async #isComplete(): Promise<boolean> {
    const { done } = await this.#read();
    return ledgerOf(this.#meta, done).total === this.#meta.runs;
  }

  async #view(): Promise<CampaignView> {
    const [snapshot, jobs, workers, findings] = await Promise.all([
      this.#store.snapshot(),
      this.#queue.getJobCounts('active', 'waiting'),
      this.#store.workers(),
      this.#store.findings(),
    ]);
    const depth = { running: jobs.active ?? 0, waiting: jobs.waiting ?? 0 };
    const { perSecond } = this.#rate;
    return campaignView(this.#store.name, this.#meta, snapshot, depth, perSecond, workers, findings);
  }

  async #line(): Promise<void> {
    const { io, err } = this.#context;
    const text = statusText(await this.#view());
    if (!this.#isStopped) err.write(io.stderr.isTTY === true ? `\r\x1b[K${text}` : `${text}\n`);
  }

  async #save(snapshot: CampaignSnapshot): Promise<void> {
    const { findings } = this.#options;
    if (findings === undefined || snapshot.findings === this.#saved) return;
    this.#saved = snapshot.findings;
    saveFindings(findings, this.#meta, await this.#store.findings());
  }

  async #end(): Promise<number> {
    const { json, findings } = this.#options;
    const { io, out, err } = this.#context;
    const view = await this.#view();
    if (view.isEnded) {
      await this.#store.end();
      await this.#queue.obliterate({ force: true }).catch(() => {});
    }
    if (io.stderr.isTTY === true) err.write('\r\x1b[K');
    if (findings !== undefined && view.findings.length > 0) saveFindings(findings, this.#meta, view.findings);
    for (const line of json ? [JSON.stringify(view)] : reportLines(view)) out.write(`${line}\n`);
    return view.findings.length === 0 ? EXIT_OK : EXIT_FINDING;
  }
}
