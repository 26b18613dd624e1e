/**
 * Random programs on two boards, one interpreting and one generating code (`npm run fuzz:jit` runs more of them).
 */
import { describe, expect, it } from 'vitest';
import { COLD_TABLE } from '../../src/cpu/cold.ts';
import { Op } from '../../src/decoder/op.ts';
import { countBlocks, type EngineProgram } from '../../src/fuzz/engine-program.ts';
import { EngineTwins } from '../../src/fuzz/engine-twins.ts';
import {
  engineProgram,
  engineProgramLines,
  fuzzEngines,
  shrinkEngineProgram,
} from '../../src/fuzz/run-engine-fuzz.ts';

const BLOCKS = Number(process.env.FUZZ_BLOCKS ?? 1500);
const SEED = Number(process.env.FUZZ_SEED ?? 20261122);

const idle: Omit<EngineProgram, 'items' | 'slices'> = {
  mode: 'real',
  isPaged: false,
  offset: 0,
  gpr: [0, 0, 0, 0, 0x8000, 0, 0, 0],
  eflags: 2,
  cr4: 0,
  pitCount: 0,
  deniedPorts: [],
  aliasesCode: false,
};

describe('the two engines', () => {
  it('do the same with random programs in every mode', () => {
    const finding = fuzzEngines(SEED, BLOCKS);
    const text =
      finding === null ? [] : [...engineProgramLines(finding.program), ...finding.difference.lines];
    expect(text).toEqual([]);
  }, 120_000);

  it('have the flags of before where a REP has used up the ticks', () => {
    // mov cx,30; loopne +2; jmp [bp+di]; repne movsw; or eax,ecx; loop
    const items = [
      { bytes: [0xb9, 0x1e, 0x00] },
      { bytes: [0xe0], to: 3 },
      { bytes: [0xff, 0x23] },
      { bytes: [0xf2, 0xa5] },
      { bytes: [0x66, 0x09, 0xc8] },
      { bytes: [0xe2], to: 2 },
    ];
    const gpr = idle.gpr.with(1, -1_231_367_352);
    for (let slice = 180; slice < 230; slice++) {
      expect(new EngineTwins().run({ ...idle, items, gpr, slices: [slice] })).toBeNull();
    }
  }, 120_000);

  it('are told apart when an operation is wrong in one, and the program is made small', () => {
    const right = COLD_TABLE[Op.Bswap];
    // The generated function takes what the table holds as it is made; the interpreter looks at every execution.
    let calls = 0;
    COLD_TABLE[Op.Bswap] = (cpu, insn) => {
      const status = right?.(cpu, insn) ?? 0;
      if (cpu.generator !== null) cpu.gpr[0] ^= ++calls & 1;
      return status;
    };
    try {
      const program = Array.from({ length: 400 }, (_, i) => engineProgram(3, i)).find(
        (candidate) => new EngineTwins().run(candidate) !== null,
      );
      expect(program).toBeDefined();
      if (program === undefined) return;
      const small = shrinkEngineProgram(program, () => new EngineTwins(), 60);
      expect(small.items.length).toBeLessThanOrEqual(program.items.length);
      expect(engineProgramLines(small).join('\n')).toMatch(/bswap/);
    } finally {
      COLD_TABLE[Op.Bswap] = right;
    }
  }, 120_000);

  it('are compared over programs of several blocks', () => {
    const programs = Array.from({ length: 200 }, (_, i) => engineProgram(SEED, i));
    const mean = programs.reduce((sum, { items }) => sum + countBlocks(items), 0) / programs.length;
    expect(mean).toBeGreaterThan(5);
    expect(new Set(programs.map(({ mode }) => mode)).size).toBe(5);
  });
});
