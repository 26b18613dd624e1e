/**
 * Generated code against the interpreter: random programs with loops, run on two processors, one of which generates code for
 * everything that it meets twice. After every slice the two are the same: registers, flags, memory, and how they came to the end.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FAULT_NONE } from '../../src/cpu/cpu.ts';
import { AR_DB } from '../../src/cpu/registers.ts';
import { SEG_CS, SEG_SS } from '../../src/decoder/insn.ts';
import { Jit } from '../../src/jit/engine.ts';
import {
  EXIT_REASON_CPUID,
  EXIT_REASON_EPT_VIOLATION,
  EXIT_REASON_HLT,
  EXIT_REASON_IO_INSTRUCTION,
  EXIT_REASON_PREEMPTION_TIMER,
} from '../../src/uapi/vmx.ts';
import { BareCpu, type BareState, plantHandlers, RAM_BYTES } from './bare-cpu.ts';

const NUM_RUNS = Number(process.env.FUZZ_RUNS ?? 1000);
const SEED = Number(process.env.FUZZ_SEED ?? 20261122);
const CODE = 0x800;
const DATA = 0x3000;

/** Bytes of one instruction. */
type Bytes = number[];

const byte = fc.integer({ min: 0, max: 255 });
const reg = fc.integer({ min: 0, max: 7 });
const modReg = fc.tuple(reg, reg).map(([a, b]) => 0xc0 | (a << 3) | b);
/** [BX], [SI], [DI], [BP+disp8] …: 16-bit addressing, memory. */
const modMem = fc
  .tuple(reg, fc.constantFrom(4, 5, 7), fc.boolean(), byte)
  .map(([r, rm, hasDisp, disp]) => (hasDisp ? [0x40 | (r << 3) | rm, disp] : [(r << 3) | rm]));
const modrm = fc.oneof({ weight: 3, arbitrary: modReg.map((m) => [m]) }, { weight: 2, arbitrary: modMem });
const opSize = fc.constantFrom<Bytes>([], [0x66]);

const alu: fc.Arbitrary<Bytes> = fc
  .tuple(opSize, fc.integer({ min: 0, max: 7 }), fc.integer({ min: 0, max: 3 }), modrm)
  .map(([p, op, form, m]) => [...p, (op << 3) | form, ...m]);
const aluImm: fc.Arbitrary<Bytes> = fc
  .tuple(opSize, fc.constantFrom(0x80, 0x83), reg, modrm, byte)
  .map(([p, op, r, [m, ...rest], imm]) => [...p, op, (m & 0xc7) | (r << 3), ...rest, imm]);
const incDec: fc.Arbitrary<Bytes> = fc
  .tuple(opSize, fc.integer({ min: 0x40, max: 0x4f }))
  .map(([p, op]) => [...p, op]);
const incDecMem: fc.Arbitrary<Bytes> = fc
  .tuple(opSize, fc.constantFrom(0xfe, 0xff), fc.constantFrom(0, 1), modrm)
  .map(([p, op, r, [m, ...rest]]) => [...p, op, (m & 0xc7) | (r << 3), ...rest]);
const mov: fc.Arbitrary<Bytes> = fc
  .tuple(opSize, fc.constantFrom(0x88, 0x89, 0x8a, 0x8b, 0x86, 0x87, 0x84, 0x85), modrm)
  .map(([p, op, m]) => [...p, op, ...m]);
const movImm8: fc.Arbitrary<Bytes> = fc.tuple(fc.integer({ min: 0xb0, max: 0xb7 }), byte);
const shift: fc.Arbitrary<Bytes> = fc
  .tuple(opSize, fc.constantFrom(0xc0, 0xc1, 0xd0, 0xd1, 0xd2, 0xd3), reg, modrm, byte)
  .map(([p, op, r, [m, ...rest], n]) => [
    ...p,
    op,
    (m & 0xc7) | (r << 3),
    ...rest,
    ...(op < 0xd0 ? [n] : []),
  ]);
const unary: fc.Arbitrary<Bytes> = fc
  .tuple(opSize, fc.constantFrom(0xf6, 0xf7), fc.integer({ min: 2, max: 7 }), modrm)
  .map(([p, op, r, [m, ...rest]]) => [...p, op, (m & 0xc7) | (r << 3), ...rest]);
const stack: fc.Arbitrary<Bytes> = fc
  .tuple(opSize, fc.integer({ min: 0x50, max: 0x5f }))
  .map(([p, op]) => [...p, op]);
const twoByte: fc.Arbitrary<Bytes> = fc
  .tuple(
    opSize,
    fc.constantFrom(
      0xb6,
      0xb7,
      0xbe,
      0xbf,
      0x94,
      0x9c,
      0x92,
      0xa3,
      0xab,
      0xaf,
      0x44,
      0x4c,
      0xbc,
      0xbd,
      0xc0,
      0xc1,
      0xc8,
    ),
    modrm,
  )
  .map(([p, op, m]) => (op === 0xc8 ? [...p, 0x0f, op] : [...p, 0x0f, op, ...m]));
const single: fc.Arbitrary<Bytes> = fc.constantFrom<Bytes>(
  [0xf8],
  [0xf9],
  [0xf5],
  [0xfc],
  [0xfd],
  [0x98],
  [0x99],
  [0x90],
  [0x27],
  [0x2f],
  [0x37],
  [0x9f],
  [0x9e],
  [0xd7],
  [0x9c],
  [0xfa],
  [0xfb],
  [0xd6],
  [0x60],
  [0x61],
  [0xc9],
);
const strings: fc.Arbitrary<Bytes> = fc
  .tuple(
    fc.constantFrom<Bytes>([], [0xf3], [0xf2]),
    opSize,
    fc.constantFrom(0xa4, 0xa5, 0xaa, 0xab, 0xac, 0xad, 0xa6, 0xae, 0xaf),
  )
  .map(([rep, p, op]) => [...rep, ...p, op]);
const lea: fc.Arbitrary<Bytes> = fc.tuple(opSize, modMem).map(([p, m]) => [...p, 0x8d, ...m]);

/** A jump: to which instruction is put in afterwards. */
interface Jump {
  readonly op: number;
  readonly to: number;
}
const jump: fc.Arbitrary<Jump> = fc.record({
  op: fc.constantFrom(
    ...Array.from({ length: 16 }, (_, i) => 0x70 + i),
    0xe0,
    0xe1,
    0xe2,
    0xe2,
    0xe3,
    0xeb,
    0x75,
    0x72,
    0x73,
  ),
  to: fc.nat(40),
});
const call: fc.Arbitrary<Jump> = fc.record({ op: fc.constant(0xe8), to: fc.nat(40) });
const ret: fc.Arbitrary<Bytes> = fc.constant([0xc3]);

const item: fc.Arbitrary<Bytes | Jump> = fc.oneof(
  { weight: 8, arbitrary: alu as fc.Arbitrary<Bytes | Jump> },
  { weight: 5, arbitrary: aluImm },
  { weight: 4, arbitrary: incDec },
  { weight: 2, arbitrary: incDecMem },
  { weight: 5, arbitrary: mov },
  { weight: 3, arbitrary: movImm8 },
  { weight: 4, arbitrary: shift },
  { weight: 2, arbitrary: unary },
  { weight: 3, arbitrary: stack },
  { weight: 3, arbitrary: twoByte },
  { weight: 2, arbitrary: single },
  { weight: 2, arbitrary: strings },
  { weight: 1, arbitrary: lea },
  { weight: 9, arbitrary: jump },
  { weight: 1, arbitrary: call },
  { weight: 1, arbitrary: ret },
);

/** Instructions with the jumps between them put in. */
function assemble(items: readonly (Bytes | Jump)[]): number[] {
  const sizes = items.map((i) => (Array.isArray(i) ? i.length : i.op === 0xe8 ? 3 : 2));
  const at: number[] = [0];
  for (const size of sizes) at.push((at.at(-1) ?? 0) + size);
  return items.flatMap((one, i) => {
    if (Array.isArray(one)) return one;
    const by = at[one.to % items.length] - at[i + 1];
    if (one.op === 0xe8) return [0xe8, by & 0xff, (by >> 8) & 0xff];
    return by >= -128 && by <= 127 ? [one.op, by & 0xff] : [0x90, 0x90];
  });
}

interface Case {
  items: (Bytes | Jump)[];
  state: BareState;
  slices: number[];
  is32: boolean;
  stack32: boolean;
}

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const pointer = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: DATA, max: DATA + 0x2fff }) },
  { weight: 1, arbitrary: fc.integer({ min: CODE - 8, max: CODE + 90 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0xfff0, max: 0xffff }) },
);
const testCase: fc.Arbitrary<Case> = fc.record({
  items: fc.array(item, { minLength: 3, maxLength: 40 }),
  state: fc.record({
    gpr: fc.tuple(
      u32,
      fc.oneof(fc.integer({ min: 1, max: 300 }), u32),
      u32,
      pointer,
      fc.integer({ min: 0x6000, max: 0x7000 }),
      pointer,
      pointer,
      pointer,
    ),
    selectors: fc.constant([0, 0, 0, 0, 0, 0]),
    eip: fc.constant(CODE),
    eflags: fc.constantFrom(2, 0x202, 0x402, 0x8d7, 0x602),
  }),
  slices: fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 6 }),
  is32: fc.boolean(),
  stack32: fc.boolean(),
});

/** Everything a slice leaves. */
function look(bare: BareCpu, reason: number): Record<string, unknown> {
  const { cpu } = bare;
  return {
    reason,
    retired: cpu.retired,
    eip: cpu.eip,
    eflags: bare.eflags,
    gpr: Array.from(cpu.gpr.subarray(0, 9)),
    fault: cpu.fault,
  };
}

class Twin {
  readonly bare = new BareCpu();
  readonly #clean = new Uint8Array(RAM_BYTES);

  constructor(jit: Jit | null) {
    plantHandlers(this.bare.memory.ram);
    this.bare.cpu.generator = jit;
    this.#clean.set(this.bare.memory.ram);
  }

  start(one: Case, code: readonly number[]): void {
    const { cpu, memory } = this.bare;
    memory.ram.set(this.#clean);
    memory.ram.set(code, CODE);
    cpu.cache.clear();
    this.bare.load(one.state);
    if (one.is32) cpu.setSegment(SEG_CS, 0, 0, 0xffff, cpu.segAttr[SEG_CS] | AR_DB);
    if (one.stack32) cpu.setSegment(SEG_SS, 0, 0, 0xffff, cpu.segAttr[SEG_SS] | AR_DB);
    cpu.fault = FAULT_NONE;
  }

  slice(ticks: number): Record<string, unknown> {
    const { cpu } = this.bare;
    const seen: unknown[] = [];
    for (let left = ticks; left > 0; ) {
      const reason = this.bare.run(left, left);
      left -= Math.max(1, cpu.retired);
      seen.push(look(this.bare, reason));
      if (reason === EXIT_REASON_IO_INSTRUCTION || reason === EXIT_REASON_CPUID)
        cpu.eip += cpu.exitInstructionLength;
      else if (reason === EXIT_REASON_HLT || reason === EXIT_REASON_EPT_VIOLATION) break;
      else if (reason !== EXIT_REASON_PREEMPTION_TIMER) break;
    }
    return { seen };
  }
}

describe('generated code', () => {
  it('does what the interpreter does, slice by slice', () => {
    const interpreted = new Twin(null);
    const jit = new Jit({ threshold: 2, maxDeaths: 1e9, maxFunctions: 1e9 });
    const generated = new Twin(jit);
    fc.assert(
      fc.property(testCase, (one) => {
        const code = assemble(one.items);
        interpreted.start(one, code);
        generated.start(one, code);
        for (const ticks of one.slices) {
          const expected = interpreted.slice(ticks);
          expect(generated.slice(ticks)).toEqual(expected);
        }
        const a = interpreted.bare.memory.ram.subarray(0, 0x11000);
        const b = generated.bare.memory.ram.subarray(0, 0x11000);
        expect(Buffer.compare(a, b)).toBe(0);
      }),
      { numRuns: NUM_RUNS, seed: SEED, endOnFailure: process.env.FUZZ_SHRINK === undefined },
    );
    // Generating nothing would prove nothing.
    expect(jit.functions).toBeGreaterThan(NUM_RUNS / 4);
  });
});
