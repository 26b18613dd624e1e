import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { cli } from '../unit/cli/capture-io.ts';
import * as guests from './guests.ts';

const folder = guests.guestFolder();
const loop = folder.file('loop.bin', guests.LOOP);
const halt = folder.file('halt.bin', guests.HALT);
const sleep = folder.file('sleep.bin', guests.SLEEP);
const hello = folder.file('hello.bin', guests.HELLO);
/** `A` on the UART, then `jmp $`. */
const letterLoop = folder.file('letter.bin', guests.bytes('ba f8 03 b0 41 ee eb fe'));

function canOpenKvm(): boolean {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return existsSync('/dev/kvm');
  } catch {
    return false;
  }
}
const noKvm = !canOpenKvm();

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command in a process of its own: its child inherits the loader. */
function pio86(argv: readonly string[], stdin = '', onStart?: (kill: () => void) => void): Promise<Ended> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', ...argv], { stdio: 'pipe' });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString('latin1');
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('latin1');
  });
  child.stdin.end(stdin);
  onStart?.(() => child.kill('SIGINT'));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
}

describe('--engine kvm and diff on the command line', () => {
  it('refuse options that the kernel cannot honour', async () => {
    for (const option of [['--max-insns', '10'], ['--trace'], ['--cpu', 'p6'], ['--force-emulation']]) {
      const { exitCode, stderr } = await cli(['run', '--engine', 'kvm', ...option, halt]);
      expect([exitCode, stderr]).toEqual([
        2,
        expect.stringMatching(/^pio86: run: --[^\n]* --engine kvm: [^\n]*\n$/),
      ]);
    }
  });

  it('ask for something to do', async () => {
    expect(await cli(['diff'])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('nothing to do'),
    });
  });
});

describe.skipIf(noKvm)('pio86 run --engine kvm (needs /dev/kvm)', () => {
  it('prints what the guest prints and ends as on pio86', async () => {
    expect(await pio86(['run', '--engine', 'kvm', '--timeout', '20', hello])).toMatchObject({
      code: 0,
      stdout: 'Hidbg',
      stderr: expect.stringMatching(
        /^pio86: the guest halted with interrupts off: .* on the host's KVM, 5 KVM_EXIT_IO\n$/,
      ),
    });
  });

  it('ends jmp $ at --timeout with 5, and what was printed before is there', async () => {
    expect(await pio86(['run', '--engine', 'kvm', '--timeout', '1', loop])).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('--timeout reached'),
    });
    expect(await pio86(['run', '--engine', 'kvm', '--timeout', '1', letterLoop])).toMatchObject({
      code: 5,
      stdout: 'A',
    });
  });

  it('ends a guest that sleeps for ever when the input is at its end', async () => {
    expect(await pio86(['run', '--engine', 'kvm', '--timeout', '20', sleep])).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('waits for input and there is none'),
    });
  });

  it('echoes serial input, and prints one JSON document under --json', async () => {
    const argv = ['run', '--engine', 'kvm', '--timeout', '20', '--json', 'examples/serial-echo.bin'];
    const { code, stdout, stderr } = await pio86(argv, 'abc\n');
    expect(code).toBe(0);
    expect(stderr).toContain('ABC');
    expect(JSON.parse(stdout)).toMatchObject({
      schemaVersion: 1,
      engine: 'kvm',
      end: { kind: 'exit', code: 0 },
    });
  });

  it('runs the examples of interrupts and of REP INSW to their Test OK', async () => {
    for (const name of ['pit-irq', 'rep-insw']) {
      const { stdout } = await pio86(['run', '--engine', 'kvm', '--timeout', '20', `examples/${name}.bin`]);
      expect(stdout).toMatch(/Test OK\n$/);
    }
  });
});

describe.skipIf(noKvm)('pio86 diff (needs /dev/kvm)', () => {
  it('finds no difference in examples, masks what depends on time, and names what the host cannot run', async () => {
    const files = ['hello', 'rep-outsb', 'pit-irq'].map((name) => `examples/${name}.bin`);
    const { code, stdout } = await pio86(['diff', '--json', '--timeout', '60', ...files]);
    expect(code).toBe(0);
    const { schemaVersion, guests: results, probe } = JSON.parse(stdout);
    expect(schemaVersion).toBe(1);
    expect(probe.instructions.length).toBeGreaterThan(200);
    expect(results.map((g: { status: string }) => g.status)).toEqual(['same', 'same', 'same']);
    expect(results[0]).toMatchObject({ orderOnlyExits: 0, timeReason: null, masked: {} });
    expect(results[2].timeReason).toMatch(/0x40/);
    expect(results[2].masked).toHaveProperty('final registers', 1);
  });

  it('prints the seed of random programs and the probe', async () => {
    const { code, stdout } = await pio86([
      'diff',
      '--probe',
      '--random',
      '20',
      '--seed',
      '9',
      '--timeout',
      '60',
    ]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^IN and OUT: F3 EC with ECX = 5 leaves with count [15]: /);
    expect(stdout).toMatch(/^seed 9: \d+ programs .*no difference$/m);
  });

  it('ends at --timeout with 5', async () => {
    expect((await pio86(['diff', '--timeout', '1', loop])).code).toBe(5);
  });
});
