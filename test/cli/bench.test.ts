import { readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { BenchReport } from '../../src/bench/report/report.ts';
import { cli } from '../unit/cli/capture-io.ts';
import { guestFolder } from './guests.ts';

const folder = guestFolder();
const SLOW = 240_000;
const TINY = ['--samples', '1', '--seconds', '0.01'];

describe('pio86 bench', () => {
  it('refuses a filter that matches nothing', async () => {
    expect(await cli(['bench', '--filter', 'no such workload'])).toMatchObject({
      exitCode: 2,
      stdout: '',
      stderr: expect.stringMatching(
        /^pio86: bench: no workload matches 'no such workload'; there are out_pic, /,
      ),
    });
  });

  it.each([
    [['out_pic', 'out'], 2, "bench: no workload matches 'out'; there are out_pic, "],
    [['--samples', '0'], 2, "--samples: '0' is not a number"],
    [['--seconds', 'long'], 2, "--seconds: 'long' is not a number from 0.001 to 60"],
    [['--seconds', '0'], 2, '--seconds: '],
    [['--clock', 'sundial'], 2, 'sundial'],
    [['--jit', 'verify'], 2, "'verify' is invalid. Allowed choices are on, off, both"],
    [['--peer', 'vmware'], 2, "bench: 'vmware' is no peer; there are v86, qemu, bochs, kvm"],
    [['--max-slowdown', '0.5', '--baseline', 'x'], 2, "--max-slowdown: '0.5' is not a number from 1"],
    [['--max-slowdown', '1.1'], 2, '--max-slowdown: there is no --baseline to compare with'],
    [['--chart', 'x.png'], 2, "--chart: 'x.png' ends neither in .svg nor in .html"],
    [['--chart', '/no/such/folder/x.svg'], 2, '--chart: cannot write /no/such/folder/x.svg'],
    [['--baseline', '/no/such/file.json'], 3, '/no/such/file.json'],
    [['test386'], 6, 'bench: nothing could be measured'],
  ])('%j ends with exit code %d and one clear line', async (argv, exitCode, message) => {
    const result = await cli(['bench', ...argv]);
    expect([result.exitCode, result.stdout]).toEqual([exitCode, '']);
    expect(result.stderr).toContain(message);
    expect(result.stderr).toMatch(/^(pio86: [^\n]*\n)+$/);
  });

  it('says by name what it leaves out', async () => {
    const { stderr } = await cli(['bench', 'test386']);
    expect(stderr).toContain('pio86: bench: test386: left out: PIO86_GUESTS does not name the folder');
  });

  it('ends with exit code 1 when pio86 itself breaks off, and measures the rest', async () => {
    writeFileSync(folder.path('test386-64k.bin'), 'no ROM');
    const argv = ['bench', 'start:node', 'test386', ...TINY, '--json'];
    const env = { PIO86_GUESTS: dirname(folder.path('x')) };
    const { exitCode, stdout, stderr } = await cli(argv, { env });
    expect(stderr).toMatch(/^pio86: bench: test386 \(pio86\): failed: pio86 run: exit code \d+: /m);
    const report = JSON.parse(stdout) as BenchReport;
    expect(report.rows.map(({ name }) => name)).toEqual(['start:node']);
    expect(report.skipped).toMatchObject([{ name: 'test386 (pio86)', isFailure: true }]);
    expect(exitCode).toBe(1);
  });

  it('refuses a baseline that is none', async () => {
    const path = folder.path('bad.json');
    writeFileSync(path, '{"rows":[]}');
    expect(await cli(['bench', '--baseline', path])).toMatchObject({
      exitCode: 3,
      stderr: `pio86: bench: ${path} is not what 'pio86 bench --json' prints\n`,
    });
  });

  it(
    'measures, prints one document, draws, and compares with it the next time',
    async () => {
      const chart = folder.path('chart.html');
      const first = await cli([
        'bench',
        'crc',
        'restore:10',
        'start:node',
        ...TINY,
        '--json',
        '--chart',
        chart,
      ]);
      expect([first.exitCode, first.stderr]).toEqual([0, '']);
      const report = JSON.parse(first.stdout) as BenchReport;
      expect(report).toMatchObject({
        schemaVersion: 1,
        command: 'bench',
        clock: 'wall',
        peers: [],
        skipped: [],
      });
      expect(
        report.rows.map(({ name, unit, samples, peers }) => [name, unit, samples, peers.length]),
      ).toEqual([
        ['crc', 'instructions/s', 1, 0],
        ['start:node', 'ms', 1, 0],
        ['restore:10', 'µs', 1, 0],
      ]);
      for (const { median, min, max, values } of report.rows) {
        expect([min, max, values]).toEqual([median, median, [median]]);
        expect(median).toBeGreaterThan(0);
      }
      expect(readFileSync(chart, 'utf8')).toContain('>crc</text>');

      const before = folder.path('before.json');
      const rows = report.rows.map((row) => ({
        ...row,
        median: row.name === 'start:node' ? 1e-3 : row.median,
      }));
      writeFileSync(before, JSON.stringify({ ...report, rows }));
      const second = await cli(['bench', 'start:node', ...TINY, '--baseline', before, '--max-slowdown', '2']);
      expect(second.exitCode).toBe(1);
      expect(second.stdout).toMatch(/│ start:node │.*│ +0\.00× │/);
      expect(second.stderr).toMatch(
        /^pio86: bench: start:node is \d+\.\d\d times as slow as the baseline; the limit is 2\n$/,
      );
    },
    SLOW,
  );

  it(
    'measures both engines side by side, and says of a row without a guest that it has none',
    async () => {
      const argv = ['bench', 'crc', 'start:hello', 'start:version', ...TINY];
      const { exitCode, stdout } = await cli([...argv, '--jit', 'both', '--json']);
      expect(exitCode).toBe(0);
      const { jit, rows } = JSON.parse(stdout) as BenchReport;
      expect(jit).toBe('both');
      expect(rows.map(({ name, engine }) => [name, engine])).toEqual([
        ['crc', 'generated'],
        ['crc', 'interpreter'],
        ['start:version', null],
        ['start:hello', 'generated'],
        ['start:hello', 'interpreter'],
      ]);
      const [generated, interpreted] = rows.map(({ median }) => median);
      expect(generated).toBeGreaterThan(2 * (interpreted ?? 0));
    },
    SLOW,
  );

  it(
    'refuses a limit where the baseline has no figure of this engine',
    async () => {
      const before = folder.path('generated.json');
      const row = { name: 'start:hello', engine: 'generated', median: 1 };
      writeFileSync(before, JSON.stringify({ command: 'bench', rows: [row] }));
      const argv = ['bench', 'start:hello', ...TINY, '--jit', 'off', '--baseline', before];
      expect((await cli(argv)).stdout).toMatch(
        /the interpreter alone \(--jit off\)(.|\n)*│ start:hello │ interpreter │.* new │/,
      );
      expect(await cli([...argv, '--max-slowdown', '9'])).toMatchObject({
        exitCode: 3,
        stderr: `pio86: bench: --max-slowdown: ${before} has no figure of start:hello --jit off\n`,
      });
    },
    SLOW,
  );

  it(
    'ends with 130 at Ctrl-C, in the middle of a run',
    async () => {
      let sigint = (): void => {};
      const run = cli(['bench', 'crc', '--seconds', '60'], {
        onReady: (raise) => {
          sigint = raise;
        },
      });
      setTimeout(() => sigint(), 500);
      expect(await run).toEqual({ exitCode: 130, stdout: '', stderr: '' });
    },
    SLOW,
  );
});
