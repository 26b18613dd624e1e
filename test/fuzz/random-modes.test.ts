/**
 * Random bytes as programs in every mode, with paging and without (src/fuzz/random-code.ts; `npm run soak` runs a hundred
 * million instructions of them): none throws or runs past its budget, and the same seed runs the same.
 */
import { describe, expect, it } from 'vitest';
import { RandomCode } from '../../src/fuzz/random-code.ts';
import { RANDOM_CODE_MODES } from '../../src/fuzz/random-code-mode.ts';

const PROGRAMS = Number(process.env.PIO86_FUZZ_RUNS ?? 60);
const TICKS = 1000;

describe.each(RANDOM_CODE_MODES)('random code in %s', (mode) => {
  it.each([false, true])('never throws and stops within its budget, paging %s', (isPaged) => {
    const machine = new RandomCode(1);
    for (let i = 0; i < PROGRAMS; i++) {
      expect(machine.runProgram(mode, isPaged, TICKS)).toBeLessThanOrEqual(TICKS + 1);
    }
    // Programs get on: most instructions retire, and not all of them die at once.
    expect(machine.retired).toBeGreaterThan(PROGRAMS * 50);
    expect(machine.shutdowns).toBeLessThan(PROGRAMS);
  });

  it('does the same with the same seed', () => {
    const pair = [new RandomCode(7), new RandomCode(7)];
    for (const machine of pair) for (let i = 0; i < 40; i++) machine.runProgram(mode, i % 2 === 1, TICKS);
    const [a, b] = pair;
    expect(a.retired).toBe(b.retired);
    expect(Buffer.compare(a.memory.ram, b.memory.ram)).toBe(0);
    expect([...a.cpu.gpr]).toEqual([...b.cpu.gpr]);
  });

  it('does the same with the decode cache off, also where it writes over itself through an alias', () => {
    const [cached, plain] = [new RandomCode(3), new RandomCode(3)];
    plain.cpu.cache.enabled = false;
    for (let i = 0; i < PROGRAMS; i++) {
      for (const machine of [cached, plain]) machine.runProgram(mode, i % 4 !== 0, TICKS);
      expect([i, ...cached.cpu.gpr, cached.cpu.eip]).toEqual([i, ...plain.cpu.gpr, plain.cpu.eip]);
      expect(Buffer.compare(cached.memory.ram, plain.memory.ram)).toBe(0);
    }
    expect(cached.cpu.cache.dropped).toBeGreaterThan(0);
  });
});
