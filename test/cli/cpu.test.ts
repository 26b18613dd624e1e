/** `--cpu`: which processor a command's guest sees. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CPU_OPTION } from '../../src/cli/cpu-option.ts';
import { CPU_MODEL_NAMES } from '../../src/cpu/models/index.ts';
import { cli } from '../unit/cli/capture-io.ts';

const folder = mkdtempSync(join(tmpdir(), 'pio86-cpu-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** mov eax, 1; cpuid; out 0xf4, al */
const SIGNATURE = join(folder, 'signature.bin');
writeFileSync(SIGNATURE, Uint8Array.of(0x66, 0xb8, 1, 0, 0, 0, 0x0f, 0xa2, 0xe6, 0xf4));

describe('--cpu', () => {
  it('takes the names of the processor models', () => {
    expect(CPU_OPTION.choices).toEqual(CPU_MODEL_NAMES);
  });

  it.each([
    { args: [], written: 0x63 },
    { args: ['--cpu', 'max'], written: 0x63 },
    { args: ['--cpu', 'p6'], written: 0x52 },
  ])('$args: the guest finds the signature of that processor', async ({ args, written }) => {
    const { stderr } = await cli(['run', ...args, SIGNATURE]);
    expect(stderr).toContain(`the guest wrote ${written} to the exit port`);
  });

  it('486: CPUID is an undefined instruction', async () => {
    const { exitCode, stderr } = await cli(['run', '--cpu', '486', '--max-insns', '100', SIGNATURE]);
    expect(exitCode).toBe(5);
    expect(stderr).not.toContain('CPUID');
  });

  it('works with trace and buses too', async () => {
    const trace = (cpu: string) => cli(['trace', '--graph', '--cpu', cpu, '--max-insns', '100', SIGNATURE]);
    expect((await trace('486')).stdout).not.toContain('kernel_pio');
    expect((await trace('p6')).stdout).toContain('kernel_pio');
    expect((await cli(['buses', '--cpu', '486', '--max-insns', '100', SIGNATURE])).exitCode).toBe(5);
    expect((await cli(['buses', '--cpu', 'p6', SIGNATURE])).exitCode).toBe(0);
  });

  it('386 is a usage error', async () => {
    const { exitCode, stderr } = await cli(['run', '--cpu', '386', SIGNATURE]);
    expect([exitCode, stderr]).toEqual([2, expect.stringMatching(/Allowed choices are 486, p6, max/)]);
  });
});
