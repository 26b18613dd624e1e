/**
 * Shards on worker threads of this machine. They run what was built: a thread has none of the loaders that run the sources.
 */
import { Worker } from 'node:worker_threads';
import type { Shard, ShardResult, ShardRunner } from '../../fuzz/engine/shard.ts';
import { moduleFile } from '../package-files.ts';

/** See the opening comment. */
export class WorkerPool implements ShardRunner {
  readonly slots: number;
  readonly #workers: readonly Worker[];
  readonly #idle: Worker[];

  constructor(target: string, slots: number) {
    this.slots = slots;
    const entry = moduleFile('cli/fuzz/worker');
    this.#workers = Array.from({ length: slots }, () => new Worker(entry, { workerData: { target } }));
    this.#idle = [...this.#workers];
  }

  /** At most `slots` at once. @throws what a worker died of. */
  run(shard: Shard): Promise<ShardResult> {
    const worker = this.#idle.pop();
    if (worker === undefined) return Promise.reject(new Error('fuzz: more shards at once than workers'));
    return new Promise((resolve, reject) => {
      const gone = (): void => reject(new Error('fuzz: a worker has gone'));
      worker.once('error', reject);
      worker.once('exit', gone);
      worker.once('message', (result: ShardResult) => {
        worker.off('error', reject);
        worker.off('exit', gone);
        this.#idle.push(worker);
        resolve(result);
      });
      worker.postMessage(shard);
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}
