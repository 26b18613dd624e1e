/**
 * A worker thread of `pio86 fuzz --workers`: runs the shards that it is sent, one after the other.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { runShard, type Shard } from '../../fuzz/engine/shard.ts';
import { createFuzzTarget } from './targets.ts';

const port = parentPort;
const target = await createFuzzTarget(String((workerData as { target?: unknown }).target));
if (port !== null && target !== null) {
  port.on('message', (shard: Shard) => {
    void runShard(target, shard).then((result) => port.postMessage(result));
  });
}
