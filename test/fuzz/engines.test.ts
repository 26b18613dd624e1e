/**
 * Random programs on two boards, one interpreting and one generating code (`pio86 fuzz jit` runs more of them).
 */
import { describe, expect, it } from 'vitest';
import { COLD_TABLE } from '../../src/cpu/cold.ts';
import { Op } from '../../src/decoder/op.ts';
import { type EngineProgram, makeEngineProgram } from '../../src/fuzz/jit/program.ts';
import { shrinkEngineProgram } from '../../src/fuzz/jit/shrink.ts';
import { programToText } from '../../src/fuzz/jit/text.ts';
import { EngineTwins } from '../../src/fuzz/jit/twins.ts';
import { Prng } from '../../src/fuzz/prng.ts';
import { JitTarget } from '../../src/fuzz/targets/jit.ts';

const RUNS = Number(process.env.FUZZ_RUNS ?? 60);
const SEED = Number(process.env.FUZZ_SEED ?? 20261122);

const programOf = (seed: number, run: number): EngineProgram => makeEngineProgram(new Prng(seed, run));

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
  starts: [0],
  maxInsns: 200,
  threshold: 2,
  heads: 'none',
};

describe('the two engines', () => {
  it('do the same with random programs in every mode', () => {
    const target = new JitTarget();
    for (let run = 0; run < RUNS; run++) {
      const lines = target.run(SEED, run);
      if (lines.length === 0) continue;
      expect([...programToText(programOf(SEED, run), SEED, run), ...lines]).toEqual([]);
    }
    const { blocks, functions } = target.takeCounts();
    expect(blocks).toBeGreaterThan(10 * RUNS);
    expect(functions).toBeGreaterThan(10 * RUNS);
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

  it('have the flags of an instruction that overwrites its own code', () => {
    // mov ecx,20; add [esi+0x62],edi; movsb; jmp
    const items = [
      { bytes: [0xb9, 0x14, 0x00, 0x00, 0x00] },
      { bytes: [0x01, 0x7e, 0x62] },
      { bytes: [0xa4] },
      { bytes: [0xeb], to: 0 },
    ];
    const gpr = idle.gpr.with(4, 32_816).with(6, 66_419);
    const program: EngineProgram = { ...idle, mode: 'user32', offset: 0x400, items, gpr, slices: [164] };
    expect(new EngineTwins().run(program)).toBeNull();
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
      const program = Array.from({ length: 400 }, (_, i) => programOf(3, i)).find(
        (candidate) => new EngineTwins().run(candidate) !== null,
      );
      expect(program).toBeDefined();
      if (program === undefined) return;
      const small = shrinkEngineProgram(program, () => new EngineTwins(), 60);
      expect(small.items.length).toBeLessThanOrEqual(program.items.length);
      expect(programToText(small, 3, 0).join('\n')).toMatch(/bswap/);
    } finally {
      COLD_TABLE[Op.Bswap] = right;
    }
  }, 120_000);

  it('count a block when generated code has entered it, once a program', () => {
    // inc ax; jmp 0 — and behind it what is never reached
    const items = [{ bytes: [0x40] }, { bytes: [0xeb], to: 0 }, { bytes: [0x90] }, { bytes: [0xeb], to: 2 }];
    const twins = new EngineTwins();
    const program: EngineProgram = { ...idle, items, slices: [200], heads: 'items', threshold: 1 };
    for (const blocks of [1, 2]) {
      expect(twins.run(program)).toBeNull();
      expect(twins.counts.blocks).toBe(blocks);
    }
    expect(twins.counts.ticks).toBe(400);
    // Everything is interpreted: nothing has been checked.
    const none = new EngineTwins();
    expect(none.run({ ...program, threshold: 1000 })).toBeNull();
    expect(none.counts).toEqual({ blocks: 0, functions: 0, ticks: 200 });
  });

  it('are compared over programs of several blocks, in every mode, with and without paging', () => {
    const programs = Array.from({ length: 200 }, (_, i) => programOf(SEED, i));
    expect(new Set(programs.map(({ mode, isPaged }) => `${mode} ${isPaged}`)).size).toBe(9);
    expect(new Set(programs.map(({ heads }) => heads)).size).toBe(3);
    expect(programs.filter(({ maxInsns }) => maxInsns > 10).length).toBeGreaterThan(5);
    expect(programs.filter(({ pitCount }) => pitCount !== 0).length).toBeGreaterThan(50);
  });
});
