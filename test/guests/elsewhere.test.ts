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
const MAIN = fileURLToPath(new URL('../../dist/bin/main.js', import.meta.url));
const OUTPUT_LIMIT = 64 * 1024 * 1024;

const missing = (name: string): boolean => FOLDER === '' || !existsSync(join(FOLDER, name));

function pio86(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'run', '--timeout', '900', ...args], {
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
  it.skipIf(missing('test386-64k.bin')).each([
    ['test386-64k.bin', 'off'],
    ['test386-64k.bin', 'on'],
    ['test386-64k.bin', 'verify'],
    ['test386-128k.bin', 'on'],
    ['test386-128k.bin', 'verify'],
  ])(
    '%s with --jit %s (needs PIO86_GUESTS)',
    (name, jit) => {
      const { stdout, stderr } = pio86('--jit', jit, '--format', 'bios', join(FOLDER, name));
      expect(stderr).toMatch(/the guest halted with interrupts off/);
      expect(stdout === readFileSync(join(FOLDER, 'test386-EE-reference.txt'), 'latin1')).toBe(true);
    },
    900_000,
  );
});

/** Runs one of kvm-unit-tests. */
function unitTest(name: string, ...options: readonly string[]) {
  const guest = join(FOLDER, `${name}.flat`);
  const { stdout, stderr } = pio86('--device', 'pc-testdev', '--memory', '128M', ...options, guest);
  const lines = stdout.split('\n');
  const starting = (word: string): string[] => lines.filter((line) => line.startsWith(word));
  return { stdout, stderr, passed: starting('PASS'), failed: starting('FAIL') };
}

describe('kvm-unit-tests', () => {
  it.skipIf(missing('realmode.flat')).each([
    ['realmode', 126],
    ['taskswitch', 0],
    ['taskswitch2', 13],
    ['cmpxchg8b', 1],
    ['eventinj', 15],
    ['setjmp', 10],
    ['ioapic', 19],
    ['umip', 21],
    ['tsc', 3],
  ])('%s.flat (needs PIO86_GUESTS)', (name, passes) => {
    const { stderr, passed, failed } = unitTest(name);
    expect(stderr).toMatch(/to the exit port/);
    expect(passed.length).toBe(passes);
    // Without an FPU FNSTSW and FNSTCW store nothing.
    expect(failed).toEqual(name === 'realmode' ? ['FAIL: fninit'] : []);
  });

  it.skipIf(missing('emulator.flat'))('emulator.flat up to SSE, which it does not ask CPUID about', () => {
    const { stdout, passed, failed } = unitTest('emulator');
    expect([passed.length, passed.at(-1)?.trimEnd(), failed]).toEqual([61, 'PASS: imul eax, mem, imm', []]);
    expect(stdout).toContain("Unexpected fault '13' writing CR4 = 210");
  });

  it.skipIf(missing('umip.flat'))('umip.flat on a processor without UMIP runs the rest', () => {
    const { stdout, passed, failed } = unitTest('umip', '--cpu', 'p6');
    expect([passed.length, failed]).toEqual([11, []]);
    expect(stdout).toContain('UMIP not available');
  });
});
