import { describe, expect, it } from 'vitest';
import { BED_MODES } from '../../../src/diff/bed-modes.ts';
import { instructionsOf, randomProgram } from '../../../src/diff/random-program.ts';
import { SeededStream } from '../../../src/diff/seeded-stream.ts';
import { END_PORT } from '../../../src/diff/test-bed.ts';

const PROGRAMS = Array.from({ length: 400 }, (_, i) => randomProgram(3, i, BED_MODES));

/** Opcode and prefixes of every instruction. */
function instructions() {
  return PROGRAMS.flatMap(({ program: { code, mode } }) =>
    instructionsOf(code, mode.startsWith('prot32') ? 32 : 16).map(({ at, length }) => [
      ...code.subarray(at, at + length),
    ]),
  );
}

describe('random I/O programs', () => {
  it('are the same for the same seed and number, and others for others', () => {
    for (const index of [0, 7]) {
      expect(randomProgram(5, index, BED_MODES).program.code).toEqual(
        randomProgram(5, index, BED_MODES).program.code,
      );
    }
    expect(randomProgram(5, 0, BED_MODES).program.code).not.toEqual(
      randomProgram(5, 1, BED_MODES).program.code,
    );
    expect(randomProgram(5, 0, BED_MODES).program.code).not.toEqual(
      randomProgram(6, 0, BED_MODES).program.code,
    );
  });

  it('contain every port instruction, every prefix and every mode, with and without an irqchip', () => {
    const all = instructions();
    const opcodes = new Set(
      all.map((bytes) => bytes.find((byte) => byte >= 0x6c && byte <= 0x6f)).filter(Boolean),
    );
    expect([...opcodes].sort()).toEqual([0x6c, 0x6d, 0x6e, 0x6f]);
    for (const opcode of [0xe4, 0xe5, 0xe6, 0xe7, 0xec, 0xed, 0xee, 0xef]) {
      expect(all.some((bytes) => bytes.includes(opcode) && bytes.length < 8)).toBe(true);
    }
    for (const prefix of [0xf2, 0xf3, 0x66, 0x67, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0xf0]) {
      expect(all.some((bytes) => bytes[0] === prefix)).toBe(true);
    }
    expect(new Set(PROGRAMS.map(({ program }) => program.mode))).toEqual(new Set(BED_MODES));
    expect(new Set(PROGRAMS.map(({ hasIrqchip }) => hasIrqchip))).toEqual(new Set([true, false]));
  });

  it('end at the end port, and never load channel 0 of the PIT by an immediate', () => {
    for (const { program } of PROGRAMS) expect([...program.code.subarray(-2)]).toEqual([0xe6, END_PORT]);
    expect(instructions().filter((bytes) => bytes.at(-2) === 0xe6 && bytes.at(-1) === 0x40)).toEqual([]);
  });
});

describe('SeededStream', () => {
  it('gives the same numbers on every machine', () => {
    const stream = new SeededStream(1, 2);
    const again = new SeededStream(1, 2);
    const numbers = [stream.next(), stream.next(), stream.next()];
    expect([again.next(), again.next(), again.next()]).toEqual(numbers);
    expect(numbers.every((n) => Number.isInteger(n) && n >= 0 && n < 2 ** 32)).toBe(true);
    expect(new SeededStream(1, 3).next()).not.toBe(numbers[0]);
  });
});
