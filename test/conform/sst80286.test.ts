/**
 * The recorded 80286 (MIT-licensed, 9 MB: not copied into this repository). Skipped by name where the set is not beside
 * the project.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CaseDiff } from '../../src/conform/case-diff.ts';
import { parseVector } from '../../src/conform/json-fields.ts';
import { Sst80286Replayer } from '../../src/conform/sst80286.ts';
import { readVectorLines } from '../../src/conform/vector-files.ts';
import { conform } from './lines.ts';

const folder = join(import.meta.dirname, '../../../shared/vectors/sst80286');
const isThere = existsSync(folder);
const IO_FORMS = ['6C', '6D', '6E', '6F', 'E4', 'E5', 'E6', 'E7', 'EC', 'ED', 'EE', 'EF'];

describe.skipIf(!isThere)(`sst80286${isThere ? '' : ' (../shared/vectors/sst80286 is missing)'}`, () => {
  it('passes every test without a d386 tag; nothing else is excluded', async () => {
    const { code, lines } = await conform([folder]);
    expect(lines.slice(-2)).toEqual([
      '1352 excluded (lock 1146, ss 18, string 180, len 10, sreg 3)',
      '54608 passed, 0 failed',
    ]);
    expect(lines.filter((line) => line.includes('  passed '))).toHaveLength(325);
    expect(code).toBe(0);
  }, 300_000);

  it.each(IO_FORMS)('form %s gives the guest the same on the fast path and through the emulator', (form) => {
    const replayer = new Sst80286Replayer(folder, 1);
    const diff = new CaseDiff();
    let judged = 0;
    for (const line of readVectorLines(join(folder, `${form}.jsonl.gz`)).lines) {
      const test = parseVector(line);
      if (replayer.exclusions(test).length > 0) continue;
      replayer.replay(test, diff);
      judged++;
    }
    expect(diff.rows).toEqual([]);
    expect(judged).toBeGreaterThan(1400);
  });
});
