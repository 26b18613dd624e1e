/**
 * pio86's board `pc` as the qtest oracle drives it: from outside, by ports and interrupt lines, while time stands still.
 */

import type { Board, BoardSnapshot } from '../../boards/board.ts';
import { createPcBoard } from '../../boards/pc.ts';
import { IO_NOT_HANDLED, IO_NOTHING_STORED, type IoSize } from '../../bus/io-device.ts';
import type { Pic8259 } from '../../devices/i8259.ts';
import { EmulatorError } from '../../errors.ts';
import { orThrow } from '../../kvm/or-throw.ts';
import { KVM_PIO_BUS, KVM_PIT_FLAGS_HPET_LEGACY } from '../../uapi/kvm.ts';
import { OwnClock } from './own-clock.ts';

const RAM_BYTES = 1 << 20;

/** A write of a byte. */
export type PortWrite = readonly [port: number, value: number];

/** See the opening comment. */
export class OwnPc {
  readonly pic: Pic8259;
  readonly clock: OwnClock;
  readonly #board: Board;
  readonly #start: BoardSnapshot;

  /** @param writes what makes all chips known, as {@link reset} leaves them. */
  constructor(writes: readonly PortWrite[]) {
    this.#board = createPcBoard({ memoryBytes: RAM_BYTES, jit: false });
    const { vm } = this.#board;
    if (vm.pic === null) throw new EmulatorError('E_STATE', 'the board has no 8259A');
    this.pic = vm.pic;
    this.clock = new OwnClock(this.#board.devices.get('mc146818'));
    // As the HPET takes the place of channel 0 in QEMU: its timer leads nowhere.
    const pit = orThrow(vm.getPit2(), 'KVM_GET_PIT2');
    orThrow(vm.setPit2({ ...pit, flags: pit.flags | KVM_PIT_FLAGS_HPET_LEGACY }), 'KVM_SET_PIT2');
    for (const [port, value] of writes) this.write(port, 1, value);
    this.#start = this.#board.snapshot();
  }

  reset(): void {
    this.#board.restore(this.#start);
  }

  /** @returns the value; null: KVM stores nothing for it. */
  read(port: number, size: IoSize): number | null {
    const { vm, vcpu } = this.#board;
    const bus = vm.buses[KVM_PIO_BUS];
    const value = bus.fn.kvmIoBusRead(bus, port, size);
    if (value === IO_NOTHING_STORED) return null;
    return value === IO_NOT_HANDLED ? (vcpu.userspace?.read(port, size) ?? null) : value;
  }

  write(port: number, size: IoSize, value: number): void {
    const { vm, vcpu } = this.#board;
    const bus = vm.buses[KVM_PIO_BUS];
    if (!bus.fn.kvmIoBusWrite(bus, port, size, value)) vcpu.userspace?.write(port, size, value);
  }

  /** Userspace drives a GSI. */
  irqLine(gsi: number, level: 0 | 1): void {
    this.#board.vm.irqLine(gsi, level);
  }

  /** What a chip would answer to an INTA: a pin, −1 for none. */
  pending(chip: 0 | 1): number {
    return this.pic.fn.picGetIrq(this.pic, this.pic.state.pics[chip]);
  }
}
