/**
 * Random bytes as programs, in every mode: real, protected with 16 and with 32 bits, virtual-8086, with paging and without.
 * For the soak run (`npm run soak`) and its test: nothing that a guest holds may throw, run past its budget or make the host's
 * memory grow.
 *
 * Exceptions step over a byte of what has faulted, so that a program goes on through its bytes.
 */
import { Cpu, type MmioPort } from '../cpu/cpu.ts';
import { setEflags } from '../cpu/flags.ts';
import { runGuest } from '../cpu/interpreter.ts';
import { GuestMemory } from '../cpu/memory.ts';
import { privilegeChanged } from '../cpu/privilege.ts';
import { EFLAGS_MASK, ESP, X86_EFLAGS_VM } from '../cpu/registers.ts';
import {
  EXIT_REASON_CPUID,
  EXIT_REASON_EPT_VIOLATION,
  EXIT_REASON_EXCEPTION_NMI,
  EXIT_REASON_HLT,
  EXIT_REASON_IO_INSTRUCTION,
  EXIT_REASON_TRIPLE_FAULT,
} from '../uapi/vmx.ts';
import { Prng } from './prng.ts';
import {
  CODE,
  DATA,
  PAGE_TABLE,
  PRESENT_RW_USER,
  RAM_BYTES,
  STACK,
  TABLES_END,
  tablesImage,
} from './random-code-layout.ts';
import { enterMode, type RandomCodeMode } from './random-code-mode.ts';

/** Random bytes of one program; what lies behind it is left from the others. */
const PROGRAM_BYTES = 512;
const IOPL_AND_STATUS = 0x3cd7;
/** CR4 values to start with: none, PSE, PGE, VME and PVI, DE. */
const CR4_VALUES = [0, 0, 0x10, 0x80, 0x03, 0x08] as const;

const OPEN_BUS: MmioPort = { mmioRead: (_pa, size) => 2 ** (8 * size) - 1, mmioWrite() {} };

/** A machine that runs one random program after the other. The same seed runs the same ones. */
export class RandomCode {
  readonly memory = new GuestMemory();
  readonly cpu: Cpu;
  /** Instructions and iterations that have retired in all programs. */
  retired = 0;
  /** Programs that ended in a shutdown. */
  shutdowns = 0;
  readonly #random: Prng;
  readonly #tables = tablesImage();

  /** @param seed 32 bits. */
  constructor(seed: number) {
    this.#random = new Prng(seed, 0);
    this.memory.addSlot(0, 0, new Uint8Array(RAM_BYTES), false);
    this.cpu = new Cpu(this.memory);
  }

  /**
   * Runs one new program for at most `ticks`. @returns the ticks it took: an exit counts as one, so that it always ends.
   */
  runProgram(mode: RandomCodeMode, isPaged: boolean, ticks: number): number {
    this.#plant(isPaged);
    this.#load(mode, isPaged && mode !== 'real');
    let left = ticks;
    while (left > 0) {
      const before = this.retired;
      if (!this.#step(left)) break;
      left -= this.retired - before;
    }
    return ticks - left;
  }

  /** Runs to the next exit and steps over it as a lazy hypervisor would. @returns false when the program is over. */
  #step(ticks: number): boolean {
    const { cpu } = this;
    const reason = runGuest(cpu, ticks);
    this.retired += cpu.retired;
    switch (reason) {
      case EXIT_REASON_IO_INSTRUCTION:
      case EXIT_REASON_CPUID:
      case EXIT_REASON_HLT:
        cpu.eip = (cpu.eip + cpu.exitInstructionLength) | 0;
        this.retired++;
        return true;
      case EXIT_REASON_EPT_VIOLATION:
        cpu.mmio = OPEN_BUS;
        runGuest(cpu, 1);
        cpu.mmio = null;
        this.retired++;
        return true;
      case EXIT_REASON_TRIPLE_FAULT:
      case EXIT_REASON_EXCEPTION_NMI:
        this.shutdowns++;
        this.retired++;
        return false;
      default:
        return true;
    }
  }

  /** Tables, a new program, and a few pages that paging treats otherwise. */
  #plant(isPaged: boolean): void {
    const random = this.#random;
    const { ram, view } = this.memory;
    ram.set(this.#tables);
    for (let at = 0; at < PROGRAM_BYTES; at += 4) view.setUint32(CODE + at, random.next(), true);
    for (let i = 0; isPaged && i < 4; i++) {
      const page = (CODE >>> 12) + random.below((RAM_BYTES - CODE) >>> 12);
      const frame = random.below(RAM_BYTES >>> 12);
      view.setUint32(PAGE_TABLE + page * 4, (frame << 12) | random.below(8), true);
    }
    // The page that most pointers hit is now and then another name of the program's own.
    if (isPaged && random.oneIn(2)) {
      view.setUint32(PAGE_TABLE + (DATA >>> 12) * 4, CODE | PRESENT_RW_USER, true);
    }
    this.memory.code?.invalidate(0, TABLES_END);
    this.memory.code?.invalidate(CODE, PROGRAM_BYTES);
  }

  /** Registers: random, but for what lets the program begin. */
  #load(mode: RandomCodeMode, isPaged: boolean): void {
    const random = this.#random;
    const { cpu } = this;
    const isFlat = mode === 'prot32';
    const cr4 = random.pick(CR4_VALUES);
    const isLevel3 = mode === 'v86' || (mode !== 'real' && random.oneIn(2));
    enterMode(cpu, { mode, isPaged, isLevel3, cr4 });
    for (let i = 0; i < 8; i++) cpu.gpr[i] = this.#register(isFlat);
    cpu.gpr[ESP] = (isFlat ? STACK : 0) + 0x8000 + random.below(64);
    cpu.eip = (isFlat ? CODE : 0) + random.below(PROGRAM_BYTES);
    const vm = mode === 'v86' ? X86_EFLAGS_VM : 0;
    // TF now and then.
    const tf = random.oneIn(16) ? 0x100 : 0;
    setEflags(cpu, (((random.next() & IOPL_AND_STATUS) | tf | vm) & EFLAGS_MASK) | 2);
    privilegeChanged(cpu);
    cpu.flushTlb();
  }

  /** Small, an address in memory, or anything. */
  #register(isFlat: boolean): number {
    const random = this.#random;
    const kind = random.below(4);
    if (kind === 0) return random.below(64);
    if (kind === 1) return random.next() | 0;
    const reach = random.oneIn(2) ? PROGRAM_BYTES : 0x1_0000;
    return (isFlat ? DATA : 0) + random.below(reach);
  }
}
