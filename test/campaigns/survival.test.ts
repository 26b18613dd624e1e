/**
 * Whatever is killed, a campaign runs every case, counts it once and loses no finding. The build that it runs has a bug planted, so
 * that there is something to find; what is expected was found by one thread without any queue.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copyBuild, plant } from '../../scripts/planted-build.ts';
import { CampaignStore } from '../../src/cli/campaigns/campaign-store.ts';
import { MUTANTS } from '../mutants/mutants.ts';
import { requireTool } from '../tools.ts';
import { Pio86 } from './pio86-process.ts';
import { RedisServer } from './redis-server.ts';

const RUNS = 16_000;
const SHARD = 64;
const SHARDS = Math.ceil(RUNS / SHARD);
const WORKERS = 3;

/** What one thread finds, without a queue. */
const ALONE = `
const { runWholeShard } = await import('./dist/fuzz/engine/shard.js');
const { createFuzzTarget } = await import('./dist/cli/fuzz/targets.js');
const { findingId } = await import('./dist/cli/campaigns/finding-id.js');
const target = await createFuzzTarget('devices');
const total = { steps: 0, differing: 0, ids: [] };
for (let first = 0; first < ${RUNS}; first += ${SHARD}) {
  const shard = { seed: 7, first, count: Math.min(${SHARD}, ${RUNS} - first) };
  const { counts, differing, findings } = await runWholeShard(target, shard);
  total.steps += counts.steps;
  total.differing += differing;
  total.ids.push(...findings.map(findingId));
}
console.log(JSON.stringify(total));`;

describe('a campaign of three workers', () => {
  // One for each attempt: a build is not copied onto another.
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'campaign-build-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it.skipIf(!requireTool('redis-server'))(
    'survives kill -9 of each worker, of Redis and of the coordinator (needs redis-server)',
    // On a fast machine a campaign may be over before the last kill: then once more.
    { retry: 1, timeout: 120_000 },
    async () => {
      copyBuild(folder);
      const mutant = MUTANTS.find(({ name }) => name === 'pit-latch-byte-order');
      if (mutant === undefined) throw new Error('the bug to plant is gone');
      plant(folder, mutant);
      const alone = JSON.parse(
        spawnSync(process.execPath, ['--input-type=module', '-e', ALONE], { cwd: folder, encoding: 'utf8' })
          .stdout,
      );
      expect(alone.ids.length).toBeGreaterThan(3);

      const server = await RedisServer.start();
      const redis = new Redis(server.port, { maxRetriesPerRequest: null });
      redis.on('error', () => {});
      const queue = ['--queue', server.url, '--name', 'survival'];
      const coordinate = (): Pio86 =>
        new Pio86(
          folder,
          'fuzz',
          'devices',
          '--runs',
          `${RUNS}`,
          '--seed',
          '7',
          '--shard',
          `${SHARD}`,
          '--json',
          ...queue,
        );
      const work = (): Pio86 => new Pio86(folder, 'worker', '--workers', '1', '--wait', '60', ...queue);
      const store = new CampaignStore(redis, 'survival');
      const reach = async (share: number): Promise<void> => {
        while ((await store.snapshot()).shards < share * SHARDS) await sleep(10);
      };
      // A process whose first connection finds no Redis ends with that (exit code 6); one that takes part waits for it.
      const joined = async (worker: Pio86 | undefined): Promise<void> => {
        while (worker?.isRunning && !worker.stderr.includes('campaign survival:')) await sleep(10);
      };

      let coordinator = coordinate();
      const workers = Array.from({ length: WORKERS }, work);
      try {
        for (const i of workers.keys()) {
          await reach(0.05 + 0.05 * i);
          await workers[i]?.kill();
          workers[i] = work();
        }
        for (const worker of workers) await joined(worker);
        await server.kill();
        await sleep(300);
        await server.up();
        await reach(0.3);
        await coordinator.kill();
        expect((await store.snapshot()).shards).toBeLessThan(SHARDS);
        coordinator = coordinate();

        expect(await coordinator.ended()).toBe(1);
        const view = JSON.parse(coordinator.stdout);
        expect(view).toMatchObject({ isEnded: true, shards: { done: SHARDS, left: 0 } });
        expect(view.cases).toEqual({ done: RUNS, all: RUNS, differing: alone.differing });
        expect(view.counts).toEqual({ steps: alone.steps });
        expect(view.findings.map(({ id }: { id: string }) => id).toSorted()).toEqual(
          [...new Set(alone.ids)].toSorted(),
        );
        for (const worker of workers) expect(await worker.ended()).toBe(0);
        expect(workers.map(({ stderr }) => stderr).join()).toContain('is back');
      } finally {
        for (const process of [coordinator, ...workers]) if (process.isRunning) await process.kill();
        redis.disconnect();
        await server.close();
      }
    },
  );
});
