/**
 * `--jit verify`: one guest on two boards, of which one interprets and the other generates code for all that it meets twice. They
 * run in slices of equal ticks, and after each everything is compared; at the first difference the run ends with a report
 * (narrow.ts).
 *
 * The interpreting board is the one to look at: its output is the guest's, and tracepoints and probes hang on it. The other is
 * silent.
 */
import type { Board, BoardEnd, BoardOptions, BoardSnapshot, PortRange } from '../boards/board.ts';
import { boardDifferences, type Difference } from '../boards/differences.ts';
import type { IoDevice } from '../bus/io-device.ts';
import { EmulatorError } from '../errors.ts';
import type { JitOptions } from '../jit/engine.ts';
import { Kvm } from '../kvm/kvm.ts';
import type { Vcpu } from '../kvm/vcpu.ts';
import type { Vm } from '../kvm/vm.ts';
import { narrow } from './narrow.ts';
import { reportText } from './report.ts';

/** Builds a board from options. */
export type MakeBoard = (options: BoardOptions) => Board;

/** How finely the boards are compared. */
export interface LockStepOptions {
  /** Ticks between two comparisons. Default 50,000. */
  readonly sliceTicks?: number;
  /** Ticks between two places to go back to. Default 2,000,000. */
  readonly snapshotTicks?: number;
  /** When the second board generates code. Default: at the second visit. */
  readonly jit?: JitOptions;
}

const SLICE_TICKS = 50_000;
const SNAPSHOT_TICKS = 2_000_000;
const EAGER: JitOptions = { threshold: 2 };

/** Two boards as one. Other than a plain board it can throw: EmulatorError `E_DIFFERENCE` with the report. */
export class LockStepBoard implements Board {
  readonly #first: Board;
  readonly #second: Board;
  readonly #make: MakeBoard;
  readonly #options: BoardOptions;
  readonly #sliceTicks: number;
  readonly #snapshotTicks: number;
  /** What both were when they were last made the same; null: they are not the same yet. */
  #base: { readonly first: BoardSnapshot; readonly second: BoardSnapshot } | null = null;
  /** The run is repeated for the report: what the guest says has been said. */
  #isSilent = false;

  constructor(make: MakeBoard, options: BoardOptions, lockStep: LockStepOptions = {}) {
    const { serial, debug, onWarning, kvm: _, ...shape } = options;
    const spoken = <T>(write: (value: T) => void) => {
      return (value: T): void => {
        if (!this.#isSilent) write(value);
      };
    };
    this.#make = make;
    this.#options = shape;
    this.#sliceTicks = lockStep.sliceTicks ?? SLICE_TICKS;
    this.#snapshotTicks = lockStep.snapshotTicks ?? SNAPSHOT_TICKS;
    this.#first = make({
      ...options,
      jit: false,
      serial: { write: spoken<number>((byte) => serial?.write(byte)) },
      debug: { write: spoken<number>((byte) => debug?.write(byte)) },
      onWarning: spoken<string>((line) => onWarning?.(line)),
    });
    this.#second = make({ ...shape, jit: lockStep.jit ?? EAGER, kvm: new Kvm() });
  }

  get name(): string {
    return this.#first.name;
  }

  get vm(): Vm {
    return this.#first.vm;
  }

  get vcpu(): Vcpu {
    return this.#first.vcpu;
  }

  get portMap(): readonly PortRange[] {
    return this.#first.portMap;
  }

  get devices(): ReadonlyMap<string, IoDevice> {
    return this.#first.devices;
  }

  deviceAt(port: number): string | null {
    return this.#first.deviceAt(port);
  }

  addRom(bytes: Uint8Array, gpa: number): void {
    this.#first.addRom(bytes, gpa);
    this.#second.addRom(bytes, gpa);
    this.#base = null;
  }

  run(maxTicks: number): BoardEnd {
    const { clock } = this.#first.vm;
    const until = clock.ticks + maxTicks;
    for (;;) {
      const base = this.#base ?? this.#takeBase();
      const before = clock.ticks;
      const ticks = Math.min(this.#sliceTicks, until - before);
      const end = this.#first.run(ticks);
      const other = this.#second.run(ticks);
      const differences = this.#differences(end, other);
      if (differences.length !== 0) this.#stop(differences, clock.ticks - base.first.vm.clock.ticks);
      if (clock.ticks - base.first.vm.clock.ticks >= this.#snapshotTicks) this.#base = null;
      if (end.kind !== 'slice' || clock.ticks >= until || clock.ticks < before + ticks) return end;
    }
  }

  receiveSerial(byte: number): boolean {
    // A byte that has to wait changes nothing: a new base would cost a look at all of memory.
    if (!this.#first.receiveSerial(byte)) return false;
    this.#base = null;
    return this.#second.receiveSerial(byte);
  }

  receiveScancode(byte: number): boolean {
    if (!this.#first.receiveScancode(byte)) return false;
    this.#base = null;
    return this.#second.receiveScancode(byte);
  }

  reset(): void {
    this.#base = null;
    this.#first.reset();
    this.#second.reset();
  }

  saveDevices(): Record<string, unknown> {
    return this.#first.saveDevices();
  }

  loadDevices(states: Readonly<Record<string, unknown>>): void {
    this.#base = null;
    this.#first.loadDevices(states);
  }

  snapshot(): BoardSnapshot {
    this.#base = null;
    return this.#first.snapshot();
  }

  restore(snapshot: BoardSnapshot): void {
    this.#base = null;
    this.#first.restore(snapshot);
  }

  /**
   * Makes the second board what the first is. Nothing of the second is lost by that: the two are equal, or the host has changed
   * the first.
   */
  #takeBase(): { first: BoardSnapshot; second: BoardSnapshot } {
    const first = this.#first.snapshot();
    this.#second.restore(first);
    this.#base = { first, second: this.#second.snapshot() };
    return { first, second: this.#base.second };
  }

  #differences(first: BoardEnd, second: BoardEnd): Difference[] {
    const base = this.#base;
    const pages = new Set([...(base?.first.vm.memory.pages ?? []), ...(base?.second.vm.memory.pages ?? [])]);
    const found = boardDifferences(this.#first, this.#second, pages);
    const ends = [JSON.stringify(first), JSON.stringify(second)];
    if (ends[0] !== ends[1]) found.unshift({ what: 'end of the run', first: ends[0], second: ends[1] });
    return found;
  }

  /** @throws EmulatorError always. */
  #stop(differences: readonly Difference[], ticks: number): never {
    const base = this.#base ?? this.#takeBase();
    const firstTick = base.first.vm.clock.ticks;
    this.#isSilent = true;
    this.#first.vcpu.trace = null;
    const pair = {
      first: this.#first,
      second: this.#second,
      restore: (): void => {
        this.#first.restore(base.first);
        this.#second.restore(base.second);
      },
      differences: (): Difference[] => this.#differences({ kind: 'slice' }, { kind: 'slice' }),
    };
    const single = (): Board => {
      const board = this.#make({ ...this.#options, jit: { threshold: 1, maxInsns: 1 }, kvm: new Kvm() });
      // Once over everything, so that there are functions.
      board.restore(base.first);
      board.run(ticks);
      board.restore(base.first);
      return board;
    };
    const narrowed = narrow(pair, ticks, single);
    throw new EmulatorError(
      'E_DIFFERENCE',
      reportText(narrowed ?? { differences, path: [], ticks, isOne: false }, firstTick),
    );
  }
}
