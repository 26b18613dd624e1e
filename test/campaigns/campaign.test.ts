/**
 * Campaigns between processes: what is refused, the status page, jobs that get lost.
 */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requireTool } from '../tools.ts';
import { Pio86 } from './pio86-process.ts';
import { RedisServer } from './redis-server.ts';

const SECONDS = 60_000;

/** Runs a command line of the build to its end. */
async function pio86(
  ...argv: string[]
): Promise<{ exitCode: number | null; stdout: string; stderr: string }> {
  const child = new Pio86('.', ...argv);
  const exitCode = await child.ended();
  return { exitCode, stdout: child.stdout, stderr: child.stderr };
}

describe('the command lines of a campaign', () => {
  it.each([
    [['worker'], 2, 'worker needs --queue redis://host:port'],
    [['worker', '--queue', 'http://x'], 2, "--queue: 'http://x' is not redis://"],
    [['fuzz', 'bus', '--queue', 'redis://127.0.0.1/x'], 2, "--queue: 'redis://127.0.0.1/x' is not redis://"],
    [
      ['fuzz', 'bus', '--queue', 'redis://127.0.0.1', '--ledger', 'x'],
      2,
      '--ledger does not go with --queue',
    ],
    [
      ['fuzz', 'bus', '--queue', 'redis://127.0.0.1', '--workers', '2'],
      2,
      '--workers does not go with --queue',
    ],
    [
      ['fuzz', 'bus', '--queue', 'redis://127.0.0.1', '--name', 'a:b'],
      2,
      "--name: 'a:b' is not 1 to 64 letters",
    ],
    [['fuzz', 'bus', '--status-port', '0'], 2, '--status-port needs --queue'],
    [['worker', '--queue', 'redis://u:secret@127.0.0.1:1'], 6, 'redis://127.0.0.1:1: connection refused'],
    [['fuzz', 'bus', '--queue', 'redis://127.0.0.1:1'], 6, 'redis://127.0.0.1:1: connection refused'],
  ])('%j is refused with one line', async (argv, code, text) => {
    const { exitCode, stdout, stderr } = await pio86(...argv);
    expect(stderr).toMatch(/^pio86: [^\n]*\n$/);
    expect(stderr).toContain(text);
    expect(stderr).not.toContain('secret');
    expect({ exitCode, stdout }).toEqual({ exitCode: code, stdout: '' });
  });
});

describe.skipIf(!requireTool('redis-server'))('a campaign in Redis (needs redis-server)', () => {
  let server: RedisServer;
  let redis: Redis;
  beforeAll(async () => {
    server = await RedisServer.start();
    redis = new Redis(server.port);
  });
  afterAll(async () => {
    redis?.disconnect();
    await server?.close();
  });

  function fuzz(name: string, ...more: string[]): Pio86 {
    return new Pio86(
      '.',
      'fuzz',
      'bus',
      '--queue',
      server.url,
      '--name',
      name,
      '--runs',
      '1000',
      '--seed',
      '3',
      ...more,
    );
  }

  it(
    'tells where it is on its status page, goes on when its jobs are lost, and prints its end again',
    async () => {
      const coordinator = fuzz('page', '--status-port', '0', '--shard', '100', '--window', '4');
      await expect
        .poll(() => coordinator.stderr, { timeout: 20_000 })
        .toContain('status page http://127.0.0.1:');
      const url = /status page (\S+)/.exec(coordinator.stderr)?.[1] ?? '';
      const status = async (): Promise<unknown> => (await fetch(`${url}status.json`)).json();
      await expect.poll(status, { timeout: 20_000 }).toMatchObject({
        ...{ campaign: 'page', target: 'bus', seed: 3, isEnded: false },
        // Back-pressure: no more than the window is out.
        shards: { done: 0, running: 0, waiting: 4, left: 10 },
      });
      const page = await fetch(url);
      expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(await page.text()).toContain('status.json');
      expect((await fetch(url, { method: 'POST' })).status).toBe(405);
      expect((await fetch(`${url}other`)).status).toBe(404);

      await redis.del(await redis.keys('pio86:queue:*'));
      const worker = new Pio86('.', 'worker', '--queue', server.url, '--workers', '1');
      expect(await coordinator.ended()).toBe(0);
      expect(await worker.ended()).toBe(0);
      expect(coordinator.stdout).toContain('1000 runs, 0 findings (campaign page, seed 3)');
      expect(worker.stderr).toContain('1000 cases run here');

      const again = fuzz('page', '--json');
      expect(await again.ended()).toBe(0);
      expect(JSON.parse(again.stdout)).toMatchObject({
        schemaVersion: 1,
        isEnded: true,
        cases: { done: 1000 },
      });
    },
    SECONDS,
  );

  it(
    'ends with --time although nobody works, and stays as it is',
    async () => {
      const coordinator = fuzz('idle', '--time', '1', '--json');
      expect(await coordinator.ended()).toBe(0);
      expect(JSON.parse(coordinator.stdout)).toMatchObject({ isEnded: false, cases: { done: 0, all: 1000 } });
    },
    SECONDS,
  );

  it(
    'refuses by name: another target, another number of cases, another build, a name that is none',
    async () => {
      expect(await fuzz('mine', '--time', '1').ended()).toBe(0);
      const queue = ['--queue', server.url, '--name', 'mine'];
      const refused = async (text: string, ...argv: string[]): Promise<void> => {
        const { exitCode, stderr } = await pio86(...argv);
        expect(stderr).toBe(`pio86: ${text}\n`);
        expect(exitCode).toBe(3);
      };
      await refused('campaign mine: its target is bus, not loaders', 'fuzz', 'loaders', ...queue);
      await refused('campaign mine: its runs is 1000, not 5', 'fuzz', 'bus', '--runs', '5', ...queue);
      const build = await redis.hget('pio86:campaign:mine', 'build');
      await redis.hset('pio86:campaign:mine', 'build', '0.0.9+old');
      await refused(`campaign mine: its build is 0.0.9+old, not ${build}`, 'fuzz', 'bus', ...queue);
      await refused(`campaign mine: is of build 0.0.9+old, this worker is ${build}`, 'worker', ...queue);
      await redis.hset('pio86:campaign:mine', 'ended', 1);
      const { exitCode, stderr } = await pio86('worker', '--queue', server.url, '--name', 'yours');
      expect(stderr).toMatch(/^pio86: --name: there is no campaign 'yours' \(there is: .*mine.*\)\n$/);
      expect(exitCode).toBe(3);
    },
    SECONDS,
  );
});
