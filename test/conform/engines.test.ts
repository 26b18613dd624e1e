/**
 * A part of all vectors with every instruction as generated code (`pio86 conform --jit verify ../shared/vectors` runs them whole).
 */
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { CaseDiff } from '../../src/conform/case-diff.ts';
import { Hw32Replayer } from '../../src/conform/hw32.ts';
import { parseVector } from '../../src/conform/json-fields.ts';
import { readVectorLines } from '../../src/conform/vector-files.ts';
import { COLD_TABLE } from '../../src/cpu/cold.ts';
import { Op } from '../../src/decoder/op.ts';
import { Jit } from '../../src/jit/engine.ts';
import { EVERY_INSTRUCTION } from '../../src/jit/every-instruction.ts';
import { conform } from './lines.ts';

const folder = join(import.meta.dirname, '../vectors');
const bswap = COLD_TABLE[Op.Bswap];

afterEach(() => {
  COLD_TABLE[Op.Bswap] = bswap;
});

describe('recorded cases in both engines', () => {
  it.each([
    ['kvm', 'id=117', 40],
    ['hw32', '17', 300],
  ])(
    '%s passes, and the engines agree beyond the recording',
    async (set, filter, least) => {
      const { code, lines } = await conform([join(folder, set)], { jit: 'verify', filter });
      expect(lines.at(-1)).toMatch(/^\d+ passed, 0 failed$/);
      expect(Number.parseInt(lines.at(-1) ?? '', 10)).toBeGreaterThan(least);
      expect(code).toBe(0);
    },
    300_000,
  );

  it('have nearly each instruction made a function before it runs for the first time', () => {
    const replayer = new Hw32Replayer('pae', EVERY_INSTRUCTION);
    const diff = new CaseDiff();
    const lines = readVectorLines(join(folder, 'hw32/incdec.jsonl.gz')).lines.slice(0, 100);
    for (const line of lines) replayer.replay(parseVector(line), diff);
    expect(diff.rows).toEqual([]);
    const { generator } = replayer.cpu;
    expect(generator instanceof Jit ? generator.functions : 0).toBeGreaterThan(90);
  });

  it('fail when generated code does something else', async () => {
    COLD_TABLE[Op.Bswap] = (cpu, insn) => {
      const status = bswap?.(cpu, insn) ?? 0;
      if (cpu.generator !== null) cpu.gpr[insn.dst] ^= 1;
      return status;
    };
    const path = [join(folder, 'hw32/extend.jsonl.gz')];
    const { code, text } = await conform(path, { jit: 'verify', filter: 'bswap' });
    expect(text).toMatch(/interpreted/);
    expect(code).toBe(1);
    expect((await conform(path, { jit: 'off', filter: 'bswap' })).code).toBe(0);
  });
});
