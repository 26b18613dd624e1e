/**
 * A worker thread of `pio86 fuzz --workers` and `pio86 worker`: runs the shards that it is sent, one after the other. One more
 * may wait in its port meanwhile.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { runShard, runWholeShard } from '../../fuzz/engine/shard.ts';
import { createFuzzTarget } from './targets.ts';
import type { WorkerTask } from './worker-pool.ts';

const port = parentPort;
const target = await createFuzzTarget(String((workerData as { target?: unknown }).target));
if (port !== null && target !== null) {
  let last: Promise<void> = Promise.resolve();
  port.on('message', ({ shard, isWhole }: WorkerTask) => {
    last = last.then(async () => {
      const begun = performance.now();
      const result = await (isWhole ? runWholeShard(target, shard) : runShard(target, shard));
      port.postMessage({ ...result, ms: performance.now() - begun });
    });
  });
}
