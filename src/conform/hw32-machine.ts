/**
 * The machine of the hw32 vectors (vectors/hw32/FORMAT.md, “Machine state”): CPL 3, IOPL 0, paging on, four mapped ranges. It is
 * made once and serves all cases.
 *
 * Exceptions are really delivered: every vector has an interrupt gate to a ring-0 address of its own, over the TSS's inner
 * stack, and the state before it is read back from the frame.
 *
 * Physical memory: page 0 and the following hold the machine's own tables, then come the ranges of the format, one behind
 * the other. Supervisor pages map the tables far from the ranges; accessed and dirty flags are set beforehand, so that nothing
 * but the guest's instruction writes to memory under judgement.
 */
import { setCr0, setCr3, setCr4, setEfer } from '../cpu/control-registers.ts';
import { Cpu, FAULT_NONE } from '../cpu/cpu.ts';
import { setEflags } from '../cpu/flags.ts';
import { runGuest } from '../cpu/interpreter.ts';
import { GuestMemory } from '../cpu/memory.ts';
import { cpl } from '../cpu/privilege.ts';
import {
  AR_DB,
  AR_G,
  AR_P,
  AR_S,
  AR_TYPE_ACCESSED,
  AR_TYPE_CODE,
  AR_TYPE_WRITABLE,
  EFER_NX,
  ESP,
  X86_CR0_AM,
  X86_CR0_ET,
  X86_CR0_NE,
  X86_CR0_PE,
  X86_CR0_PG,
  X86_CR0_WP,
  X86_CR4_PAE,
} from '../cpu/registers.ts';
import { SEG_CS, SEG_LDTR, SEG_TR } from '../decoder/insn.ts';
import { EXIT_REASON_PREEMPTION_TIMER } from '../uapi/vmx.ts';

/** A mapped range of the format. */
export interface Hw32Range {
  readonly linear: number;
  readonly bytes: number;
  readonly physical: number;
  readonly fill: number;
  readonly isCode: boolean;
}

const RANGE_BYTES = 0x10000;
/** Where the ranges lie in physical memory. */
const RANGES_AT = 0x20000;

// biome-ignore format: one range a line.
export const HW32_RANGES: readonly Hw32Range[] = [
  { linear: 0x0000_1000, bytes: RANGE_BYTES, physical: RANGES_AT,                   fill: 0x00, isCode: false },
  { linear: 0x1000_0000, bytes: RANGE_BYTES, physical: RANGES_AT + RANGE_BYTES,     fill: 0xcc, isCode: true },
  { linear: 0x2000_0000, bytes: RANGE_BYTES, physical: RANGES_AT + 2 * RANGE_BYTES, fill: 0x00, isCode: false },
  { linear: 0x3000_0000, bytes: RANGE_BYTES, physical: RANGES_AT + 3 * RANGE_BYTES, fill: 0x00, isCode: false },
];
const MEMORY_BYTES = RANGES_AT + 4 * RANGE_BYTES;

/** The machine's own memory: 64 KiB from physical 0, mapped for the supervisor from here on. */
const SYSTEM_LINEAR = 0xf000_0000;
const SYSTEM_BYTES = 0x10000;
const GDT_AT = 0x1000;
const IDT_AT = 0x2000;
const TSS_AT = 0x3000;
/** End of the inner stack. */
export const STACK_TOP = 0x5000;
/** Vector v enters at HANDLERS + v. */
const HANDLERS_AT = 0x6000;
const PDPT_AT = 0x8000;
const DIRECTORIES_AT = 0x9000;
const TABLES_AT = 0xd000;

/** Selectors. 23h and 2Bh, 10h and 18h are the format's; the others are this machine's. */
const KERNEL_CODE = 0x08;
const KERNEL_DATA = 0x30;
const TSS_SELECTOR = 0x38;
const GDT_LIMIT = 0x7f;
export const USER_CODE = 0x23;
export const USER_DATA = 0x2b;

/** Descriptors by selector, as quadwords: upper half, lower half. */
const DESCRIPTORS: readonly (readonly [number, number, number])[] = [
  [KERNEL_CODE, 0x00cf9b00, 0x0000ffff],
  [0x10, 0x00af9b00, 0x0000ffff],
  [0x18, 0x00cf9300, 0x0000ffff],
  [USER_CODE & ~7, 0x00cffb00, 0x0000ffff],
  [USER_DATA & ~7, 0x00cff300, 0x0000ffff],
  [KERNEL_DATA, 0x00cf9300, 0x0000ffff],
];
const INTERRUPT_GATE = 0x8e00;
const DPL3 = 0x6000;
/** Gates that software may use: #BP and #OF. */
const SOFTWARE_VECTORS: readonly number[] = [3, 4];

const AR_DPL3 = 3 << 5;
const USER_CODE_AR =
  AR_G | AR_DB | AR_P | AR_DPL3 | AR_S | AR_TYPE_CODE | AR_TYPE_WRITABLE | AR_TYPE_ACCESSED;
const USER_DATA_AR = AR_G | AR_DB | AR_P | AR_DPL3 | AR_S | AR_TYPE_WRITABLE | AR_TYPE_ACCESSED;
const TSS32_BUSY_AR = AR_P | 11;
const LDT_UNUSABLE = 1 << 16;
const TSS_LIMIT = 0x67;

/** P, R/W, U/S, A, D of paging-structure entries; execute-disable in the upper half. */
const PT_PRESENT = 1;
const PT_WRITABLE = 2;
const PT_USER = 4;
const PT_ACCESSED_DIRTY = 0x60;
const PT_NX = 0x8000_0000;
const DIRECTORY = PT_PRESENT | PT_WRITABLE | PT_USER | PT_ACCESSED_DIRTY;

/** More than any REP of the vectors. */
const MAX_ITERATIONS = 0x2_0000;

/** Which paging structures carry the memory map: execute-disable needs PAE. */
export type Hw32Paging = 'pae' | '32-bit';

/** See the opening comment. */
export class Hw32Machine {
  readonly memory = new GuestMemory();
  readonly cpu: Cpu;

  constructor(paging: Hw32Paging = 'pae') {
    this.memory.addSlot(0, 0, new Uint8Array(MEMORY_BYTES), false);
    this.cpu = new Cpu(this.memory);
    this.#fillTables();
    for (const range of HW32_RANGES)
      this.memory.ram.fill(range.fill, range.physical, range.physical + range.bytes);
    if (paging === 'pae') this.#mapPae();
    else this.#map32();
    const { cpu } = this;
    cpu.cr0 = 0;
    if (paging === 'pae') {
      setCr4(cpu, X86_CR4_PAE);
      setEfer(cpu, EFER_NX, 0);
      setCr3(cpu, PDPT_AT);
    } else {
      setCr3(cpu, DIRECTORIES_AT);
    }
    const cr0 = X86_CR0_PG | X86_CR0_AM | X86_CR0_WP | X86_CR0_NE | X86_CR0_ET | X86_CR0_PE;
    setCr0(cpu, cr0);
    cpu.gdtBase = (SYSTEM_LINEAR + GDT_AT) | 0;
    cpu.gdtLimit = GDT_LIMIT;
    cpu.idtBase = (SYSTEM_LINEAR + IDT_AT) | 0;
    cpu.idtLimit = 0x7ff;
    cpu.setSegment(SEG_TR, TSS_SELECTOR, (SYSTEM_LINEAR + TSS_AT) | 0, TSS_LIMIT, TSS32_BUSY_AR);
    cpu.setSegment(SEG_LDTR, 0, 0, 0, LDT_UNUSABLE);
  }

  /** Segments, interrupt state and fault as a case starts with them; the caller sets registers, EIP and EFLAGS. */
  reset(eflags: number): void {
    const { cpu } = this;
    for (let seg = 0; seg < 6; seg++) {
      if (seg === SEG_CS) cpu.setSegment(seg, USER_CODE, 0, 0xffff_ffff, USER_CODE_AR);
      else cpu.setSegment(seg, USER_DATA, 0, 0xffff_ffff, USER_DATA_AR);
    }
    setEflags(cpu, eflags);
    cpu.fault = FAULT_NONE;
    cpu.interruptShadow = 0;
    cpu.pendingDebugTrap = 0;
    cpu.queuedVector = -1;
    cpu.repStarted = 0;
    cpu.activityState = 0;
    cpu.cr2 = 0;
  }

  /** Runs one instruction, with `isRep` all its iterations. @returns an exit reason that is not the end of the budget, or −1. */
  run(isRep: boolean): number {
    const { cpu } = this;
    const { eip } = cpu;
    for (let i = 0; i < MAX_ITERATIONS; i++) {
      const reason = runGuest(cpu, 1);
      if (reason !== EXIT_REASON_PREEMPTION_TIMER) return reason;
      if (!isRep || cpu.eip !== eip || cpl(cpu) === 0) break;
    }
    return -1;
  }

  /** The vector whose handler the processor stands at, or −1. */
  get vector(): number {
    const at = this.cpu.eip - (SYSTEM_LINEAR + HANDLERS_AT);
    return cpl(this.cpu) === 0 ? at & 0xff : -1;
  }

  /** Doubleword number `i` of the event's frame, from the top of the stack down: SS ESP EFLAGS CS EIP, then an error code. */
  frame(i: number): number {
    return this.memory.view.getUint32(STACK_TOP - 4 * (i + 1), true);
  }

  /** Bytes that the event has pushed. */
  get frameBytes(): number {
    return (SYSTEM_LINEAR + STACK_TOP - this.cpu.gpr[ESP]) & 0xffff;
  }

  #fillTables(): void {
    const { view } = this.memory;
    for (const [selector, high, low] of DESCRIPTORS) {
      view.setUint32(GDT_AT + selector, low, true);
      view.setUint32(GDT_AT + selector + 4, high, true);
    }
    const tss = SYSTEM_LINEAR + TSS_AT;
    view.setUint32(GDT_AT + TSS_SELECTOR, ((tss & 0xffff) << 16) | TSS_LIMIT, true);
    view.setUint32(GDT_AT + TSS_SELECTOR + 4, (tss & 0xff00_0000) | 0x8b00 | ((tss >>> 16) & 0xff), true);
    for (let vector = 0; vector < 256; vector++) {
      const handler = SYSTEM_LINEAR + HANDLERS_AT + vector;
      const type = INTERRUPT_GATE | (SOFTWARE_VECTORS.includes(vector) ? DPL3 : 0);
      view.setUint32(IDT_AT + vector * 8, (KERNEL_CODE << 16) | (handler & 0xffff), true);
      view.setUint32(IDT_AT + vector * 8 + 4, (handler & 0xffff_0000) | type, true);
    }
    view.setUint32(TSS_AT + 4, SYSTEM_LINEAR + STACK_TOP, true);
    view.setUint16(TSS_AT + 8, KERNEL_DATA, true);
    view.setUint16(TSS_AT + 102, TSS_LIMIT + 1, true);
  }

  /** Calls `map` for every page: linear, physical, flags, whether it may be executed. */
  #eachPage(map: (linear: number, physical: number, flags: number, isCode: boolean) => void): void {
    const page = PT_PRESENT | PT_ACCESSED_DIRTY;
    for (let at = 0; at < SYSTEM_BYTES; at += 0x1000) map(SYSTEM_LINEAR + at, at, page | PT_WRITABLE, true);
    for (const range of HW32_RANGES) {
      const flags = page | PT_USER | (range.isCode ? 0 : PT_WRITABLE);
      for (let at = 0; at < range.bytes; at += 0x1000)
        map(range.linear + at, range.physical + at, flags, range.isCode);
    }
  }

  #mapPae(): void {
    const { view } = this.memory;
    for (let i = 0; i < 4; i++)
      view.setUint32(PDPT_AT + i * 8, (DIRECTORIES_AT + i * 0x1000) | PT_PRESENT, true);
    let tables = 0;
    this.#eachPage((linear, physical, flags, isCode) => {
      const pde = DIRECTORIES_AT + (linear >>> 21) * 8;
      if (view.getUint32(pde, true) === 0) view.setUint32(pde, tableAt(tables++) | DIRECTORY, true);
      const pte = (view.getUint32(pde, true) & ~0xfff) + ((linear >>> 12) & 0x1ff) * 8;
      view.setUint32(pte, physical | flags, true);
      view.setUint32(pte + 4, isCode ? 0 : PT_NX, true);
    });
  }

  #map32(): void {
    const { view } = this.memory;
    let tables = 0;
    this.#eachPage((linear, physical, flags) => {
      const pde = DIRECTORIES_AT + (linear >>> 22) * 4;
      if (view.getUint32(pde, true) === 0) view.setUint32(pde, tableAt(tables++) | DIRECTORY, true);
      const pte = (view.getUint32(pde, true) & ~0xfff) + ((linear >>> 12) & 0x3ff) * 4;
      view.setUint32(pte, physical | flags, true);
    });
  }
}

/** Page tables: five are needed; they end before the ranges begin. */
function tableAt(n: number): number {
  return TABLES_AT + n * 0x1000;
}
