/**
 * System Control Port A at 0x92: fast A20 and fast CPU reset (IBM PS/2 hardware interface technical reference,
 * “System Control Port A”; QEMU, hw/i386/port92.c).
 *
 * | bit | meaning                                                         |
 * | --- | --------------------------------------------------------------- |
 * | 0   | fast reset: a change from 0 to 1 resets the CPU                  |
 * | 1   | fast A20: 1 opens the gate (ORed with the keyboard controller's) |
 * | 7:2 | security lock, watchdog, disk lights: read as written, no effect |
 *
 * Honours one-byte accesses; declines the others without effect.
 */
import { IO_NOT_HANDLED, type IoDevice, type IoSize } from '../bus/io-device.ts';

/** Port number of System Control Port A. */
export const PORT92 = 0x92;
/** Fast reset. */
export const PORT92_RESET = 1 << 0;
/** Fast A20. */
export const PORT92_A20 = 1 << 1;

/** What port 92 drives. */
export interface Port92Wiring {
  /** The A20 bit changed. */
  setA20(wantsOpen: boolean): void;
  /** The guest pulsed the reset line. */
  onReset(): void;
}

/** The register as it reads back. */
export interface Port92State {
  value: number;
}

/** System Control Port A. */
export class Port92 implements IoDevice {
  readonly name = 'port92';
  readonly state: Port92State = { value: 0 };
  readonly #wiring: Port92Wiring;

  constructor(wiring: Port92Wiring) {
    this.#wiring = wiring;
  }

  read(_addr: number, size: IoSize): number {
    return size === 1 ? this.state.value : IO_NOT_HANDLED;
  }

  write(_addr: number, size: IoSize, value: number): boolean {
    if (size !== 1) return false;
    const before = this.state.value;
    this.state.value = value;
    this.#wiring.setA20((value & PORT92_A20) !== 0);
    if ((value & ~before & PORT92_RESET) !== 0) this.#wiring.onReset();
    return true;
  }

  /** Power-on state: no request for A20, reset bit clear. */
  reset(): void {
    this.state.value = 0;
    this.#wiring.setA20(false);
  }

  saveState(): Port92State {
    return { ...this.state };
  }

  loadState(state: unknown): void {
    this.state.value = (state as Port92State).value;
    this.#wiring.setA20((this.state.value & PORT92_A20) !== 0);
  }
}
