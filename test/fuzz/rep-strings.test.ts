/**
 * MOVS CMPS STOS LODS SCAS with every prefix that matters, against a plain loop written from the manual's pseudo-code
 * (Intel SDM vol. 2, “REP/REPE/REPZ/REPNE/REPNZ” and the pages of the five).
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BareCpu, type BareState, HANDLERS, plantHandlers, RAM_BYTES } from './bare-cpu.ts';

const NUM_RUNS = Number(process.env.FUZZ_RUNS ?? 1500);
const OPCODES = { movs: 0xa4, cmps: 0xa6, stos: 0xaa, lods: 0xac, scas: 0xae } as const;
const OVERRIDES = [null, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65] as const;
const OVERRIDE_SEGMENT = [3, 0, 1, 2, 3, 4, 5] as const;
const [EAX, ECX, ESP, ESI, EDI] = [0, 1, 4, 6, 7];
const [ES, CS, SS] = [0, 1, 2];
const DF = 0x400;
const STATUS = 0x8d5;
const CODE = 0x200;

type Name = keyof typeof OPCODES;
interface Case {
  name: Name;
  size: 1 | 2 | 4;
  isAddr32: boolean;
  rep: 'none' | 'rep' | 'repne';
  override: number;
  state: BareState;
}

/** What the manual says happens. */
class PlainLoop {
  readonly gpr: number[];
  readonly ram: Uint8Array;
  eflags: number;
  eip: number;
  selectors: number[];

  constructor(ram: Uint8Array, state: BareState) {
    this.ram = ram;
    this.gpr = [...state.gpr];
    this.eflags = state.eflags;
    this.eip = state.eip;
    this.selectors = [...state.selectors];
  }

  run(test: Case, length: number): void {
    const before = this.eflags;
    const modulus = test.isAddr32 ? 2 ** 32 : 2 ** 16;
    const isRepeated = test.rep !== 'none';
    const compares = test.name === 'cmps' || test.name === 'scas';
    while (!isRepeated || this.gpr[ECX] % modulus !== 0) {
      const fault = this.#step(test, modulus);
      if (fault !== 0) {
        this.eflags = before;
        this.#deliver(fault);
        return;
      }
      if (!isRepeated) break;
      this.#bump(ECX, -1, modulus);
      const zf = (this.eflags & 0x40) !== 0;
      if (compares && zf !== (test.rep === 'rep')) break;
    }
    this.eip += length + 1; // and the HLT behind it
  }

  /** @returns the vector of the fault, 0 without one; nothing has changed on a fault. */
  #step(test: Case, modulus: number): number {
    const { name, size } = test;
    const by = (this.eflags & DF) !== 0 ? -size : size;
    const source = OVERRIDE_SEGMENT[test.override];
    const si = this.gpr[ESI] % modulus;
    const di = this.gpr[EDI] % modulus;
    const readsSource = name === 'movs' || name === 'cmps' || name === 'lods';
    // CMPS where both operands fault: processors tell ES:(E)DI (vectors hw32/string16).
    if (name === 'cmps' && di + size > 0x1_0000) return 13;
    if (readsSource && si + size > 0x1_0000) return source === SS ? 12 : 13;
    if (name !== 'lods' && di + size > 0x1_0000) return 13;
    const sourceAt = this.selectors[source] * 16 + si;
    const destAt = this.selectors[ES] * 16 + di;
    const accumulator = this.gpr[EAX] % 256 ** size;
    if (name === 'movs') this.#write(destAt, size, this.#read(sourceAt, size));
    if (name === 'stos') this.#write(destAt, size, accumulator);
    if (name === 'lods') this.gpr[EAX] += this.#read(sourceAt, size) - accumulator;
    if (name === 'cmps') this.#compare(this.#read(sourceAt, size), this.#read(destAt, size), size);
    if (name === 'scas') this.#compare(accumulator, this.#read(destAt, size), size);
    if (readsSource) this.#bump(ESI, by, modulus);
    if (name !== 'lods') this.#bump(EDI, by, modulus);
    return 0;
  }

  #compare(a: number, b: number, size: number): void {
    const modulus = 256 ** size;
    const r = (a - b + modulus) % modulus;
    const signed = (value: number): number => (value >= modulus / 2 ? value - modulus : value);
    let ones = 0;
    for (let bit = 0; bit < 8; bit++) ones += Math.floor(r / 2 ** bit) % 2;
    const difference = signed(a) - signed(b);
    let flags = a < b ? 1 : 0;
    if (ones % 2 === 0) flags |= 0x04;
    if (a % 16 < b % 16) flags |= 0x10;
    if (r === 0) flags |= 0x40;
    if (r >= modulus / 2) flags |= 0x80;
    if (difference !== signed(r)) flags |= 0x800;
    this.eflags = (this.eflags & ~STATUS) | flags;
  }

  #deliver(vector: number): void {
    for (const word of [this.eflags, this.selectors[CS], this.eip]) {
      this.#bump(ESP, -2, 2 ** 16);
      this.#write(this.selectors[SS] * 16 + (this.gpr[ESP] % 2 ** 16), 2, word % 2 ** 16);
    }
    this.eflags &= ~0x300;
    this.selectors[CS] = 0;
    this.eip = HANDLERS + vector * 4 + 1;
  }

  #bump(register: number, by: number, modulus: number): void {
    const value = this.gpr[register];
    const low = value % modulus;
    this.gpr[register] = value - low + ((low + by + modulus) % modulus);
  }

  #read(at: number, size: number): number {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + this.ram[at + i];
    return value;
  }

  #write(at: number, size: number, value: number): void {
    for (let i = 0; i < size; i++) this.ram[at + i] = Math.floor(value / 256 ** i) % 256;
  }
}

const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const offset = fc.oneof(u16, fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0xffd0, max: 0xffff }));
/** A pointer whose upper half is mostly zero, as 32-bit addressing needs. */
const pointer = fc
  .tuple(fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, u16), offset)
  .map(([h, l]) => h * 0x1_0000 + l);
const count = fc
  .tuple(
    fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.integer({ min: 0, max: 3 })),
    fc.integer({ min: 0, max: 70 }),
  )
  .map(([h, l]) => h * 0x1_0000 + l);
const selector = fc.integer({ min: 0x1000, max: 0xffff });

const cases: fc.Arbitrary<Case> = fc.record({
  name: fc.constantFrom<Name[]>('movs', 'cmps', 'stos', 'lods', 'scas'),
  size: fc.constantFrom<(1 | 2 | 4)[]>(1, 2, 4),
  isAddr32: fc.boolean(),
  rep: fc.constantFrom<Case['rep'][]>('none', 'rep', 'repne'),
  override: fc.nat(6),
  state: fc.record({
    gpr: fc.tuple(
      u32,
      count,
      u32,
      u32,
      fc.integer({ min: 0x100, max: 0x7ffe }).map((n) => n * 2),
      u32,
      pointer,
      pointer,
    ),
    // ES and DS near each other, so that source and destination overlap now and then.
    selectors: fc
      .tuple(selector, fc.integer({ min: 0, max: 1 }))
      .chain(([es, near]) =>
        fc.tuple(
          fc.constant(es),
          fc.constant(0),
          selector,
          near ? fc.constant(es) : selector,
          selector,
          selector,
        ),
      ),
    eip: fc.constant(CODE),
    eflags: u16.map((flags) => (flags & (STATUS | DF)) | 2),
  }),
});

function bytesOf(test: Case): number[] {
  const override = OVERRIDES[test.override];
  return [
    ...(test.rep === 'rep' ? [0xf3] : test.rep === 'repne' ? [0xf2] : []),
    ...(test.size === 4 ? [0x66] : []),
    ...(test.isAddr32 ? [0x67] : []),
    ...(override === null ? [] : [override]),
    OPCODES[test.name] | (test.size === 1 ? 0 : 1),
  ];
}

describe('REP strings', () => {
  const bare = new BareCpu();
  const { ram } = bare.memory;
  const background = new Uint8Array(RAM_BYTES);
  // Few different bytes: compares must find equal runs.
  for (let i = 0; i < RAM_BYTES; i++) background[i] = Math.imul(i >> 3, 0x9e3779b1) >>> 31;
  plantHandlers(background);

  function check(test: Case, slice: number): void {
    const code = bytesOf(test);
    background.set([...code, 0xf4], CODE);
    ram.set(background);
    bare.memory.code?.invalidatePages(0, RAM_BYTES);
    const plain = new PlainLoop(background.slice(), test.state);
    plain.run(test, code.length);
    bare.load(test.state);
    expect(bare.runToHalt(1_000_000, slice)).toBe(true);
    const { cpu } = bare;
    expect({
      gpr: Array.from(cpu.gpr.subarray(0, 8), (value) => value >>> 0),
      eip: cpu.eip,
      eflags: bare.eflags,
      cs: cpu.segSelector[CS],
    }).toEqual({ gpr: plain.gpr, eip: plain.eip, eflags: plain.eflags, cs: plain.selectors[CS] });
    expect(Buffer.compare(ram, plain.ram)).toBe(0);
  }

  it('do what the plain loop does', () => {
    fc.assert(
      fc.property(cases, (test) => check(test, 1_000_000)),
      { numRuns: NUM_RUNS },
    );
  });

  it('do the same when the run loop comes back between iterations', () => {
    // No faults: which flags a fault restores depends on where the instruction was last entered.
    const isFar = (pointer: number): boolean => pointer > 0x200 && pointer < 0xfd00;
    const unfaulted = cases
      .filter(({ state }) => isFar(state.gpr[ESI]) && isFar(state.gpr[EDI]))
      .filter(({ state }) => state.gpr[ECX] < 70);
    fc.assert(
      fc.property(unfaulted, fc.integer({ min: 1, max: 9 }), (test, slice) => check(test, slice)),
      { numRuns: NUM_RUNS / 4 },
    );
  });
});
