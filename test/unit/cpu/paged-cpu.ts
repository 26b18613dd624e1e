/**
 * A flat 32-bit protected-mode machine with paging, for tests: level 0 or 3, tables that a test edits directly, every vector
 * delivered through an interrupt gate to an address of its own.
 *
 * The first 256 KiB (GDT, IDT, TSS, inner stack, handlers, paging structures) are mapped one to one for the supervisor.
 */
import { setCr0, setCr3, setCr4, setEfer } from '../../../src/cpu/control-registers.ts';
import { Cpu, FAULT_NONE } from '../../../src/cpu/cpu.ts';
import { getEflags, setEflags } from '../../../src/cpu/flags.ts';
import { runGuest } from '../../../src/cpu/interpreter.ts';
import { GuestMemory } from '../../../src/cpu/memory.ts';
import { cpl } from '../../../src/cpu/privilege.ts';
import { EFER_NX, ESP, X86_CR4_PAE, X86_CR4_PGE, X86_CR4_PSE } from '../../../src/cpu/registers.ts';
import { SEG_TR } from '../../../src/decoder/insn.ts';
import { descriptor, HAS_ERROR_CODE, loadFlatSegments, plantHandlers } from '../../protected-setup.ts';
import { hex } from './driver.ts';

export const P = 1;
export const RW = 2;
export const US = 4;
export const A = 0x20;
export const D = 0x40;
export const PS = 0x80;
export const G = 0x100;
/** Bit 63 of a PAE entry, in its upper half. */
export const NX = 0x8000_0000;

export const RAM_BYTES = 0x40_0000;
const SYSTEM_END = 0x4_0000;
const GDT = 0x1000;
const IDT = 0x2000;
export const TSS = 0x3000;
const STACK_TOP = 0x5000;
const HANDLERS = 0x6000;
const PDPT = 0xf000;
const DIRECTORY = 0x1_0000;
const TABLES = 0x2_0000;
const PG_WP_PE = 0x8001_0011 | 0;

/** An exception as its handler finds it. */
export interface Event {
  readonly vector: number;
  readonly errorCode: number | null;
  readonly eip: number;
  readonly esp: number;
}

export class PagedCpu {
  readonly memory = new GuestMemory();
  readonly cpu: Cpu;
  readonly isPae: boolean;
  #tables = 0;

  constructor(kind: '32-bit' | 'pae' = '32-bit') {
    this.isPae = kind === 'pae';
    this.memory.addSlot(0, 0, new Uint8Array(RAM_BYTES), false);
    this.cpu = new Cpu(this.memory);
    const { view, ram } = this.memory;
    ram.set(descriptor({ type: 0x1b }), GDT + 0x08);
    ram.set(descriptor({ type: 0x13 }), GDT + 0x10);
    ram.set(descriptor({ type: 0x1b, dpl: 3 }), GDT + 0x18);
    ram.set(descriptor({ type: 0x13, dpl: 3 }), GDT + 0x20);
    plantHandlers(ram, IDT, HANDLERS, 0x08, 0);
    view.setUint32(TSS + 4, STACK_TOP, true);
    view.setUint16(TSS + 8, 0x10, true);
    view.setUint16(TSS + 102, 104, true);
    for (let i = 0; i < 4; i++) view.setUint32(PDPT + i * 8, (DIRECTORY + i * 0x1000) | P, true);
    for (let at = 0; at < SYSTEM_END; at += 0x1000) this.map(at, at, P | RW | A | D);
    const { cpu } = this;
    cpu.reset();
    cpu.cr0 = 0x10;
    setCr3(cpu, this.isPae ? PDPT : DIRECTORY);
    setCr4(cpu, this.isPae ? X86_CR4_PAE | X86_CR4_PGE : X86_CR4_PSE | X86_CR4_PGE);
    if (this.isPae) setEfer(cpu, EFER_NX, 0);
    setCr0(cpu, PG_WP_PE);
    cpu.gdtBase = GDT;
    cpu.gdtLimit = 0x27;
    cpu.idtBase = IDT;
    cpu.idtLimit = 0x7ff;
    cpu.setSegment(SEG_TR, 0x28, TSS, 0x67, 0x8b);
    this.level(0);
  }

  /** Flat segments of a level. */
  level(level: 0 | 3): this {
    loadFlatSegments(this.cpu, level, level === 0 ? 0x08 : 0x1b, level === 0 ? 0x10 : 0x23);
    return this;
  }

  /** Physical address of the directory entry of `linear`. */
  pdeAt(linear: number): number {
    return this.isPae ? DIRECTORY + (linear >>> 21) * 8 : DIRECTORY + (linear >>> 22) * 4;
  }

  /** Physical address of the table entry of `linear`; makes the table. */
  pteAt(linear: number): number {
    const { view } = this.memory;
    const pde = this.pdeAt(linear);
    if ((view.getUint32(pde, true) & P) === 0)
      view.setUint32(pde, (TABLES + this.#tables++ * 0x1000) | P | RW | US, true);
    const table = view.getUint32(pde, true) & ~0xfff;
    return this.isPae ? table + ((linear >>> 12) & 0x1ff) * 8 : table + ((linear >>> 12) & 0x3ff) * 4;
  }

  /** Writes an entry; `high` is the upper half of a PAE entry. The TLB is not told. */
  entry(at: number, low: number, high = 0): this {
    this.memory.view.setUint32(at, low, true);
    if (this.isPae) this.memory.view.setUint32(at + 4, high, true);
    return this;
  }

  /** Maps a page. The TLB is not told. */
  map(linear: number, physical: number, flags: number, high = 0): this {
    return this.entry(this.pteAt(linear), physical + flags, high);
  }

  /** Accessed and dirty flags and the other low bits of an entry. */
  flagsAt(at: number): number {
    return this.memory.view.getUint32(at, true) & 0xfff;
  }

  /** Code at a physical address, EIP at a linear one, registers. */
  code(eip: number, physical: number, bytes: string, registers: readonly number[] = []): this {
    this.memory.write(physical, Uint8Array.from(hex(bytes)));
    this.cpu.eip = eip | 0;
    for (const [i, value] of registers.entries()) this.cpu.gpr[i] = value;
    this.cpu.fault = FAULT_NONE;
    setEflags(this.cpu, 2);
    return this;
  }

  /** @returns the exit reason. */
  run(ticks = 1): number {
    return runGuest(this.cpu, ticks);
  }

  /** What the handler at EIP finds, or null when the processor is not in one. */
  get event(): Event | null {
    const { cpu } = this;
    const vector = cpu.eip - HANDLERS;
    if (cpl(cpu) !== 0 || vector < 0 || vector > 255) return null;
    const hasErrorCode = HAS_ERROR_CODE.has(vector);
    const word = (i: number): number => this.memory.view.getUint32(cpu.gpr[ESP] + i * 4, true);
    const frame = hasErrorCode ? 1 : 0;
    return {
      vector,
      errorCode: hasErrorCode ? word(0) : null,
      eip: word(frame),
      esp: (word(frame + 1) & 3) === 3 ? word(frame + 3) : cpu.gpr[ESP] + (frame + 3) * 4,
    };
  }

  get eflags(): number {
    return getEflags(this.cpu);
  }
}
