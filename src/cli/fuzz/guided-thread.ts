/**
 * A worker thread of a guided campaign: runs its tasks one after the other.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { GuidedTask } from '../../fuzz/engine/guided-worker.ts';
import { createGuidedWorker, type GuidedWorkerData } from './instrumented-build.ts';

const port = parentPort;
const worker = await createGuidedWorker(workerData as GuidedWorkerData);
port?.on('message', async (task: GuidedTask) => {
  const begun = performance.now();
  const result = await worker.run(task);
  port.postMessage({ ...result, ms: performance.now() - begun });
});
