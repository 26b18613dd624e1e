/**
 * Quick operations and the inner loop: a program that goes round does the same as one that is looked up anew, instruction by
 * instruction, wherever the ticks run out.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Insn } from '../../../src/decoder/insn.ts';
import { LOWER_TRUNCATED, lower, MAX_INSN_LEN } from '../../../src/decoder/lower.ts';
import { Op } from '../../../src/decoder/op.ts';
import { quickOp, quickPair } from '../../../src/decoder/quicken.ts';
import { hex, TestCpu } from './driver.ts';

function decode(text: string): Insn {
  const bytes = Uint8Array.from([...hex(text), ...new Array<number>(MAX_INSN_LEN).fill(0)]);
  const insn = lower(bytes, MAX_INSN_LEN, 0);
  if (insn === LOWER_TRUNCATED) throw new Error(`${text} is not whole`);
  return insn;
}

const byte = fc.integer({ min: 0, max: 0xff });
/** ModRM of two registers, without SP. */
const registers = fc
  .tuple(fc.integer({ min: 0, max: 7 }), fc.integer({ min: 0, max: 7 }))
  .map(([reg, rm]) => 0xc0 | ((reg === 4 ? 3 : reg) << 3) | (rm === 4 ? 3 : rm));
const byteRegisters = byte.map((b) => 0xc0 | (b & 0x3f));
const wide = fc.constantFrom<number[]>([], [0x66]);

/** Families of ALU operations, by the first opcode of each. */
const ALU = [0x00, 0x08, 0x10, 0x18, 0x20, 0x28, 0x30, 0x38];
const operation: fc.Arbitrary<number[]> = fc.oneof(
  fc.tuple(fc.constantFrom(...ALU, 0x84), byteRegisters).map(([op, modrm]) => [op, modrm]),
  fc
    .tuple(wide, fc.constantFrom(...ALU, 0x84), registers)
    .map(([size, op, modrm]) => [...size, op + 1, modrm]),
  fc
    .tuple(fc.constantFrom(...ALU), byteRegisters, byte)
    .map(([op, modrm, imm]) => [0x80, (modrm & 0xc7) | op, imm]),
  fc
    .tuple(wide, fc.constantFrom(...ALU), registers, byte)
    .map(([size, op, modrm, imm]) => [...size, 0x83, (modrm & 0xc7) | op, imm]),
  fc.tuple(fc.constantFrom(0xc0, 0xc8), byteRegisters).map(([reg, modrm]) => [0xfe, (modrm & 7) | reg]),
  fc
    .tuple(wide, fc.constantFrom(0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15))
    .map(([size, r]) => [...size, 0x40 + r]),
  fc
    .tuple(wide, fc.constantFrom(0xe0, 0xe8, 0xf8), registers, byte)
    .map(([size, reg, modrm, count]) => [...size, 0xc1, reg | (modrm & 7), count]),
  fc
    .tuple(wide, fc.constantFrom(0xe0, 0xe8, 0xf8), registers)
    .map(([size, reg, modrm]) => [...size, 0xd3, reg | (modrm & 7)]),
  // PUSH, POP, MOV, LEA, loads, stores and MOVZX.
  fc.tuple(wide, fc.constantFrom(0, 1, 2, 3, 5, 6, 7)).map(([size, r]) => [...size, 0x50 + r]),
  fc.tuple(wide, fc.constantFrom(0, 1, 2, 3, 5, 6, 7)).map(([size, r]) => [...size, 0x58 + r]),
  fc.tuple(wide, registers).map(([size, modrm]) => [...size, 0x89, modrm]),
  fc
    .tuple(wide, fc.constantFrom(0x88, 0x89, 0x8a, 0x8b, 0x8d), byte)
    .map(([size, op, b]) => [...size, op, 0x06 | (b & 0x18), b, 0x0f]),
  fc.tuple(wide, byte).map(([size, b]) => [...size, 0x0f, 0xb6, 0x06 | (b & 0x18), b, 0x0f]),
);
/** A conditional jump over the INC BX behind it, LOOP over it, or a CALL of what comes next. */
const behind: fc.Arbitrary<number[]> = fc.oneof(
  fc.integer({ min: 0x70, max: 0x7f }).map((op) => [op, 1, 0x43]),
  fc.constant<number[]>([0xe2, 1, 0x43]),
  fc.constant<number[]>([0xe8, 1, 0, 0x43]),
  fc.constant<number[]>([]),
);
const program = fc.array(
  fc.tuple(operation, behind).map(([a, b]) => [...a, ...b]),
  {
    minLength: 1,
    maxLength: 6,
  },
);

function load(code: readonly number[], eflags: number): TestCpu {
  const jump = [0xe9, -(code.length + 3) & 0xff, (-(code.length + 3) >> 8) & 0xff];
  return new TestCpu().reset({ ds: 0x2000, eflags: eflags | 2 }).poke('eip', [...code, ...jump]);
}

describe('a program that goes round', () => {
  it('does the same linked and in slices as looked up one by one', () => {
    fc.assert(
      fc.property(
        program,
        fc.constantFrom(0, 0x8d5, 0x41, 0x801),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 20, maxLength: 40 }),
        (parts, eflags, slices) => {
          const code = parts.flat();
          const quick = load(code, eflags);
          const plain = load(code, eflags);
          plain.cpu.cache.enabled = false;
          for (const ticks of slices) {
            quick.run(ticks);
            for (let i = 0; i < ticks; i++) plain.run(1);
            expect(quick.state).toEqual(plain.state);
          }
          expect(quick.peek('ss:0e00', 0x300)).toBe(plain.peek('ss:0e00', 0x300));
          expect(quick.peek('ds:0f00', 0x110)).toBe(plain.peek('ds:0f00', 0x110));
        },
      ),
      { numRuns: Number(process.env.FUZZ_RUNS ?? 400) },
    );
  });
});

/** CMP, TEST, DEC, SHL, SHR and SAR of AL, AX and EAX, with CL, CX, ECX or counts of 1, 7 and 31. */
const QUICK = [
  ...['38 c8', '39 c8', '66 39 c8', '84 c8', '85 c8', '66 85 c8', 'fe c8', '48', '66 48'],
  ...['e0', 'e8', 'f8'].flatMap((reg) => ['01', '07', '1f'].map((count) => `66 c1 ${reg} ${count}`)),
];
const EDGES = [0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

describe('an operation with a conditional jump behind it', () => {
  for (const bytes of QUICK) {
    it(`${bytes} is as the two one by one, whatever the values`, () => {
      for (const jump of [0x72, 0x73, 0x74, 0x75]) {
        const code = [...hex(bytes), jump, 1, 0x43];
        const quick = load(code, 0);
        const plain = load(code, 0);
        plain.cpu.cache.enabled = false;
        // Twice around: from then on they know each other.
        for (let i = 0; i < 4; i++) for (const test of [quick, plain]) test.set({ eip: 0x100 }).run(2);
        for (const eax of EDGES) {
          for (const ecx of EDGES) {
            const state = { eip: 0x100, eax, ecx, eflags: 2 | (ecx & 1) };
            expect(quick.set(state).run(2)).toBe(plain.set(state).run(2));
            expect(quick.state).toEqual(plain.state);
          }
        }
      }
    });
  }
});

describe('quick operations', () => {
  const pairs: [string, string, number][] = [
    ['dec bl', 'fe cb', Op.Dec8Jz],
    ['dec cx', '49', Op.Dec16Jz],
    ['dec ecx', '66 49', Op.Dec32Jz],
    ['cmp al,3', '3c 03', Op.Cmp8Jz],
    ['cmp ax,bx', '39 d8', Op.Cmp16Jz],
    ['test al,1', 'a8 01', Op.Test8Jz],
    ['test eax,eax', '66 85 c0', Op.Test32Jz],
  ];
  for (const [text, bytes, op] of pairs) {
    it(`${text} is done with JE or JNE, and not with JS`, () => {
      expect(quickPair(decode(bytes), decode('74 10'))).toBe(op);
      expect(quickPair(decode(bytes), decode('75 10'))).toBe(op);
      expect(quickPair(decode(bytes), decode('78 10'))).toBe(decode(bytes).op);
    });
  }

  it('CMP and a shift by a count are done with JB or JAE', () => {
    expect(quickPair(decode('39 d8'), decode('72 10'))).toBe(Op.Cmp16Jc);
    expect(quickPair(decode('66 d1 e8'), decode('73 10'))).toBe(Op.ShrImm32Jc);
    expect(quickPair(decode('66 d1 e8'), decode('75 10'))).toBe(Op.ShrImm32);
  });

  it('a shift by CL, by 0 or of a word stays what it is', () => {
    expect(quickOp(decode('66 d3 e8'))).toBe(Op.Shr32);
    expect(quickOp(decode('66 c1 e8 20'))).toBe(Op.Shr32);
    expect(quickOp(decode('66 c1 e8 1f'))).toBe(Op.ShrImm32);
    expect(quickOp(decode('d1 e8'))).toBe(decode('d1 e8').op);
  });
});
