import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runRom } from '../../../src/bench/jobs/run-rom.ts';
import { romOf } from '../../../src/bench/rom-image.ts';

const folder = mkdtempSync(join(tmpdir(), 'bench-rom-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('runRom', () => {
  it('runs the same instructions on either engine', () => {
    const file = join(folder, 'crc.rom');
    writeFileSync(file, romOf('crc').image(2_000));
    const run = (engine: 'generated' | 'interpreter') =>
      runRom({ kind: 'rom', file, path: 'board', devices: 0, engine });
    const [generated, interpreted] = [run('generated'), run('interpreter')];
    expect(interpreted.units).toBe(generated.units);
    expect(generated.units).toBeGreaterThan(0);
  });
});
