/**
 * Random programs around IN, OUT, INS and OUTS: prefixes in any order and number, REP counts, both directions, segment
 * overrides, address sizes, offsets at edges of pages and limits, ports with and without a device in the kernel, I/O
 * permission bitmaps, interrupt lines that rise between two accesses. Everything follows from seed and number.
 *
 * What depends on the host's time stays out: no count of the PIT is read, channel 0 is never loaded, port 0x61 is not
 * read. Port 0x43 is not read either: the kernel answers with what its read buffer held before.
 */
import type { EngineVm } from '../boards/vmm.ts';
import { instructionLength } from '../decoder/disassemble.ts';
import type { KvmRegs, KvmSegment, KvmSregs } from '../uapi/kvm.ts';
import { type BedMode, TSS, TSS_IO_MAP, X86_EFLAGS_VM } from './bed-modes.ts';
import { SeededStream } from './seeded-stream.ts';
import { BED_RAM, type BedHost, type BedProgram, DATA, END_PORT } from './test-bed.ts';

/** A program with its userspace. */
export interface RandomProgram {
  readonly seed: number;
  readonly index: number;
  readonly hasIrqchip: boolean;
  readonly program: BedProgram;
  /** A userspace that answers the same every time it is made. */
  createHost(): BedHost;
}

const X86_EFLAGS_TF = 1 << 8;
const X86_EFLAGS_IF = 1 << 9;
const X86_EFLAGS_DF = 1 << 10;
const X86_EFLAGS_IOPL_SHIFT = 12;
/** CF PF AF ZF SF OF. */
const X86_EFLAGS_STATUS = 0x8d5;

/** Ports that only userspace answers, and 0x7E with its quirk; 0xFFFF is where widths run out. */
const USER_PORTS = [0x10, 0x3f8, 0x7e, 0x80, 0x1234, 0xfffe, 0xffff];
/** The PIC, its neighbours, and the edges of the PIT. */
const PIC_PORTS = [0x1f, 0x20, 0x21, 0x22, 0x9f, 0xa0, 0xa1, 0xa2, 0x4cf, 0x4d0, 0x4d1, 0x4d2];
const OUT_ONLY_PORTS = [0x3f, 0x41, 0x42, 0x43, 0x44, 0x61, 0x62];
/** Interrupt lines that userspace can raise: not the timer's, the cascade's or the clock's (KVM treats pin 8 apart). */
const GSIS = [1, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15];
const COUNTS = [0, 1, 2, 3, 5, 8, 17, 33];
const LARGE_INS_COUNTS = [100, 255, 256, 257, 512, 1023, 1024, 1025, 3000, 0xffff];
const LARGE_OUTS_COUNT = 300;
/** Offsets in a data segment. */
const EDGES = [
  0, 1, 3, 0xff8, 0xffd, 0xffe, 0xfff, 0x1000, 0x1001, 0x7fff, 0xfff0, 0xfff8, 0xfffd, 0xfffe, 0xffff,
];
const SEGMENT_PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];
const LOCK = 0xf0;
const OPERAND_SIZE = 0x66;
const ADDRESS_SIZE = 0x67;
const DATA_SEGMENTS = ['ds', 'es', 'fs', 'gs'] as const;
/** Data types with a twist: read-only, expand-down, code that can and cannot be read. */
const ODD_TYPES = [1, 5, 7, 9, 11];

const MOV_EAX = 0;
const MOV_ECX = 1;
const MOV_EDX = 2;
const MOV_ESI = 6;
const MOV_EDI = 7;

class Generator {
  readonly #random: SeededStream;
  readonly #mode: BedMode;
  readonly #hasIrqchip: boolean;
  readonly #code: number[] = [];
  readonly #ports: number[] = [];

  constructor(random: SeededStream, mode: BedMode, hasIrqchip: boolean) {
    this.#random = random;
    this.#mode = mode;
    this.#hasIrqchip = hasIrqchip;
  }

  get code(): Uint8Array {
    return Uint8Array.from(this.#code);
  }

  /** Ports that the program means to use. */
  get ports(): readonly number[] {
    return this.#ports;
  }

  program(): void {
    const blocks = 1 + this.#random.below(5);
    for (let i = 0; i < blocks; i++) this.#block();
    this.#code.push(0xe6, END_PORT);
  }

  #block(): void {
    const random = this.#random;
    const isIn = random.oneIn(2);
    const isString = random.below(3) !== 0;
    const port = this.#port(isIn);
    this.#ports.push(port);
    if (random.oneIn(2)) this.#code.push(random.pick([0xfc, 0xfd]));
    if (random.oneIn(3)) this.#mov(MOV_EAX, random.next());
    if (isString) {
      this.#mov(MOV_ECX, this.#count(isIn));
      this.#mov(MOV_EDI, this.#offset());
      this.#mov(MOV_ESI, this.#offset());
    } else if (random.oneIn(2)) this.#mov(MOV_ECX, this.#count(true));
    const isImmediate = !isString && port < 0x100 && random.oneIn(2);
    if (!isImmediate) this.#mov(MOV_EDX, (random.next() & 0xffff_0000) + port);
    this.#prefixes(isString);
    const wide = random.below(2);
    if (isString) this.#code.push((isIn ? 0x6c : 0x6e) + wide);
    else if (isImmediate) this.#code.push((isIn ? 0xe4 : 0xe6) + wide, port);
    else this.#code.push((isIn ? 0xec : 0xee) + wide);
    if (random.oneIn(4)) this.#code.push(random.pick([0x40, 0x47, 0x90, 0xf8, 0xf9, 0x9f]));
  }

  #port(isIn: boolean): number {
    const random = this.#random;
    if (!this.#hasIrqchip || random.oneIn(3)) return random.pick(USER_PORTS);
    return random.pick(isIn ? PIC_PORTS : [...PIC_PORTS, ...OUT_ONLY_PORTS]);
  }

  #prefixes(isString: boolean): void {
    const random = this.#random;
    const prefixes: number[] = [];
    if (isString ? random.below(4) !== 0 : random.oneIn(6)) prefixes.push(random.pick([0xf3, 0xf3, 0xf2]));
    if (random.oneIn(3)) prefixes.push(OPERAND_SIZE);
    if (random.oneIn(3)) prefixes.push(ADDRESS_SIZE);
    if (random.oneIn(3)) prefixes.push(random.pick(SEGMENT_PREFIXES));
    if (random.oneIn(8))
      prefixes.push(random.pick([...SEGMENT_PREFIXES, OPERAND_SIZE, ADDRESS_SIZE, 0xf2, 0xf3]));
    if (random.oneIn(50)) prefixes.push(LOCK);
    while (prefixes.length > 0) this.#code.push(...prefixes.splice(random.below(prefixes.length), 1));
  }

  #count(isIn: boolean): number {
    const random = this.#random;
    // Bits that a 16-bit count must not see.
    const upper = random.oneIn(3) ? 0xabcd_0000 : 0;
    if (upper !== 0 && this.#mode.startsWith('prot32')) return random.pick(COUNTS);
    if (isIn && random.oneIn(4)) return upper + random.pick(LARGE_INS_COUNTS);
    return upper + (random.oneIn(20) ? LARGE_OUTS_COUNT : random.pick(COUNTS));
  }

  #offset(): number {
    const random = this.#random;
    const low = random.oneIn(2) ? random.pick(EDGES) : random.below(0x1_0000);
    return random.oneIn(6) ? low + 0x1_0000 : low;
  }

  #mov(register: number, value: number): void {
    if (!this.#mode.startsWith('prot32')) this.#code.push(OPERAND_SIZE);
    this.#code.push(0xb8 + register, value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24);
  }
}

/** Data segments at bases of their own; sometimes a short limit or an odd type. */
function adjuster(random: SeededStream, mode: BedMode): (sregs: KvmSregs) => void {
  const isSmall = mode === 'real' || mode === 'v86' || mode === 'prot16u';
  const changes = DATA_SEGMENTS.map((name) => {
    const base = DATA + (isSmall ? 16 * random.below(0x1000) : random.below(0x1_0000));
    const segment: Partial<KvmSegment> = { base };
    if (mode === 'real' || mode === 'v86') segment.selector = base >>> 4;
    if (!isSmall) Object.assign(segment, { limit: 0x1_ffff, g: 0 });
    // Behind the end of RAM nothing answers but userspace: KVM_EXIT_MMIO.
    if (!isSmall && random.oneIn(10)) segment.base = BED_RAM - 0x1000;
    if (mode.startsWith('prot') && random.oneIn(4))
      segment.limit = random.pick([0xfff, 0x1000, 0x7fff, 0xfffe]);
    if (mode.startsWith('prot') && random.oneIn(8)) segment.type = random.pick(ODD_TYPES);
    return [name, segment] as const;
  });
  const cut = random.oneIn(6) ? random.pick([50, 102, 103, TSS_IO_MAP, TSS_IO_MAP + 4]) : null;
  const isShort = random.oneIn(2);
  return (sregs) => {
    for (const [name, segment] of changes) Object.assign(sregs[name], segment);
    // CS and SS as overrides reach beyond RAM, or not.
    if (!isSmall && isShort)
      for (const name of ['cs', 'ss'] as const) Object.assign(sregs[name], { limit: BED_RAM - 1, g: 0 });
    if (cut !== null) sregs.tr.limit = cut;
  };
}

function flagsOf(random: SeededStream, mode: BedMode, hasIrqchip: boolean): number {
  let flags = 2 | (random.next() & X86_EFLAGS_STATUS);
  if (random.oneIn(2)) flags |= X86_EFLAGS_DF;
  if (hasIrqchip && random.oneIn(3)) flags |= X86_EFLAGS_IF;
  if (random.oneIn(20)) flags |= X86_EFLAGS_TF;
  if (mode === 'v86') flags |= X86_EFLAGS_VM;
  if (mode !== 'real') flags |= random.below(4) << X86_EFLAGS_IOPL_SHIFT;
  return flags;
}

/** Bits of the I/O bitmap beside the ports of the program, the one that ends it left open. */
function bitmapOf(random: SeededStream, ports: readonly number[]): NonNullable<BedProgram['memory']> {
  return ports
    .filter((port) => random.oneIn(3) && port >>> 3 !== END_PORT >>> 3)
    .map((port) => ({ at: TSS + TSS_IO_MAP + (port >>> 3), bytes: Uint8Array.of(1 << random.below(8)) }));
}

/** Which line rises or falls after which exit. */
function irqPlan(random: SeededStream): ReadonlyMap<number, readonly [number, number]> {
  const plan = new Map<number, readonly [number, number]>();
  for (let i = random.below(5); i > 0; i--) plan.set(random.below(12), [random.pick(GSIS), random.below(2)]);
  return plan;
}

/**
 * Program number `index` of a seed.
 *
 * @param modes which modes to choose from.
 */
export function randomProgram(seed: number, index: number, modes: readonly BedMode[]): RandomProgram {
  const random = new SeededStream(seed, index);
  const mode = random.pick(modes);
  const hasIrqchip = random.oneIn(2);
  const generator = new Generator(random, mode, hasIrqchip);
  generator.program();
  const regs: Partial<KvmRegs> = { eax: random.next(), ebx: random.next(), ebp: random.next() };
  const irqs = hasIrqchip ? irqPlan(random) : new Map<number, readonly [number, number]>();
  const dataSeed = random.next();
  return {
    seed,
    index,
    hasIrqchip,
    program: {
      mode,
      code: generator.code,
      regs: { ...regs, eflags: flagsOf(random, mode, hasIrqchip) },
      adjust: adjuster(random, mode),
      memory: bitmapOf(random, generator.ports),
      fillData: (data) => new SeededStream(dataSeed, 1).fill(data.subarray(0, BED_RAM - DATA)),
    },
    createHost() {
      const answers = new SeededStream(dataSeed, 2);
      return {
        answer: (data) => answers.fill(data),
        afterExit(exit: number, vm: EngineVm) {
          const line = irqs.get(exit);
          if (line !== undefined) vm.irqLine(line[0], line[1]);
        },
      };
    },
  };
}

/** The instructions of straight-line code, as offsets and lengths. */
export function instructionsOf(code: Uint8Array, bitness: 16 | 32): { at: number; length: number }[] {
  const found: { at: number; length: number }[] = [];
  for (let at = 0; at < code.length; ) {
    const length = Math.max(1, instructionLength(code.subarray(at), bitness));
    found.push({ at, length });
    at += length;
  }
  return found;
}
