/** `--jit` of the built command, and a host that lets no function be made from text. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { bytes, guestFolder } from './guests.ts';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const examplePath = (file: string): string =>
  fileURLToPath(new URL(`../../examples/${file}`, import.meta.url));

function pio86(nodeOptions: readonly string[], ...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...nodeOptions, MAIN, ...args], {
    encoding: 'latin1',
    input: 'abc\n',
  });
  return { status, stdout, stderr };
}

describe('--jit', () => {
  it('off, on and verify print the same and end at the same time', () => {
    const runs = ['off', 'on', 'verify'].map((how) =>
      pio86([], 'run', '--jit', how, examplePath('pit-irq.bin')),
    );
    expect(runs[0].stdout).toContain('Test OK');
    expect(runs).toEqual(Array(3).fill(runs[0]));
  }, 60_000);

  it('works for trace and buses: what they print is the same', () => {
    for (const command of [['trace', '--graph', '--limit', '20'], ['buses']]) {
      const texts = ['off', 'verify'].map(
        (how) => pio86([], ...command, '--jit', how, examplePath('pit-irq.bin')).stdout,
      );
      expect(texts[0].length).toBeGreaterThan(200);
      expect(texts[1]).toBe(texts[0]);
    }
  }, 60_000);

  it('takes nothing else', () => {
    expect(pio86([], 'run', '--jit', 'maybe', examplePath('hello.bin')).status).toBe(2);
  });

  it('on falls back to the interpreter where functions cannot be made from text', () => {
    const folder = guestFolder();
    // mov cx,60000; dec cx; jnz; cli; hlt
    const loop = folder.file('count.bin', bytes('b960ea 49 75fd fa f4'));
    for (const guest of [loop, examplePath('pit-irq.bin')]) {
      const plain = pio86([], 'run', guest);
      expect(pio86(['--disallow-code-generation-from-strings'], 'run', guest)).toEqual(plain);
      expect(plain.status).toBe(0);
    }
  }, 60_000);
});
