/**
 * Guests that were built elsewhere and are not part of this project: test386 and kvm-unit-tests, looked up in the folder
 * that PIO86_GUESTS names, run by the built command. docs/conformance.md says where they come from and with which settings.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const FOLDER = process.env.PIO86_GUESTS ?? '';
const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const OUTPUT_LIMIT = 64 * 1024 * 1024;

const missing = (name: string): boolean => FOLDER === '' || !existsSync(join(FOLDER, name));

function pio86(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'run', '--timeout', '90', ...args], {
    encoding: 'latin1',
    input: '',
    maxBuffer: OUTPUT_LIMIT,
  });
  return { status, stdout, stderr };
}

it('PIO86_GUESTS, where it is set, names a folder', () => {
  expect(FOLDER === '' || existsSync(FOLDER)).toBe(true);
});

describe('test386', () => {
  const roms = ['test386-64k.bin', 'test386-128k.bin'];
  it.skipIf(missing('test386-64k.bin')).each(roms)('%s (needs PIO86_GUESTS)', (name) => {
    const { stdout, stderr } = pio86('--format', 'bios', join(FOLDER, name));
    expect(stderr).toMatch(/the guest halted with interrupts off/);
    expect(stdout === readFileSync(join(FOLDER, 'test386-EE-reference.txt'), 'latin1')).toBe(true);
  });
});

describe('kvm-unit-tests', () => {
  it.skipIf(missing('realmode.flat')).each([
    ['realmode', 126],
    ['taskswitch', 0],
    ['taskswitch2', 13],
    ['cmpxchg8b', 1],
    ['eventinj', 15],
    ['setjmp', 10],
    ['ioapic', 19],
  ])('%s.flat (needs PIO86_GUESTS)', (name, passes) => {
    const { stdout, stderr } = pio86(
      '--device',
      'pc-testdev',
      '--memory',
      '128M',
      join(FOLDER, `${name}.flat`),
    );
    expect(stderr).toMatch(/to the exit port/);
    const lines = stdout.split('\n');
    expect(lines.filter((line) => line.startsWith('PASS')).length).toBe(passes);
    // The processor has no FPU yet.
    expect(lines.filter((line) => line.startsWith('FAIL'))).toEqual(
      name === 'realmode' ? ['FAIL: fninit'] : [],
    );
  });
});
