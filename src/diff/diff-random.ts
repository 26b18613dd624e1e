/**
 * Random programs on two engines: exits, their data, the registers at each of them, and everything that is left
 * at the end. The first difference ends the search.
 */
import { readKernelDevices } from '../boards/kernel-devices.ts';
import { disassemble } from '../decoder/disassemble.ts';
import type { KvmFunctions } from '../emulate/kvm-vcpu.ts';
import { KVM_EXIT_INTERNAL_ERROR, type KvmRegs } from '../uapi/kvm.ts';
import type { BedMode } from './bed-modes.ts';
import {
  type ComparedExit,
  compareDevices,
  compareExits,
  compareMemory,
  compareRegs,
  compareSregs,
  type FieldDifference,
} from './compare.ts';
import { Pio86Engine } from './pio86-engine.ts';
import { instructionsOf, type RandomProgram, randomProgram } from './random-program.ts';
import { type BedEnd, type BedEngine, type BedResult, CODE, TestBed } from './test-bed.ts';

/** What to run. */
export interface RandomDiffOptions {
  readonly seed: number;
  readonly modes: readonly BedMode[];
  /** Whether the host sends IN and OUT through its instruction emulator. */
  readonly emulatesIo: boolean;
  /** A planted bug: functions of pio86's side. */
  readonly functions?: Partial<KvmFunctions>;
}

/** The first difference. */
export interface RandomDifference {
  readonly seed: number;
  readonly program: number;
  readonly mode: BedMode;
  readonly hasIrqchip: boolean;
  /** Disassembly of the program, an instruction a line. */
  readonly listing: readonly string[];
  /** For example `exit 3`, `end`, `final registers`. */
  readonly where: string;
  readonly fields: readonly FieldDifference[];
  readonly hostRegs: KvmRegs;
  readonly pio86Regs: KvmRegs;
  /** Call graphs of pio86's latest accesses. */
  readonly paths: readonly string[];
}

/** What a run was. */
export interface RandomDiffResult {
  readonly seed: number;
  /** Programs that ran on both and were compared. */
  readonly compared: number;
  readonly exitsCompared: number;
  /** Programs that the host could not run to their end, by instruction. */
  readonly skipped: ReadonlyMap<string, number>;
  /** Fields that depend on time, by name: left out. */
  readonly masked: ReadonlyMap<string, number>;
  readonly byMode: ReadonlyMap<BedMode, number>;
  readonly difference: RandomDifference | null;
}

const MAX_EXITS = 4_000;
const SLICE_TICKS = 200_000;

function bitnessOf(mode: BedMode): 16 | 32 {
  return mode.startsWith('prot32') ? 32 : 16;
}

function listing({ program }: RandomProgram): string[] {
  const bitness = bitnessOf(program.mode);
  return instructionsOf(program.code, bitness).map(({ at, length }) => {
    const bytes = program.code.subarray(at, at + length);
    const text = disassemble(program.code.subarray(at), bitness, CODE + at);
    return `${(CODE + at).toString(16)}  ${Buffer.from(bytes).toString('hex').padEnd(20)} ${text}`;
  });
}

function endText(end: BedEnd): string {
  return typeof end === 'string' ? end : `exit ${end.exit}, suberror ${end.suberror}`;
}

/** Machines with and without an in-kernel irqchip. */
interface Beds {
  readonly plain: TestBed;
  readonly irqchip: TestBed;
}

function bedsOf(engine: () => BedEngine): Beds {
  return { plain: new TestBed(engine(), false), irqchip: new TestBed(engine(), true) };
}

function runOn(bed: TestBed, what: RandomProgram): BedResult {
  bed.prepare(what.program);
  return bed.run(what.createHost(), MAX_EXITS);
}

interface Finding {
  readonly where: string;
  readonly fields: readonly FieldDifference[];
  readonly exits: readonly [ComparedExit | undefined, ComparedExit | undefined];
}

function countUp<K>(counts: Map<K, number>, key: K, by = 1): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}

/** Random programs, some at a time. */
export class RandomDiff {
  readonly #options: RandomDiffOptions;
  readonly #hostBeds: Beds;
  readonly #ownBeds: Beds;
  readonly #skipped = new Map<string, number>();
  readonly #masked = new Map<string, number>();
  readonly #byMode = new Map<BedMode, number>();
  #compared = 0;
  #exits = 0;
  #difference: RandomDifference | null = null;

  /** @param createHost a host engine; each has one machine at a time. */
  constructor(createHost: () => BedEngine, options: RandomDiffOptions) {
    this.#options = options;
    this.#hostBeds = bedsOf(createHost);
    this.#ownBeds = bedsOf(() => this.#ownEngine(false));
  }

  /**
   * Runs programs `first` … `first + programs − 1`, up to a difference.
   *
   * @param isDone asked before each program: true ends the run.
   */
  run(first: number, programs: number, isDone: () => boolean = () => false): void {
    const { seed, modes } = this.#options;
    for (let i = first; i < first + programs && this.#difference === null && !isDone(); i++) {
      this.#difference = this.#runOne(randomProgram(seed, i, modes));
    }
  }

  /** Everything so far. */
  get result(): RandomDiffResult {
    return {
      seed: this.#options.seed,
      compared: this.#compared,
      exitsCompared: this.#exits,
      skipped: this.#skipped,
      masked: this.#masked,
      byMode: this.#byMode,
      difference: this.#difference,
    };
  }

  #ownEngine(keepPaths: boolean): Pio86Engine {
    const { emulatesIo, functions } = this.#options;
    return new Pio86Engine({
      forceEmulation: emulatesIo,
      sliceTicks: SLICE_TICKS,
      keepPaths,
      ...(functions === undefined ? {} : { functions }),
    });
  }

  #runOne(what: RandomProgram): RandomDifference | null {
    const hostBed = what.hasIrqchip ? this.#hostBeds.irqchip : this.#hostBeds.plain;
    const ownBed = what.hasIrqchip ? this.#ownBeds.irqchip : this.#ownBeds.plain;
    const host = runOn(hostBed, what);
    if (typeof host.end === 'object' && host.end.exit === KVM_EXIT_INTERNAL_ERROR) {
      this.#skip(what, hostBed, host);
      return null;
    }
    const own = runOn(ownBed, what);
    const finding = this.#compare(hostBed, ownBed, host, own);
    this.#compared++;
    this.#exits += host.exits.length;
    countUp(this.#byMode, what.program.mode);
    return finding === null ? null : this.#explain(what, finding, host, own);
  }

  #skip({ program }: RandomProgram, bed: TestBed, { regs, sregs }: BedResult): void {
    const at = sregs.cs.base + regs.eip;
    const bytes = bed.ram.subarray(at, at + 15);
    countUp(this.#skipped, `${program.mode}: ${disassemble(bytes, bitnessOf(program.mode), regs.eip)}`);
  }

  #compare(hostBed: TestBed, ownBed: TestBed, host: BedResult, own: BedResult): Finding | null {
    const length = Math.max(host.exits.length, own.exits.length);
    for (let i = 0; i < length; i++) {
      const exits = [host.exits[i], own.exits[i]] as const;
      const [a, b] = exits;
      const where = `exit ${i + 1}`;
      if (a === undefined || b === undefined) {
        const text = (side: BedResult, exit: ComparedExit | undefined): string =>
          exit === undefined ? `none: ${endText(side.end)}` : 'one more exit';
        return { where, fields: [{ field: 'exits', host: text(host, a), pio86: text(own, b) }], exits };
      }
      const fields = compareExits(a, b);
      if (fields.length > 0) return { where, fields, exits };
    }
    const end =
      endText(host.end) === endText(own.end)
        ? []
        : [{ field: 'end', host: endText(host.end), pio86: endText(own.end) }];
    const fields = [
      ...end,
      ...compareRegs(host.regs, own.regs),
      ...compareSregs(host.sregs, own.sregs),
      ...compareMemory(hostBed.ram, ownBed.ram, 0),
      ...this.#compareDevices(hostBed, ownBed),
    ];
    return fields.length === 0 ? null : { where: 'final state', fields, exits: [undefined, undefined] };
  }

  #compareDevices(hostBed: TestBed, ownBed: TestBed): FieldDifference[] {
    if (!hostBed.hasIrqchip) return [];
    return compareDevices(readKernelDevices(hostBed.vm), readKernelDevices(ownBed.vm), {
      ignoresIrq0: false,
      masked: (field) => countUp(this.#masked, field),
    });
  }

  /** The program once more, with its paths. */
  #explain(
    what: RandomProgram,
    { where, fields, exits }: Finding,
    host: BedResult,
    own: BedResult,
  ): RandomDifference {
    const engine = this.#ownEngine(true);
    const bed = new TestBed(engine, what.hasIrqchip);
    bed.prepare(what.program);
    const lastExit = exits[1] === undefined ? MAX_EXITS : own.exits.indexOf(exits[1] as never) + 1;
    bed.run(what.createHost(), lastExit);
    return {
      seed: what.seed,
      program: what.index,
      mode: what.program.mode,
      hasIrqchip: what.hasIrqchip,
      listing: listing(what),
      where,
      fields,
      hostRegs: exits[0]?.regs ?? host.regs,
      pio86Regs: exits[1]?.regs ?? own.regs,
      paths: [...engine.paths],
    };
  }
}
