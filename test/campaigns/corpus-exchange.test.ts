/**
 * Guided campaigns that share a corpus through Redis.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requireTool } from '../tools.ts';
import { Pio86 } from './pio86-process.ts';
import { RedisServer } from './redis-server.ts';

describe.skipIf(!requireTool('redis-server'))('a shared corpus (needs redis-server)', () => {
  let server: RedisServer;
  const folder = mkdtempSync(join(tmpdir(), 'pio86-shared-'));
  beforeAll(async () => {
    server = await RedisServer.start();
  });
  afterAll(async () => {
    await server.close();
    rmSync(folder, { recursive: true });
  });

  async function fuzz(target: string, ...argv: string[]) {
    const child = new Pio86(
      '.',
      'fuzz',
      target,
      '--queue',
      server.url,
      '--name',
      'shared',
      '--json',
      ...argv,
    );
    const exitCode = await child.ended();
    return { exitCode, stderr: child.stderr, end: JSON.parse(child.stdout || '{}') };
  }

  it('is where a campaign begins that comes later, and a folder gets what is news to it', async () => {
    const first = await fuzz('devices', '--coverage', '--seed', '1', '--runs', '1500');
    expect(first).toMatchObject({ exitCode: 0, end: { runs: 1500 } });
    const later = await fuzz('devices', '--corpus', folder, '--seed', '2', '--runs', '1');
    expect(later.end.edges).toBeGreaterThanOrEqual(first.end.edges);
    const cases = readdirSync(folder).filter((name) => name.endsWith('.txt'));
    expect(cases.length).toBe(later.end.corpus);
    expect(cases.length).toBeGreaterThan(20);
  });

  it('is told what others find while it runs', async () => {
    const argv = ['fuzz', 'devices', '--queue', server.url, '--name', 'two', '--json', '--coverage'];
    const running = new Pio86('.', ...argv, '--seed', '4', '--time', '100');
    const finder = new Pio86('.', ...argv, '--seed', '3', '--runs', '400');
    expect(await finder.ended()).toBe(0);
    await sleep(3000);
    running.interrupt();
    expect(await running.ended()).toBe(0);
    const { corpus, added } = JSON.parse(running.stdout);
    expect(corpus).toBeGreaterThan(added);
  });

  it('is refused for another target', async () => {
    const { exitCode, stderr } = await fuzz('bus', '--coverage', '--runs', '10');
    expect(exitCode).toBe(3);
    expect(stderr).toContain('corpus shared: its target is devices, not bus');
  });
});
