/**
 * The machine that runs the benchmark ROMs: one for the whole suite, reset before each run, as a program that uses pio86
 * would have it (V8 compiles the interpreter for one machine best).
 */
import type { Board } from '../boards/board.ts';
import { createKvmBoard } from '../boards/kvm.ts';
import { KVM_EXIT_IO } from '../uapi/kvm.ts';
import type { Path, Rom } from './workloads.ts';

const EXIT_PORT = 0xf4;
const ROM_LOW = 0xf0000;
const ROM_HIGH = 0xffff0000;
/** Ticks of one `Board.run`, as `pio86 run` slices. */
const SLICE = 2_000_000;

const MICROSECONDS = 1e6;

/** Runs ROMs of 64 KiB. */
export class BenchMachine {
  readonly #board: Board;

  constructor(first: Rom) {
    this.#board = createKvmBoard({});
    this.#board.addRom(first.bytes, ROM_LOW);
    this.#board.addRom(first.bytes, ROM_HIGH);
  }

  /**
   * Runs `rom` from reset to its write to the exit port.
   *
   * @returns CPU seconds of this process: on a machine that does other things too they mean more than the wall clock's.
   */
  run(rom: Rom, path: Path): number {
    const { vm, vcpu } = this.#board;
    this.#board.reset();
    vm.memory.write(ROM_LOW, rom.bytes);
    vm.memory.write(ROM_HIGH, rom.bytes);
    vcpu.forceEmulation = path === 'force-emulation' ? 1 : 0;
    const start = process.cpuUsage();
    if (path === 'userspace-exit') this.#drive();
    else this.#runBoard();
    const used = process.cpuUsage(start);
    return (used.user + used.system) / MICROSECONDS;
  }

  #runBoard(): void {
    for (;;) {
      const end = this.#board.run(SLICE);
      if (end.kind === 'exit') return;
      if (end.kind !== 'slice') throw new Error(`bench: the ROM ended with ${end.kind}`);
    }
  }

  /** The embedder's loop: every KVM_EXIT_IO comes out. */
  #drive(): void {
    const { vcpu } = this.#board;
    const board = vcpu.userspace;
    vcpu.userspace = null;
    try {
      for (;;) {
        vcpu.kvmRun();
        if (vcpu.run.exit_reason === KVM_EXIT_IO && vcpu.run.io.port === EXIT_PORT) return;
      }
    } finally {
      vcpu.userspace = board;
    }
  }
}
