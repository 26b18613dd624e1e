/**
 * The workers of a guided campaign as threads of this machine, each with an instrumented build and a corpus of its own.
 */
import { Worker } from 'node:worker_threads';
import type { GuidedResult, GuidedRunner, GuidedTask } from '../../fuzz/engine/guided-worker.ts';
import { moduleFile } from '../package-files.ts';
import type { GuidedWorkerData } from './instrumented-build.ts';

/** See the opening comment. */
export class GuidedPool implements GuidedRunner {
  readonly workers: number;
  readonly #threads: readonly Worker[];

  constructor(data: Omit<GuidedWorkerData, 'worker'>, workers: number) {
    this.workers = workers;
    const entry = moduleFile('cli/fuzz/guided-thread');
    this.#threads = Array.from(
      { length: workers },
      (_, worker) => new Worker(entry, { workerData: { ...data, worker } }),
    );
  }

  /** @throws what the thread died of. */
  run(worker: number, task: GuidedTask): Promise<GuidedResult> {
    const thread = this.#threads[worker];
    return new Promise((resolve, reject) => {
      const onExit = (): void => settle(() => reject(new Error('fuzz: a worker has gone')));
      const onError = (error: Error): void => settle(() => reject(error));
      const onMessage = (result: GuidedResult): void => settle(() => resolve(result));
      const settle = (end: () => void): void => {
        thread.off('message', onMessage).off('error', onError).off('exit', onExit);
        end();
      };
      thread.on('message', onMessage).on('error', onError).on('exit', onExit);
      thread.postMessage(task);
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.terminate()));
  }
}
