/**
 * Drives one CPU in protected mode: a GDT with flat segments of levels 0 and 3, an IDT in which every vector leads to a HLT
 * of its own, a 32-bit TSS with inner stacks, an LDT. Tests add descriptors and gates as they need them.
 */
import { Cpu } from '../../../src/cpu/cpu.ts';
import { getEflags, setEflags } from '../../../src/cpu/flags.ts';
import { runGuest } from '../../../src/cpu/interpreter.ts';
import { GuestMemory } from '../../../src/cpu/memory.ts';
import { ESP, GPR_NAMES } from '../../../src/cpu/registers.ts';
import { SEG_CS, SEG_LDTR, SEG_SS, SEG_TR } from '../../../src/decoder/insn.ts';
import { EXIT_REASON_HLT } from '../../../src/uapi/vmx.ts';
import { descriptor, HAS_ERROR_CODE, loadFlatSegments, plantHandlers } from '../../protected-setup.ts';
import { hex } from './driver.ts';

export { type DescriptorIn, descriptor, gate } from '../../protected-setup.ts';

export const GDT = 0x1000;
export const LDT = 0x1800;
export const IDT = 0x2000;
/** One HLT a vector. */
export const HANDLERS = 0x3000;
export const TSS = 0x4000;
export const CODE = 0x1_0000;
export const STACK0 = 0x2_8000;
export const STACK = 0x2_0000;
const RAM_BYTES = 0x10_0000;

/** Selectors that are always there. */
export const CODE0 = 0x08;
export const DATA0 = 0x10;
export const CODE3 = 0x1b;
export const DATA3 = 0x23;
export const TSS_SELECTOR = 0x28;
export const LDT_SELECTOR = 0x30;
/** The first selector for tests; the GDT ends behind 0xff. */
export const FREE = 0x40;
export const GDT_LIMIT = 0xff;

/** Type and S of segments: accessed clear. */
export const DATA_RO = 0x10;
export const DATA_RW = 0x12;
export const DATA_DOWN = 0x16;
export const CODE_XO = 0x18;
export const CODE_XR = 0x1a;
export const CODE_CONFORMING = 0x1e;

const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'] as const;
type Name = (typeof GPR_NAMES)[number] | (typeof SEGMENTS)[number] | 'eip' | 'eflags';

/** An exception as the handler finds it on its stack. */
export interface Caught {
  readonly vector: number;
  /** null for a vector without one. */
  readonly error: number | null;
  readonly cs: number;
  readonly eip: number;
}

export class ProtectedCpu {
  readonly memory = new GuestMemory();
  readonly cpu: Cpu;

  constructor(level: 0 | 3 = 0) {
    this.memory.addSlot(0, 0, new Uint8Array(RAM_BYTES), false);
    this.cpu = new Cpu(this.memory);
    const { cpu } = this;
    this.gdt(CODE0, descriptor({ type: CODE_XR | 1 }));
    this.gdt(DATA0, descriptor({ type: DATA_RW | 1 }));
    this.gdt(CODE3, descriptor({ type: CODE_XR | 1, dpl: 3 }));
    this.gdt(DATA3, descriptor({ type: DATA_RW | 1, dpl: 3 }));
    this.gdt(TSS_SELECTOR, descriptor({ type: 11, base: TSS, limit: 0x67 }));
    this.gdt(LDT_SELECTOR, descriptor({ type: 2, base: LDT, limit: 0x3f }));
    // Level 3 may name 0x80 and above.
    plantHandlers(this.memory.ram, IDT, HANDLERS, CODE0, 0x80);
    this.dword(TSS + 4, STACK0).dword(TSS + 8, DATA0);
    cpu.gdtBase = GDT;
    cpu.gdtLimit = GDT_LIMIT;
    cpu.idtBase = IDT;
    cpu.idtLimit = 0x7ff;
    cpu.cr0 = 0x11;
    cpu.setSegment(SEG_TR, TSS_SELECTOR, TSS, 0x67, 0x8b);
    cpu.setSegment(SEG_LDTR, LDT_SELECTOR, LDT, 0x3f, 0x82);
    loadFlatSegments(cpu, level, level === 0 ? CODE0 : CODE3, level === 0 ? DATA0 : DATA3);
    cpu.gpr.fill(0);
    cpu.gpr[ESP] = STACK;
    cpu.eip = CODE;
    setEflags(cpu, 2);
  }

  gdt(selector: number, bytes: readonly number[]): this {
    return this.bytes(GDT + (selector & ~7), bytes);
  }

  ldt(selector: number, bytes: readonly number[]): this {
    return this.bytes(LDT + (selector & ~7), bytes);
  }

  idt(vector: number, bytes: readonly number[]): this {
    return this.bytes(IDT + vector * 8, bytes);
  }

  bytes(at: number, bytes: readonly number[]): this {
    this.memory.write(at, Uint8Array.from(bytes));
    return this;
  }

  dword(at: number, value: number): this {
    this.memory.view.setUint32(at, value, true);
    return this;
  }

  word(at: number, value: number): this {
    this.memory.view.setUint16(at, value, true);
    return this;
  }

  dwordAt(at: number): number {
    return this.memory.view.getUint32(at, true);
  }

  wordAt(at: number): number {
    return this.memory.view.getUint16(at, true);
  }

  /** The access byte of a descriptor in the GDT. */
  access(selector: number): number {
    return this.memory.ram[GDT + (selector & ~7) + 5];
  }

  /** Puts instructions at CS:EIP. */
  code(bytes: string): this {
    return this.bytes((this.cpu.segBase[SEG_CS] + this.cpu.eip) >>> 0, hex(bytes));
  }

  get(name: Name): number {
    const { cpu } = this;
    if (name === 'eip') return cpu.eip >>> 0;
    if (name === 'eflags') return getEflags(cpu);
    const seg = (SEGMENTS as readonly string[]).indexOf(name);
    if (seg >= 0) return cpu.segSelector[seg];
    return cpu.gpr[(GPR_NAMES as readonly string[]).indexOf(name)] >>> 0;
  }

  /** The named registers. */
  registers(...names: readonly Name[]): Partial<Record<Name, number>> {
    return Object.fromEntries(names.map((name) => [name, this.get(name)]));
  }

  set(registers: Partial<Record<(typeof GPR_NAMES)[number] | 'eip' | 'eflags', number>>): this {
    for (const [name, value] of Object.entries(registers)) {
      if (name === 'eip') this.cpu.eip = value;
      else if (name === 'eflags') setEflags(this.cpu, value);
      else this.cpu.gpr[(GPR_NAMES as readonly string[]).indexOf(name)] = value;
    }
    return this;
  }

  /** @returns the exit reason. */
  run(ticks = 1): number {
    return runGuest(this.cpu, ticks);
  }

  /** Runs `bytes`, one instruction unless said otherwise. */
  exec(bytes: string, ticks = 1): this {
    this.code(bytes).run(ticks);
    return this;
  }

  /** Dwords from the top of the stack. */
  stack(count: number): number[] {
    const base = this.cpu.segBase[SEG_SS];
    return Array.from({ length: count }, (_, i) => this.dwordAt((base + this.cpu.gpr[ESP] + 4 * i) >>> 0));
  }

  /** The exception whose handler is about to run, or null. */
  get caught(): Caught | null {
    const vector = this.get('eip') - HANDLERS;
    if (vector < 0 || vector > 255 || (this.get('cs') & ~3) !== CODE0) return null;
    const hasError = HAS_ERROR_CODE.has(vector);
    const [a, b, c] = this.stack(3);
    return hasError
      ? { vector, error: a, eip: b, cs: c & 0xffff }
      : { vector, error: null, eip: a, cs: b & 0xffff };
  }
}

/** For tests that look whether a handler halts. */
export const HALTED = EXIT_REASON_HLT;
