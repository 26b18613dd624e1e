import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as guests from './guests.ts';

const folder = guests.guestFolder();
const loop = folder.file('loop.bin', guests.LOOP);
const floodUart = folder.file('flood.bin', guests.FLOOD_UART);
const sleep = folder.file('sleep.bin', guests.SLEEP);

function start(...argv: string[]): ChildProcess {
  return spawn(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', ...argv], { stdio: 'pipe' });
}

/** Waits for the end. */
function ended(child: ChildProcess): Promise<{ exitCode: number | null; stdout: string; stderr: string }> {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk.toString('latin1');
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('latin1');
  });
  return new Promise((resolve) => child.on('close', (exitCode) => resolve({ exitCode, stdout, stderr })));
}

describe('the pio86 process', () => {
  it('prints its version', async () => {
    expect(await ended(start('--version'))).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^\d+\./),
    });
  });

  it('fuzzes on two threads as on one', async () => {
    const argv = ['dist/bin/main.js', 'fuzz', 'devices', '--runs', '700', '--seed', '1', '--json'];
    const run = (...more: string[]) => ended(spawn(process.execPath, [...argv, ...more], { stdio: 'pipe' }));
    const [one, two] = await Promise.all([run(), run('--workers', '2')]);
    expect(two.exitCode).toBe(0);
    const [alone, shared] = [JSON.parse(one.stdout), JSON.parse(two.stdout)];
    expect(shared).toMatchObject({ runs: 700, total: 700, counts: alone.counts });
  });

  it('passes exit codes on', async () => {
    expect((await ended(start('run', '--foo'))).exitCode).toBe(2);
  });

  it('hands a file as standard input to the guest at the same instructions in every run', async () => {
    const echo = folder.file('echo.bin', guests.ECHO);
    const text = folder.file('input.txt', Buffer.from(`${'0123456789'.repeat(500)}q`));
    const run = async () => {
      const fd = openSync(text, 'r');
      const argv = ['dist/bin/main.js', 'run', '--json', echo];
      const { exitCode, stderr, stdout } = await ended(
        spawn(process.execPath, argv, { stdio: [fd, 'pipe', 'pipe'] }),
      );
      closeSync(fd);
      expect(exitCode).toBe(0);
      expect(stderr).toContain('0123456789'.repeat(500));
      return JSON.parse(stdout);
    };
    // Two at once, so that they are not equally fast.
    const [one, two] = await Promise.all([run(), run()]);
    expect(one.instructions).toBeGreaterThan(10_000);
    expect([two.instructions, (await run()).instructions]).toEqual([one.instructions, one.instructions]);
  });

  it('ends although its standard input stays open', async () => {
    const child = start('run', '--max-insns', '1000', loop);
    expect((await ended(child)).exitCode).toBe(5);
  });

  it('ends quietly with 0 when nobody reads its output any more', async () => {
    const child = start('run', floodUart);
    child.stdout?.once('data', () => child.stdout?.destroy());
    const { exitCode, stderr } = await ended(child);
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(/^pio86: nobody reads the output any more: [^\n]*\n$/);
  });

  it('keeps --timeout although its reader takes nothing, and does not fill its memory', async () => {
    const child = start('run', '--timeout', '1', floodUart);
    const code = new Promise((resolve) => child.on('exit', resolve));
    child.stderr?.resume();
    expect(await code).toBe(5);
    child.stdout?.destroy();
  });

  it.each([
    ['SIGINT', 130, /pio86: interrupted: [^\n]*\n$/],
    ['SIGTERM', 143, /pio86: ended by SIGTERM: [^\n]*\n$/],
  ] as const)(
    'ends at %s with %d and the summary, running or waiting for input',
    async (signal, code, text) => {
      for (const guest of [loop, sleep]) {
        const child = start('run', '--trace=kvm_entry', guest);
        // The first line of the trace: the guest runs.
        child.stderr?.once('data', () => setTimeout(() => child.kill(signal), 100));
        const { exitCode, stderr } = await ended(child);
        expect([exitCode, stderr]).toEqual([code, expect.stringMatching(text)]);
      }
    },
  );
});
