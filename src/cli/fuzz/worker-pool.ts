/**
 * Shards on worker threads of this machine. They run what was built: a thread has none of the loaders that run the sources.
 */
import { Worker } from 'node:worker_threads';
import type { Shard, ShardResult, ShardRunner, WholeShardResult } from '../../fuzz/engine/shard.ts';
import { moduleFile } from '../package-files.ts';

/** Shards a thread has: one that runs and one that waits, so that it never waits for this thread. */
const AHEAD = 2;

/** What a thread is sent. */
export interface WorkerTask {
  readonly shard: Shard;
  /** Whether it goes on after findings. */
  readonly isWhole: boolean;
}

interface Waiter {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

interface Thread {
  readonly worker: Worker;
  /** Of the shards that were sent, in their order: a thread answers in the order of its shards. */
  readonly waiters: Waiter[];
}

/** See the opening comment. */
export class WorkerPool implements ShardRunner {
  readonly slots: number;
  readonly #threads: readonly Thread[];
  #dead: Error | null = null;

  constructor(target: string, threads: number) {
    this.slots = threads * AHEAD;
    const entry = moduleFile('cli/fuzz/worker');
    this.#threads = Array.from({ length: threads }, () =>
      this.#thread(new Worker(entry, { workerData: { target } })),
    );
  }

  /** Goes to the thread with the fewest shards. @throws what a worker died of. */
  run(shard: Shard): Promise<ShardResult> {
    return this.#send({ shard, isWhole: false }) as Promise<ShardResult>;
  }

  /** Runs a shard to its end whatever differs. @throws what a worker died of. */
  runWhole(shard: Shard): Promise<WholeShardResult> {
    return this.#send({ shard, isWhole: true }) as Promise<WholeShardResult>;
  }

  async close(): Promise<void> {
    this.#dead ??= new Error('fuzz: the workers are closed');
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }

  #thread(worker: Worker): Thread {
    const waiters: Waiter[] = [];
    const die = (error: Error): void => {
      this.#dead ??= error;
      for (const { reject } of waiters.splice(0)) reject(this.#dead);
    };
    worker.on('message', (result: unknown) => waiters.shift()?.resolve(result));
    worker.on('error', die);
    worker.on('exit', () => die(new Error('fuzz: a worker has gone')));
    return { worker, waiters };
  }

  #send(task: WorkerTask): Promise<unknown> {
    if (this.#dead !== null) return Promise.reject(this.#dead);
    const idlest = this.#threads.reduce((a, b) => (b.waiters.length < a.waiters.length ? b : a));
    return new Promise((resolve, reject) => {
      idlest.waiters.push({ resolve, reject });
      idlest.worker.postMessage(task);
    });
  }
}
