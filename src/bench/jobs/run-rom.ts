/** Runs a benchmark ROM on the board `kvm`, its port accesses on the way that is asked for. */
import { readFileSync } from 'node:fs';
import type { Board } from '../../boards/board.ts';
import { createKvmBoard } from '../../boards/kvm.ts';
import { kvmIoBusRegisterDev } from '../../bus/io-bus.ts';
import { Eventfd } from '../../kvm/eventfd.ts';
import { KVM_EXIT_IO, KVM_IOEVENTFD_FLAG_PIO, KVM_PIO_BUS } from '../../uapi/kvm.ts';
import { drainCoalescedRing } from '../../uapi/kvm-coalesced-ring.ts';
import { type JobOf, type JobResult, timed } from './job.ts';
import { SilentDevice } from './silent-device.ts';

/**
 * How accesses travel: to the board as a VMM (`board`), through the instruction emulator (`force-emulation`), out of
 * KVM_RUN to a program (`userspace-exit`), to an ioeventfd, or into the coalesced ring that the program empties.
 */
export type RomPath = 'board' | 'force-emulation' | 'userspace-exit' | 'ioeventfd' | 'coalesced';

const EXIT_PORT = 0xf4;
/** The port of `out_none`. */
const NOBODYS_PORT = 0x80;
const ROM_LOW = 0xf0000;
const ROM_HIGH = 0xffff0000;
/** Ticks of one `Board.run`, as `pio86 run` slices. */
const SLICE = 2_000_000;
/** Where the devices stand that only fill the bus. */
const FILLER_BASE = 0x8000;
const FILLER_STRIDE = 16;

/** @throws Error when the guest ends otherwise than by the exit port. */
function runBoard(board: Board): void {
  for (;;) {
    const end = board.run(SLICE);
    if (end.kind === 'exit') return;
    if (end.kind !== 'slice') throw new Error(`the ROM ended with ${end.kind}`);
  }
}

/** The embedder's loop: every KVM_EXIT_IO comes out. */
function drive({ vcpu }: Board): void {
  const { coalesced: ring } = vcpu.run;
  vcpu.userspace = null;
  for (;;) {
    vcpu.kvmRun();
    if (ring !== null) drainCoalescedRing(ring, () => {});
    if (vcpu.run.exit_reason === KVM_EXIT_IO && vcpu.run.io.port === EXIT_PORT) return;
  }
}

/** Registers devices until the port bus has `count`, those of the kernel included. */
function fillBus({ vm }: Board, count: number): void {
  const bus = vm.buses[KVM_PIO_BUS];
  for (let i = 0; bus.dev_count < count; i++) {
    const errno = kvmIoBusRegisterDev(
      bus,
      FILLER_BASE + i * FILLER_STRIDE,
      FILLER_STRIDE,
      new SilentDevice(),
    );
    if (errno !== 0) throw new Error(`the bus takes no more than ${bus.dev_count} devices`);
  }
}

/** Runs a ROM from reset to its write to the exit port. */
export function runRom({ file, path, devices, engine }: JobOf<'rom'>): JobResult {
  const rom = readFileSync(file);
  const board = createKvmBoard({ forceEmulation: path === 'force-emulation', jit: engine === 'generated' });
  board.addRom(rom, ROM_LOW);
  board.addRom(rom, ROM_HIGH);
  board.reset();
  fillBus(board, devices);
  if (path === 'ioeventfd') {
    board.vm.ioeventfd({
      datamatch: 0,
      addr: NOBODYS_PORT,
      len: 1,
      fd: new Eventfd(),
      flags: KVM_IOEVENTFD_FLAG_PIO,
    });
  }
  if (path === 'coalesced') board.vm.registerCoalescedMmio({ addr: NOBODYS_PORT, size: 1, pio: 1 });
  const isDriven = path === 'userspace-exit' || path === 'coalesced';
  return timed(() => {
    if (isDriven) drive(board);
    else runBoard(board);
    return board.vcpu.instructions;
  });
}
