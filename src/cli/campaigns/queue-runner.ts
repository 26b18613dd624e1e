/**
 * The engine's runner whose workers are other processes: a shard becomes a job of BullMQ and is run when its bit is set in Redis.
 *
 * What is waited for is the bit, not the queue's word: a message that is lost (a job that vanished with the last second of an
 * append-only file, an answer that never came) costs time, not a shard. Shards that take long are offered again under the same job id,
 * which does nothing while the job is there.
 */
import type { Queue } from 'bullmq';
import type { Shard, ShardResult, ShardRunner } from '../../fuzz/engine/shard.ts';
import type { CampaignSnapshot, CampaignStore } from './campaign-store.ts';
import { isDone } from './shard-bits.ts';

/** How often the bits are read. */
const POLL_MS = 250;
/** A shard that is not done after this is offered again. */
const OFFER_MS = 5000;

interface Open {
  readonly shard: Shard;
  offered: number;
  resolve(result: ShardResult): void;
}

/** What a runner needs. */
export interface QueueRunnerOptions {
  readonly store: CampaignStore;
  readonly queue: Queue;
  /** Cases of a shard. */
  readonly size: number;
  /** Shards that wait in the queue or are run, at most. */
  readonly window: number;
  now(): number;
  /** Told what was read. */
  onSnapshot(snapshot: CampaignSnapshot): void;
  /** Told of what makes no sense to wait for. */
  onError(error: unknown): void;
}

/** Options of every job: it leaves no trace in the queue, the campaign's keys are the trace. */
const JOB = { removeOnComplete: true, removeOnFail: true, attempts: 1 } as const;
const NOT_RUN: ShardResult = { runs: 0, counts: {}, finding: null };

/** See the opening comment. */
export class QueueRunner implements ShardRunner {
  readonly slots: number;
  readonly #options: QueueRunnerOptions;
  readonly #open = new Map<number, Open>();
  readonly #timer: NodeJS.Timeout;
  #isPolling = false;
  #isStopped = false;

  constructor(options: QueueRunnerOptions) {
    this.#options = options;
    this.slots = options.window;
    this.#timer = setInterval(() => void this.#poll(), POLL_MS);
  }

  run(shard: Shard): Promise<ShardResult> {
    if (this.#isStopped) return Promise.resolve(NOT_RUN);
    const index = shard.first / this.#options.size;
    return new Promise((resolve) => {
      this.#open.set(index, { shard, offered: this.#options.now(), resolve });
      this.#offer([index]);
    });
  }

  /** Waits for nothing more: what is open counts as not run here. Workers go on with what is in the queue. */
  stop(): void {
    this.#isStopped = true;
    for (const { resolve } of this.#open.values()) resolve(NOT_RUN);
    this.#open.clear();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.stop();
  }

  #offer(indexes: readonly number[]): void {
    const jobs = indexes.map((index) => ({
      name: 'shard',
      data: { index },
      opts: { ...JOB, jobId: `shard-${index}` },
    }));
    this.#options.queue.addBulk(jobs).catch((error: unknown) => {
      if (!this.#isStopped) this.#options.onError(error);
    });
  }

  async #poll(): Promise<void> {
    if (this.#isPolling || this.#isStopped) return;
    this.#isPolling = true;
    try {
      const snapshot = await this.#options.store.snapshot();
      this.#options.onSnapshot(snapshot);
      this.#settle(snapshot);
    } catch (error) {
      if (!this.#isStopped) this.#options.onError(error);
    }
    this.#isPolling = false;
  }

  #settle({ done }: CampaignSnapshot): void {
    const now = this.#options.now();
    const late: number[] = [];
    for (const [index, open] of this.#open) {
      if (isDone(done, index)) {
        this.#open.delete(index);
        open.resolve({ runs: open.shard.count, counts: {}, finding: null });
      } else if (now - open.offered >= OFFER_MS) {
        open.offered = now;
        late.push(index);
      }
    }
    if (late.length > 0) this.#offer(late);
  }
}
