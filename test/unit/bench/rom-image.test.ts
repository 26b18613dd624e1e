import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { ROMS } from '../../../scripts/assemble.ts';
import { ROOT } from '../../../scripts/kvm-tags.ts';
import { romOf } from '../../../src/bench/rom-image.ts';
import { createKvmBoard } from '../../../src/boards/kvm.ts';

const WORKS = [...new Set(ROMS.map(({ work }) => work))];

/** Instructions that a ROM takes from reset to its end. */
function instructions(image: Uint8Array): number {
  const board = createKvmBoard();
  board.addRom(image, 0xf0000);
  board.addRom(image, 0xffff0000);
  board.reset();
  for (let end = board.run(1e6); end.kind !== 'exit'; end = board.run(1e6)) {
    expect(end.kind).toBe('slice');
  }
  return board.vcpu.instructions;
}

describe('romOf', () => {
  it.each(ROMS)('makes $file of the other size of $work', ({ work, n, file }) => {
    const assembled = gunzipSync(readFileSync(join(ROOT, 'bench/roms', file)));
    expect(Buffer.compare(Buffer.from(romOf(work).image(n)), assembled)).toBe(0);
  });

  it.each(WORKS)('%s ends, and one N is as many instructions as index.json says', (work) => {
    const rom = romOf(work);
    const rows = ROMS.filter((row) => row.work === work);
    const steps = work.includes('sieve') ? [1, 2] : [1, 9];
    const [few = 0, many = 0] = steps.map((n) => instructions(rom.image(n * rom.step)));
    const perN = (many - few) / (((steps[1] ?? 0) - (steps[0] ?? 0)) * rom.step);
    // A CRC's instructions depend on its bits; a REP's last look at CX may be counted too.
    const slack = work.includes('crc')
      ? 4
      : work.includes('sieve')
        ? 1
        : /outsb|insw/.test(work)
          ? 1 / rom.step
          : 0.01;
    expect(Math.abs(perN - (rows[0]?.instructionsPerN ?? 0))).toBeLessThanOrEqual(slack);
  });

  it('knows its limits', () => {
    expect(() => romOf('no such work')).toThrow('no two sizes of no such work');
  });
});
