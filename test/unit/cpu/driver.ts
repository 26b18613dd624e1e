/**
 * Drives one CPU with plain RAM: bytes at an address, registers in, some ticks, registers, memory and fault out.
 *
 * Every vector of the IVT leads to a HLT of its own (0050:vector), so a fault shows as that HLT and leaves its frame on the
 * stack. {@link check} compares everything: what a row does not name must not have changed.
 */
import { expect } from 'vitest';
import { Cpu } from '../../../src/cpu/cpu.ts';
import { getEflags, setEflags } from '../../../src/cpu/flags.ts';
import { runGuest } from '../../../src/cpu/interpreter.ts';
import { GuestMemory } from '../../../src/cpu/memory.ts';
import {
  AR_REAL_CODE,
  AR_REAL_DATA,
  ESP,
  GPR_NAMES,
  X86_EFLAGS_AC,
  X86_EFLAGS_IF,
  X86_EFLAGS_RF,
  X86_EFLAGS_TF,
} from '../../../src/cpu/registers.ts';
import { SEG_CS, SEG_SS } from '../../../src/decoder/insn.ts';

/** All that a real-mode address reaches, and more. */
export const RAM_BYTES = 0x20_0000;
const HANDLER_SEGMENT = 0x50;
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'] as const;

export type SegmentName = (typeof SEGMENTS)[number];
type GprName = (typeof GPR_NAMES)[number];

/** Registers by name; 32-bit values unsigned. */
export type Registers = Record<GprName | SegmentName | 'eip' | 'eflags' | 'cr0', number>;

/** What a test starts from. */
export interface StateIn extends Partial<Registers> {
  /** Segment limits that are not FFFFH. */
  readonly limits?: Partial<Record<SegmentName, number>>;
}

const START: Registers = {
  eax: 0x1111_a1a2,
  ecx: 0x2222_0003,
  edx: 0x3333_b1b2,
  ebx: 0x4444_0010,
  esp: 0x5555_1000,
  ebp: 0x6666_0800,
  esi: 0x7777_0020,
  edi: 0x8888_0040,
  es: 0x3000,
  cs: 0x1000,
  ss: 0x4000,
  ds: 0x2000,
  fs: 0x5000,
  gs: 0x6000,
  eip: 0x100,
  eflags: 2,
  cr0: 0x10,
};

/** `'f3 a4'` → bytes. */
export function hex(text: string): number[] {
  return text
    .split(' ')
    .filter((part) => part !== '')
    .map((part) => Number.parseInt(part, 16));
}

export class TestCpu {
  readonly memory = new GuestMemory();
  readonly cpu: Cpu;

  constructor() {
    this.memory.addSlot(0, 0, new Uint8Array(RAM_BYTES), false);
    this.cpu = new Cpu(this.memory);
    this.reset({});
  }

  /** Clears RAM but for the vector table and its handlers, drops what was decoded, sets every register. */
  reset(state: StateIn): this {
    const { ram } = this.memory;
    ram.fill(0);
    for (let vector = 0; vector < 256; vector++) ram.set([vector, 0, HANDLER_SEGMENT, 0], vector * 4);
    ram.fill(0xf4, HANDLER_SEGMENT * 16, HANDLER_SEGMENT * 16 + 256);
    this.cpu.cache.clear();
    this.cpu.reset();
    this.cpu.cr0 = START.cr0;
    this.cpu.a20Mask = -1;
    for (let seg = 0; seg < 6; seg++) {
      const limit = state.limits?.[SEGMENTS[seg]] ?? 0xffff;
      this.cpu.setSegment(seg, 0, 0, limit, seg === SEG_CS ? AR_REAL_CODE : AR_REAL_DATA);
    }
    return this.set({ ...START, ...state });
  }

  /** Sets the registers that are named. */
  set(state: Partial<Registers>): this {
    const { cpu } = this;
    GPR_NAMES.forEach((name, i) => {
      const value = state[name];
      if (value !== undefined) cpu.gpr[i] = value;
    });
    SEGMENTS.forEach((name, seg) => {
      const value = state[name];
      if (value !== undefined) cpu.setSegment(seg, value, value << 4, cpu.segLimit[seg], cpu.segAttr[seg]);
    });
    if (state.eip !== undefined) cpu.eip = state.eip | 0;
    if (state.cr0 !== undefined) cpu.cr0 = state.cr0 | 0;
    if (state.eflags !== undefined) setEflags(cpu, state.eflags);
    return this;
  }

  get state(): Registers {
    const { cpu } = this;
    const state = { ...START };
    GPR_NAMES.forEach((name, i) => {
      state[name] = cpu.gpr[i] >>> 0;
    });
    SEGMENTS.forEach((name, seg) => {
      state[name] = cpu.segSelector[seg];
    });
    return { ...state, eip: cpu.eip >>> 0, cr0: cpu.cr0 >>> 0, eflags: getEflags(cpu) };
  }

  /** Physical address of `'ds:0020'` (hexadecimal offset), `'eip'`, or of a number. */
  address(where: string | number): number {
    if (typeof where === 'number') return where;
    const [name, offset] = where === 'eip' ? ['cs', this.cpu.eip.toString(16)] : where.split(':');
    return this.cpu.segBase[SEGMENTS.indexOf(name as SegmentName)] + Number.parseInt(offset, 16);
  }

  /** Writes bytes as the host does. */
  poke(where: string | number, bytes: string | readonly number[]): this {
    this.memory.write(this.address(where), Uint8Array.from(typeof bytes === 'string' ? hex(bytes) : bytes));
    return this;
  }

  /** `len` bytes as text, `'34 12'`. */
  peek(where: string | number, len: number): string {
    return [...this.memory.read(this.address(where), len)]
      .map((byte) => byte.toString(16).padStart(2, '0'))
      .join(' ');
  }

  word(where: string | number): number {
    return this.memory.view.getUint16(this.address(where), true);
  }

  /** @returns the exit reason of one `runGuest`. */
  run(ticks: number): number {
    return runGuest(this.cpu, ticks);
  }

  /** The vector whose handler EIP stands at, or null. */
  get vector(): number | null {
    const { cpu } = this;
    return cpu.segSelector[SEG_CS] === HANDLER_SEGMENT && cpu.eip < 256 ? cpu.eip : null;
  }

  /** What an event has pushed. */
  get frame(): { ip: number; cs: number; flags: number } {
    const base = this.cpu.segBase[SEG_SS];
    const at = (depth: number): number => this.word(base + ((this.cpu.gpr[ESP] + depth) & 0xffff));
    return { ip: at(0), cs: at(2), flags: at(4) };
  }
}

/** One instruction: assembly, bytes, state in, state out. */
export interface Row {
  readonly asm: string;
  /** Bytes at CS:EIP. */
  readonly code: string;
  readonly in?: StateIn;
  /** Memory before: where (see {@link TestCpu.address}) and bytes. */
  readonly ram?: Readonly<Record<string, string>>;
  /** Registers that change; EIP too when it does not simply go past the instruction. */
  readonly out?: Partial<Registers>;
  /** Memory that changes. */
  readonly ramOut?: Readonly<Record<string, string>>;
  /** EFLAGS bits that are undefined. */
  readonly undefinedFlags?: number;
  /** A fault with this vector: its frame holds the instruction's own IP and nothing else has changed. */
  readonly fault?: number;
  /** A trap or software interrupt: its frame holds the IP of the next instruction. */
  readonly trap?: number;
  /** Default 1. */
  readonly ticks?: number;
}

const shared = new TestCpu();

/** The registers and RAM that an event leaves, put into `registers` and `ram`. */
function expectEvent(test: TestCpu, registers: Registers, ram: Uint8Array, vector: number, ip: number): void {
  const frame = [registers.eflags & 0xffff, registers.cs, ip & 0xffff];
  const base = test.cpu.segBase[SEG_SS];
  let sp = registers.esp & 0xffff;
  for (const word of frame) {
    sp = (sp - 2) & 0xffff;
    ram[base + sp] = word & 0xff;
    ram[base + sp + 1] = word >> 8;
  }
  registers.esp = ((registers.esp & 0xffff_0000) | sp) >>> 0;
  registers.cs = HANDLER_SEGMENT;
  registers.eip = vector;
  registers.eflags &= ~(X86_EFLAGS_IF | X86_EFLAGS_TF | X86_EFLAGS_AC | X86_EFLAGS_RF);
}

/** The first byte that is not as wanted. */
function firstDifference(got: Uint8Array, want: Uint8Array): object | null {
  if (Buffer.compare(got, want) === 0) return null;
  const at = got.findIndex((byte, i) => byte !== want[i]);
  return { at: at.toString(16), got: got[at].toString(16), want: want[at].toString(16) };
}

/** Runs a row and compares all registers and all of RAM. @returns the CPU, for more questions. */
export function check(row: Row, test: TestCpu = shared): TestCpu {
  const code = hex(row.code);
  test.reset(row.in ?? {}).poke('eip', code);
  for (const [where, bytes] of Object.entries(row.ram ?? {})) test.poke(where, bytes);
  const want = test.state;
  const wantRam = test.memory.ram.slice();
  const start = want.eip;
  Object.assign(want, { eip: start + code.length, ...row.out });
  if (row.out?.eflags !== undefined) want.eflags = row.out.eflags | 2;
  for (const [where, bytes] of Object.entries(row.ramOut ?? {})) wantRam.set(hex(bytes), test.address(where));
  if (row.fault !== undefined) expectEvent(test, want, wantRam, row.fault, start);
  if (row.trap !== undefined) expectEvent(test, want, wantRam, row.trap, start + code.length);
  test.run(row.ticks ?? 1);
  const got = test.state;
  const defined = ~(row.undefinedFlags ?? 0);
  got.eflags &= defined;
  want.eflags &= defined;
  expect(got).toEqual(want);
  expect(firstDifference(test.memory.ram, wantRam)).toBeNull();
  return test;
}

/** Names the rows of `it.each` by their assembly. */
export function rows(list: readonly Row[]): [string, Row][] {
  return list.map((row) => [row.asm, row]);
}
