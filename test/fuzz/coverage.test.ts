/**
 * Coverage guidance as users have it: the built program, its instrumented build, a folder of cases.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFuzzTarget, FUZZ_TARGETS } from '../../src/cli/fuzz/targets.ts';
import type { FuzzTarget } from '../../src/fuzz/engine/fuzz-target.ts';

const DIST = new URL('../../dist/', import.meta.url);
const MAIN = new URL('bin/main.js', DIST).pathname;

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pio86-corpus-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function fuzz(...argv: string[]): ChildProcess {
  return spawn(process.execPath, [MAIN, 'fuzz', ...argv], { stdio: 'pipe' });
}

function ended(child: ChildProcess): Promise<{ exitCode: number | null; stdout: string; stderr: string }> {
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.on('data', (chunk: Buffer) => {
      text[name] += chunk.toString();
    });
  }
  return new Promise((resolve) => child.on('close', (exitCode) => resolve({ exitCode, ...text })));
}

const cases = (): string[] => readdirSync(folder).filter((name) => name.endsWith('.txt'));

describe('the instrumented build', () => {
  it.each(['edges', 'values'])(
    'gives the results of the plain one (%s)',
    async (kind) => {
      const file = new URL(`instrumented/${kind}/targets.js`, DIST).href;
      const build = (await import(file)) as { createFuzzTarget(name: string): Promise<FuzzTarget> };
      for (const name of FUZZ_TARGETS) {
        const [plain, counted] = [await createFuzzTarget(name), await build.createFuzzTarget(name)];
        const runs = name === 'insn' ? 40 : 300;
        for (let run = 0; run < runs; run++) expect(counted.run(3, run)).toEqual(plain?.run(3, run));
        const counts = counted.takeCounts();
        expect(counts).toEqual(plain?.takeCounts());
        expect(Math.max(...Object.values(counts))).toBeGreaterThan(100);
      }
    },
    400_000,
  );
});

describe('pio86 fuzz --corpus', () => {
  it('keeps what covers more, goes on from there, and makes it small without losing an edge', async () => {
    const argv = ['devices', '--corpus', folder, '--seed', '1', '--json'];
    const first = JSON.parse((await ended(fuzz(...argv, '--runs', '3000'))).stdout);
    expect(first).toMatchObject({ runs: 3000, findings: [], added: cases().length, stability: 1 });
    expect(first.edges).toBeGreaterThan(300);

    const small = JSON.parse((await ended(fuzz(...argv, '--minimize'))).stdout);
    expect(small).toMatchObject({ before: first.added, after: cases().length, edges: first.edges });
    expect(small.after).toBeLessThan(small.before);

    const again = JSON.parse((await ended(fuzz(...argv, '--runs', '1'))).stdout);
    expect(again.edges).toBeGreaterThanOrEqual(first.edges);
    expect(readFileSync(join(folder, 'plot.csv'), 'utf8').split('\n')[0]).toMatch(/^seconds,runs,.*,edges,/);
  });

  it('does the same for the same seed', async () => {
    const argv = ['bus', '--coverage', '--seed', '9', '--runs', '1500', '--json'];
    const [one, two] = await Promise.all([ended(fuzz(...argv)), ended(fuzz(...argv))]);
    const [a, b] = [JSON.parse(one.stdout), JSON.parse(two.stdout)];
    expect({ ...a, seconds: 0, execPerSec: 0 }).toEqual({ ...b, seconds: 0, execPerSec: 0 });
  });

  it('shares what is found among workers', async () => {
    const argv = ['devices', '--corpus', folder, '--seed', '1', '--runs', '3000', '--json'];
    const { exitCode, stdout } = await ended(fuzz(...argv, '--workers', '2'));
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ runs: 3000, added: cases().length });
  });

  it.each(['SIGKILL', 'SIGINT'] as const)('leaves whole cases behind at %s', async (signal) => {
    const child = fuzz('devices', '--corpus', folder, '--time', '100', '--seed', '2');
    const end = ended(child);
    while (cases().length < 20) await sleep(20);
    child.kill(signal);
    const { exitCode, stdout } = await end;
    expect(exitCode).toBe(signal === 'SIGINT' ? 0 : null);
    if (signal === 'SIGINT') expect(stdout).toMatch(/\d+ of \d+ edges, .*\n.*\n\d+ runs, 0 findings/);
    const kept = cases().length;
    const next = await ended(fuzz('devices', '--corpus', folder, '--runs', '1', '--json'));
    expect(next.exitCode).toBe(0);
    expect(JSON.parse(next.stdout).corpus).toBeGreaterThan(kept / 2);
  });

  it('says which file is no case', async () => {
    writeFileSync(join(folder, 'mine.txt'), 'target=devices\nstep=out 0x70 size 1 value 3\n');
    const { exitCode, stderr } = await ended(fuzz('devices', '--corpus', folder, '--runs', '10'));
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(/mine\.txt: "out 0x70 size 1 value 3" is not a step/);
  });

  it.each([
    [['--minimize'], /--minimize needs --corpus/],
    [['--value-profile'], /--value-profile needs --coverage/],
    [['--coverage', '--ledger', 'x'], /--ledger does not go with/],
  ])('refuses %j', async (argv, message) => {
    const { exitCode, stderr } = await ended(fuzz('bus', ...argv));
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(message);
  });
});
