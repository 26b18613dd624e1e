/**
 * The hw32 vectors come from 32-bit protected mode at CPL 3, but most of these instructions do the same in real mode
 * with 4 GiB segments and CS.D = 1. So they check the integer instructions that the 80286 did not have, 32-bit operands
 * and all addressing forms in real mode too. (In the mode that they were recorded in they run in hw32.test.ts.)
 *
 * Left out: files about privilege, segments, faults of paging, software interrupts; ARPL (real mode: #UD) and POPF
 * (CPL 0 may change IF).
 */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readVectorLines } from '../../src/conform/vector-files.ts';
import { Cpu } from '../../src/cpu/cpu.ts';
import { getEflags, setEflags } from '../../src/cpu/flags.ts';
import { runGuest } from '../../src/cpu/interpreter.ts';
import { GuestMemory } from '../../src/cpu/memory.ts';
import { AR_DB, AR_G, AR_REAL_CODE, AR_REAL_DATA } from '../../src/cpu/registers.ts';
import { SEG_CS } from '../../src/decoder/insn.ts';
import { EXIT_REASON_PREEMPTION_TIMER } from '../../src/uapi/vmx.ts';

const folder = join(import.meta.dirname, '../vectors/hw32');
/** Files and how many of their cases mean the same here. */
const FILES = {
  addr16: 1937,
  alu: 3840,
  alu_imm: 2592,
  atomic: 540,
  bcd: 1040,
  bit: 1488,
  branch: 1648,
  branch16: 464,
  convert: 160,
  extend: 564,
  incdec: 600,
  lea: 300,
  lea_ud: 12,
  lock: 1152,
  lock_ud: 252,
  misc: 220,
  mov: 1080,
  muldiv: 1720,
  notneg: 360,
  setcc_cmov: 1152,
  shift: 4416,
  shld: 720,
  stack: 1400,
  string: 2304,
  string16: 523,
  test_xchg: 930,
  ud: 136,
} as const;
const OTHERWISE = /\/(arpl|popf)/;
const NAMES = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'] as const;
/** Bytes of the low region are 00, of code CC, of the others 00; the vector table takes the first KiB and a bit. */
const LOW_BYTES = 0x11000;
const REGION_BYTES = 0x10000;
const HANDLERS = 0x600;
const GP_VECTOR = 13;
const PF_VECTOR = 14;

type Registers = Record<(typeof NAMES)[number] | 'eip' | 'eflags', number>;
interface Hw32Case {
  id: string;
  code: string;
  asm: string;
  in: Registers;
  ram: [number, string][];
  out: Registers;
  vector?: number;
  mem: [number, string][];
  undef: number;
  undefReg?: [string, number][];
  undefMem?: [number, number][];
}

/** One mapped range, what it holds at the start of each case, and what it should hold at its end. */
class Region {
  readonly base: number;
  readonly mem: Uint8Array;
  readonly background: Uint8Array;
  readonly expected: Uint8Array;

  constructor(base: number, bytes: number, fill: number) {
    this.base = base;
    this.mem = new Uint8Array(bytes);
    this.background = new Uint8Array(bytes).fill(fill);
    this.expected = new Uint8Array(bytes);
  }
}

class FlatRealMachine {
  readonly #regions = [
    new Region(0, LOW_BYTES, 0),
    new Region(0x1000_0000, REGION_BYTES, 0xcc),
    new Region(0x2000_0000, REGION_BYTES, 0),
    new Region(0x3000_0000, REGION_BYTES, 0),
  ];
  readonly #memory = new GuestMemory();
  readonly #cpu: Cpu;

  constructor() {
    for (const [slot, region] of this.#regions.entries())
      this.#memory.addSlot(slot, region.base, region.mem, false);
    const low = this.#regions[0].background;
    for (let vector = 0; vector < 256; vector++)
      low.set([(vector & 31) * 4, HANDLERS >> 8, 0, 0], vector * 4);
    low.fill(0xf4, HANDLERS, HANDLERS + 0x80);
    this.#cpu = new Cpu(this.#memory);
  }

  #at(addr: number): Region {
    return this.#regions[addr >>> 28];
  }

  #start(test: Hw32Case): void {
    for (const region of this.#regions) {
      region.mem.set(region.background);
      region.expected.set(region.background);
      this.#memory.code?.invalidatePages(region.base, region.mem.length);
    }
    for (const [addr, bytes] of [...test.ram, [test.in.eip, test.code] as const]) {
      const region = this.#at(addr);
      region.mem.set(Buffer.from(bytes, 'hex'), addr - region.base);
      region.expected.set(Buffer.from(bytes, 'hex'), addr - region.base);
    }
    const cpu = this.#cpu;
    cpu.reset();
    cpu.cr0 = 0x10;
    for (let seg = 0; seg < 6; seg++) {
      const attr = (seg === SEG_CS ? AR_REAL_CODE : AR_REAL_DATA) | AR_DB | AR_G;
      cpu.setSegment(seg, seg === SEG_CS ? 0x23 : 0x2b, 0, 0xffff_ffff, attr);
    }
    for (const [i, name] of NAMES.entries()) cpu.gpr[i] = test.in[name];
    cpu.eip = test.in.eip | 0;
    setEflags(cpu, test.in.eflags);
  }

  /** Runs the instruction, all iterations of a REP. @returns the vector taken. */
  #run(test: Hw32Case): number | undefined {
    const cpu = this.#cpu;
    for (let i = 0; i < 5000 && cpu.eip === (test.in.eip | 0); i++) {
      if (runGuest(cpu, 1) !== EXIT_REASON_PREEMPTION_TIMER) return -1;
    }
    const handler = (cpu.eip >>> 0) - HANDLERS;
    return cpu.segSelector[SEG_CS] === 0 && handler >= 0 && handler < 0x80 ? handler / 4 : undefined;
  }

  /** @returns what differs. */
  judge(test: Hw32Case): string[] {
    this.#start(test);
    const vector = this.#run(test);
    const wrong: string[] = [];
    if (vector !== test.vector) wrong.push(`vector: expected ${test.vector}, got ${vector}`);
    // Delivery through the vector table is real mode's own.
    if (test.vector !== undefined) return wrong;
    const cpu = this.#cpu;
    for (const [i, name] of NAMES.entries()) {
      const undefinedBits = test.undefReg?.find(([register]) => register === name)?.[1] ?? 0;
      const bits = (test.out[name] ^ cpu.gpr[i]) & ~undefinedBits;
      if (bits !== 0)
        wrong.push(
          `${name}: expected ${test.out[name].toString(16)}, got ${(cpu.gpr[i] >>> 0).toString(16)}`,
        );
    }
    if (test.out.eip !== cpu.eip >>> 0) wrong.push(`eip: expected ${test.out.eip}, got ${cpu.eip >>> 0}`);
    const flags = (test.out.eflags ^ getEflags(cpu)) & ~test.undef;
    if (flags !== 0)
      wrong.push(`eflags: expected ${test.out.eflags.toString(16)}, wrong bits ${flags.toString(16)}`);
    return [...wrong, ...this.#wrongMemory(test)];
  }

  #wrongMemory(test: Hw32Case): string[] {
    for (const [addr, bytes] of test.mem) {
      const region = this.#at(addr);
      region.expected.set(Buffer.from(bytes, 'hex'), addr - region.base);
    }
    for (const [addr, len] of test.undefMem ?? []) {
      const { base, mem, expected } = this.#at(addr);
      expected.set(mem.subarray(addr - base, addr - base + len), addr - base);
    }
    return this.#regions.flatMap(({ base, mem, expected }) => {
      if (Buffer.compare(mem, expected) === 0) return [];
      const at = mem.findIndex((byte, i) => byte !== expected[i]);
      return [
        `mem ${(base + at).toString(16)}: expected ${expected[at].toString(16)}, got ${mem[at].toString(16)}`,
      ];
    });
  }
}

describe('32-bit instructions in real mode with flat segments', () => {
  const machine = new FlatRealMachine();

  it.each(Object.entries(FILES))('%s: %i cases are as on the recorded Xeon', (name, count) => {
    const wrong: string[] = [];
    let judged = 0;
    for (const line of readVectorLines(join(folder, `${name}.jsonl.gz`)).lines) {
      const test = JSON.parse(line) as Hw32Case;
      const isElsewhere = test.vector === GP_VECTOR || test.vector === PF_VECTOR || OTHERWISE.test(test.id);
      const leavesCode = (test.in.eip & 0xffff) + test.code.length / 2 > REGION_BYTES;
      if (isElsewhere || leavesCode) continue;
      judged++;
      const differences = machine.judge(test);
      if (differences.length > 0)
        wrong.push(`${test.id} ${test.code} ${test.asm}: ${differences.join('; ')}`);
    }
    expect(wrong.slice(0, 5)).toEqual([]);
    expect(judged).toBe(count);
  });
});
