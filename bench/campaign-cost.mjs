// What a shard costs Redis: `node bench/campaign-cost.mjs [SHARDS]` after a build, with redis-server installed. Shards without cases go
// the whole way (offered, taken, begun, counted, removed) and Redis says what they took: its own processor time, commands, bytes. Its
// processor time is what ends first on many machines, and it does not depend on what else this machine does.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { CampaignStore, QUEUE_PREFIX } from '../dist/cli/campaigns/campaign-store.js';
import { QueueRunner } from '../dist/cli/campaigns/queue-runner.js';
import { runOpenShard } from '../dist/cli/campaigns/run-open-shard.js';
import { runCampaign } from '../dist/fuzz/engine/campaign.js';
import { Ledger } from '../dist/fuzz/engine/ledger.js';

const SHARDS = Number(process.argv[2] ?? 5000);
const CASES = 64;
const WINDOW = 1024;
const CONCURRENCY = 16;
const PORT = 20_000 + (process.pid % 20_000);

async function measure(fsync) {
  const folder = mkdtempSync(join(tmpdir(), 'campaign-cost-'));
  const argv = ['--dir', folder, '--appendonly', 'yes', '--appendfsync', fsync, '--save', ''];
  const server = spawn('redis-server', ['--port', String(PORT), '--bind', '127.0.0.1', ...argv], {
    stdio: 'ignore',
  });
  const redis = new Redis(PORT, { maxRetriesPerRequest: null });
  redis.on('error', () => {});
  await redis.ping();
  const runs = SHARDS * CASES;
  const store = new CampaignStore(redis, 'cost');
  const meta = await store.create({ target: 'none', seed: 1, runs, shard: CASES, build: '', isEnded: false });
  const options = { connection: redis, prefix: QUEUE_PREFIX };
  const queue = new Queue('cost', options);
  const result = {
    counts: { steps: 1, faults: 2, kernelAccesses: 3, userspaceAccesses: 4 },
    findings: [],
    differing: 0,
  };
  const runner = { runWhole: () => Promise.resolve(result) };
  const worker = new Worker('cost', ({ data }) => runOpenShard(store, meta, runner, data.index), {
    ...options,
    ...{ concurrency: CONCURRENCY, removeOnComplete: { count: 0 }, removeOnFail: { count: 0 } },
  });
  const before = await usage(redis);
  const begun = performance.now();
  const now = () => performance.now();
  const coordinator = new QueueRunner({
    ...{ store, queue, size: CASES, window: WINDOW, now },
    onSnapshot: () => {},
    onError: (error) => {
      throw error;
    },
  });
  await runCampaign(coordinator, {
    ...{ runs, timeMs: Infinity, ledger: new Ledger('none', 1), shardSize: CASES, now },
    isStopped: () => false,
    progress: () => {},
  });
  const seconds = (performance.now() - begun) / 1000;
  const after = await usage(redis);
  const { shards } = await store.snapshot();
  await coordinator.close();
  await worker.close();
  await queue.close();
  redis.disconnect();
  server.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
  if (shards !== SHARDS) throw new Error(`${shards} of ${SHARDS} shards counted`);
  const each = (name) => (after[name] - before[name]) / SHARDS;
  const microseconds = each('cpu') * 1e6;
  return {
    fsync,
    seconds,
    microseconds,
    commands: each('commands'),
    bytesIn: each('in'),
    bytesOut: each('out'),
  };
}

/** What Redis has used so far. */
async function usage(redis) {
  const text = await redis.info('all');
  const number = (name) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(text)?.[1]);
  return {
    cpu: number('used_cpu_user') + number('used_cpu_sys'),
    commands: number('total_commands_processed'),
    in: number('total_net_input_bytes'),
    out: number('total_net_output_bytes'),
  };
}

console.log(`${SHARDS} shards without cases, ${CONCURRENCY} at once in one worker process`);
for (const fsync of ['everysec', 'always']) {
  const cost = await measure(fsync);
  const perCore = Math.floor(1e6 / cost.microseconds);
  console.log(
    `appendfsync ${fsync}: ${cost.microseconds.toFixed(0)} µs of Redis a shard, ${cost.commands.toFixed(1)} commands, ` +
      `${(cost.bytesIn / 1024).toFixed(1)} KiB in, ${(cost.bytesOut / 1024).toFixed(1)} KiB out; ` +
      `at most ${perCore} shards/s (${(SHARDS / cost.seconds).toFixed(0)}/s here)`,
  );
}
