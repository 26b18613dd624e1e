/**
 * The machine of commit-order.test.ts: one instruction, everything it may touch in pages of its own, paging on. The segments
 * have the bases of real-mode selectors, so that the same offsets serve 32-bit, 16-bit and virtual-8086 code.
 *
 * Vectors that an instruction may name have gates; exceptions have none, so that a fault ends in a shutdown: nothing but the
 * fault itself may have changed anything then.
 */
import { getEflags } from '../../../src/cpu/flags.ts';
import { privilegeChanged } from '../../../src/cpu/privilege.ts';
import { SEG_CS, SEG_SS } from '../../../src/decoder/insn.ts';
import { lower } from '../../../src/decoder/lower.ts';
import { type Encoding, encode, type Immediates } from '../../encode.ts';
import {
  CODE_XR,
  CODE0,
  CODE3,
  DATA_RW,
  DATA0,
  DATA3,
  descriptor,
  FREE,
  GDT,
  GDT_LIMIT,
  gate,
  HANDLERS,
  IDT,
  LDT_SELECTOR,
  ProtectedCpu,
} from './protected-driver.ts';

/** Where an instruction runs. */
export const MODES = ['32-bit level 0', '32-bit level 3', '16-bit level 0', 'virtual-8086'] as const;
export type Mode = (typeof MODES)[number];

const PAGE_DIRECTORY = 0xf_0000;
const PAGE_TABLE = 0xf_1000;
const CODE_BASE = 0x1_0000;
const STACK_BASE = 0x2_0000;
const DATA_BASE = 0x3_0000;
/** Near and far transfers go here. */
const TARGET = 0x400;
/** The first byte of an instruction is the last of its page. */
const EIP = 0xfff;
/** String operands; the last byte of a page. */
const SOURCE = 0x4fff;
const DESTINATION = 0x6fff;
const FRAME = 0x5ffe;
const ABOVE_FRAME = 0x6002;
const SOFTWARE_VECTOR = 0x80;
/** All that an instruction here has reason to touch; behind it come the paging structures. */
const USED_BYTES = 0x4_0000;
const PAGES = USED_BYTES >> 12;
const SHUTDOWN = 2;
const EFLAGS_V86 = 0x2_3002;
const EFLAGS_LEVEL3 = 0x3002;
/** OF, so that INTO has something to do. */
const OVERFLOW = 0x800;
const RF = 0x1_0000;

const P = 1;
const RW = 2;
const US = 4;
const ACCESSED = 0x20;
const DIRTY = 0x40;

/** What is done to one page: its flags in the page table. */
export const FAULTS = { absent: RW | US, 'read-only': P | US, supervisor: P | RW } as const;
export type Fault = keyof typeof FAULTS;

/** Pages that the processor itself reads, with the rights of level 0: GDT, IDT, TSS, inner stack. */
export const SYSTEM_PAGES: readonly number[] = [0x1, 0x2, 0x4, 0x27, 0x28];

/** One way to run an encoding. */
export interface Setup {
  readonly mode: Mode;
  readonly encoding: Encoding;
  readonly isMemory: boolean;
  /** Offset of the memory operand in its page group. */
  readonly operand: number;
  readonly esp: number;
  /** The ModRM reg field of MOV to and from segment registers. */
  readonly reg: number;
  /** F2 or F3 before a string instruction: four iterations, two of them on the next page. */
  readonly rep?: number;
}

/** A page that a run has touched. */
export interface Touched {
  readonly page: number;
  readonly isWritten: boolean;
}

/** How a run ended. */
export interface Result {
  readonly shutdown: boolean;
  /** EFLAGS first, without RF; then the other registers and the segment caches. */
  readonly state: readonly number[];
  readonly memory: Buffer;
  readonly touched: readonly Touched[];
  /** Error code and page of the #PF; null without one. */
  readonly pageFault: { readonly error: number; readonly page: number } | null;
}

const is32 = (mode: Mode): boolean => mode.startsWith('32');
const isLevel3 = (mode: Mode): boolean => mode.endsWith('3');
const codeSelector = (mode: Mode): number =>
  mode === 'virtual-8086' ? CODE_BASE >> 4 : isLevel3(mode) ? CODE3 : CODE0;
const dataSelector = (mode: Mode): number =>
  mode === 'virtual-8086' ? DATA_BASE >> 4 : isLevel3(mode) ? DATA3 : DATA0;
const flagsOf = (mode: Mode): number =>
  OVERFLOW | (mode === 'virtual-8086' ? EFLAGS_V86 : isLevel3(mode) ? EFLAGS_LEVEL3 : 2);

function little(value: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, i) => (value >>> (8 * i)) & 0xff);
}

/** What the memory operand holds, so that the instruction completes. */
function operandBytes({ encoding, mode }: Setup, opSize: number): number[] {
  const { mnemonic, name } = encoding;
  const data = little(dataSelector(mode), 2);
  if (/^L[defgs]s$/.test(mnemonic)) return [...little(0x1234, opSize), ...data];
  if (name.startsWith('Mov_Sreg') || /^(Lar|Lsl|Verr|Verw)$/.test(mnemonic)) return data;
  if (mnemonic === 'Lldt') return little(LDT_SELECTOR, 2);
  if (mnemonic === 'Ltr') return little(FREE, 2);
  if (mnemonic === 'Lmsw') return [1, 0];
  if (mnemonic === 'Lgdt') return [...little(GDT_LIMIT, 2), ...little(GDT, 4)];
  if (mnemonic === 'Lidt') return [...little(0x7ff, 2), ...little(IDT, 4)];
  if (/^(Jmp|Call)_/.test(name)) return [...little(TARGET, opSize), ...little(codeSelector(mode), 2)];
  if (mnemonic === 'Bound') return [...little(0, opSize), ...little(0x7fff, opSize)];
  return Array.from({ length: 8 }, () => 1);
}

/** What the stack holds. */
function stackSlots({ encoding, mode }: Setup): number[] {
  const { mnemonic } = encoding;
  if (/^Ret/.test(mnemonic) || /^Iret/.test(mnemonic)) return [TARGET, codeSelector(mode), flagsOf(mode)];
  if (/^Popf/.test(mnemonic)) return [flagsOf(mode) & 0xffff];
  return Array.from({ length: 8 }, () => dataSelector(mode));
}

/** Runs setups. One machine a mode, made once. */
export class CommitOrderMachine {
  readonly #mode: Mode;
  readonly #test: ProtectedCpu;
  readonly #ram: Uint8Array;
  #pageFault: Result['pageFault'] = null;

  constructor(mode: Mode) {
    this.#mode = mode;
    this.#test = new ProtectedCpu(isLevel3(mode) ? 3 : 0);
    const test = this.#test;
    test.memory.ram.fill(0, IDT, IDT + 256 * 8);
    for (const vector of [1, 3, 4, SOFTWARE_VECTOR]) {
      test.idt(vector, gate(14, CODE0, HANDLERS + vector, { dpl: 3 }));
    }
    // Accessed bits clear: loads write them.
    test.gdt(CODE0, descriptor({ type: CODE_XR })).gdt(CODE3, descriptor({ type: CODE_XR, dpl: 3 }));
    test.gdt(DATA0, descriptor({ type: DATA_RW })).gdt(DATA3, descriptor({ type: DATA_RW, dpl: 3 }));
    test.gdt(FREE, descriptor({ type: 9, base: 0x6000, limit: 0x67 }));
    test.dword(PAGE_DIRECTORY, PAGE_TABLE | P | RW | US);
    this.#ram = test.memory.ram.slice();
    this.#watchFaults();
  }

  /** The first #PF's error code is gone when the shutdown comes, so it is noted as it is raised. */
  #watchFaults(): void {
    const { cpu } = this.#test;
    let code = 0;
    Object.defineProperty(cpu, 'faultErrorCode', {
      get: () => code,
      set: (value: number) => {
        code = value;
        if (cpu.fault === (0x100 | 14) && this.#pageFault === null)
          this.#pageFault = { error: value, page: cpu.faultAddress >>> 12 };
      },
    });
  }

  /** The instruction's bytes. */
  bytes({ encoding, isMemory, operand, reg, rep }: Setup): Uint8Array {
    const mode = this.#mode;
    const imm: Immediates = {
      imm8: encoding.mnemonic === 'Int' ? SOFTWARE_VECTOR : 3,
      second: 3,
      imm16: 8,
      farSelector: codeSelector(mode),
      farOffset: TARGET,
      offset: operand,
      reg,
    };
    const bytes = encode(encoding.code, is32(mode) ? 32 : 16, isMemory, imm);
    return rep === undefined ? bytes : Uint8Array.of(rep, ...bytes);
  }

  /** Runs `setup` with the flags of one page changed, or with all pages as they should be. */
  run(setup: Setup, page = -1, fault: Fault = 'absent'): Result {
    this.#load(setup, this.bytes(setup));
    for (let i = 0; i < PAGES; i++) {
      this.#test.dword(PAGE_TABLE + 4 * i, (i << 12) | (i === page ? FAULTS[fault] : P | RW | US));
    }
    this.#test.cpu.flushTlb();
    this.#pageFault = null;
    return this.go(1);
  }

  /** Runs a repeated instruction to its end, or to its fault. @returns what it looked like after each iteration. */
  runRepeated(setup: Setup, page = -1, fault: Fault = 'absent'): Result[] {
    const { cpu } = this.#test;
    const results = [this.run(setup, page, fault)];
    while (cpu.activityState !== SHUTDOWN && cpu.eip === EIP) results.push(this.go(1));
    return results;
  }

  /** Runs on for `ticks` more. */
  go(ticks: number): Result {
    const { cpu, memory } = this.#test;
    if (ticks > 0) this.#test.run(ticks);
    const touched: Touched[] = [];
    for (let i = 0; i < PAGES; i++) {
      const entry = this.#test.dwordAt(PAGE_TABLE + 4 * i);
      if ((entry & ACCESSED) !== 0) touched.push({ page: i, isWritten: (entry & DIRTY) !== 0 });
    }
    return {
      shutdown: cpu.activityState === SHUTDOWN,
      state: this.#state(),
      memory: Buffer.from(memory.ram.slice(0, USED_BYTES)),
      touched,
      pageFault: this.#pageFault,
    };
  }

  /** The state before the instruction. */
  before(setup: Setup): Result {
    this.#load(setup, this.bytes(setup));
    return { ...this.go(0), touched: [] };
  }

  #load(setup: Setup, code: Uint8Array): void {
    const { cpu, memory } = this.#test;
    const mode = this.#mode;
    const insn = lower(code, code.length, is32(mode) ? 1 : 0);
    const opSize = insn?.opSize ?? 4;
    memory.ram.set(this.#ram.subarray(0, USED_BYTES));
    cpu.cache.clear();
    cpu.reset();
    // PG WP NE ET PE
    cpu.cr0 = 0x8001_0031 | 0;
    cpu.cr3 = PAGE_DIRECTORY;
    cpu.gdtBase = GDT;
    cpu.gdtLimit = GDT_LIMIT;
    cpu.idtBase = IDT;
    cpu.idtLimit = 0x7ff;
    cpu.sysenterCs = CODE0;
    cpu.setSegment(6, 0x28, 0x4000, 0x67, 0x8b);
    cpu.setSegment(7, LDT_SELECTOR, 0x1800, 0x3f, 0x82);
    const level = mode === 'virtual-8086' || isLevel3(mode) ? 0x60 : 0;
    for (let seg = 0; seg < 6; seg++) {
      const base = seg === SEG_CS ? CODE_BASE : seg === SEG_SS ? STACK_BASE : DATA_BASE;
      const selector =
        mode === 'virtual-8086' ? base >> 4 : seg === SEG_CS ? codeSelector(mode) : dataSelector(mode);
      const code32 = is32(mode) ? 0x4000 : 0;
      const type = seg === SEG_CS && mode !== 'virtual-8086' ? 0x9b : 0x93;
      cpu.setSegment(seg, selector, base, 0xffff, type | level | code32);
    }
    cpu.ioIntercept = { exits: () => false, read: () => 0x5a5a_5a5a, write: () => {} };
    const isRepeated = setup.rep !== undefined;
    const back = isRepeated ? 2 * (insn?.size ?? 0) - 1 : 0;
    // AX: a bit number within the operand, a BOUND within bounds, an RPL of 3.
    const ebp = /^Leave/.test(setup.encoding.mnemonic) ? FRAME : ABOVE_FRAME;
    this.#test.set({
      eax: 7,
      ecx: isRepeated ? 4 : 2,
      edx: 0,
      ebx: setup.operand,
      esp: setup.esp,
      ebp,
      esi: SOURCE - back,
      edi: DESTINATION - back,
    });
    this.#test.set({ eip: EIP, eflags: flagsOf(mode) });
    privilegeChanged(cpu);
    memory.ram.set(code, CODE_BASE + EIP);
    memory.ram.set(operandBytes(setup, opSize), DATA_BASE + setup.operand);
    stackSlots(setup).forEach((value, i) => {
      memory.ram.set(little(value, opSize), STACK_BASE + setup.esp + i * opSize);
    });
    memory.ram.fill(0x11, STACK_BASE + FRAME - 16, STACK_BASE + FRAME + 16);
  }

  /** Whether everything that no instruction had reason to touch is as it was. */
  get isUntouchedElsewhere(): boolean {
    const part = (ram: Uint8Array): Uint8Array => ram.subarray(USED_BYTES, PAGE_DIRECTORY);
    return Buffer.compare(part(this.#test.memory.ram), part(this.#ram)) === 0;
  }

  #state(): number[] {
    const { cpu } = this.#test;
    return [
      getEflags(cpu) & ~RF,
      cpu.eip,
      cpu.cr0,
      cpu.cr3,
      cpu.cr4,
      cpu.gdtBase,
      cpu.gdtLimit,
      cpu.idtBase,
      cpu.idtLimit,
      cpu.nmiMasked,
      ...cpu.gpr,
      ...cpu.dr,
      ...cpu.segSelector,
      ...cpu.segBase,
      ...cpu.segLimit,
      ...cpu.segAttr,
    ];
  }
}
