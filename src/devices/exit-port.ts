/**
 * The exit port: a write ends the machine with a code (QEMU, hw/misc/debugexit.c: `isa-debug-exit`, here with
 * `iobase=0xf4,iosize=4`, as kvm-unit-tests use it).
 *
 * Honours writes of 1, 2 and 4 bytes at each of its four ports; the whole value is the code. Reads of any
 * size give 0, as in QEMU. Keeps no state.
 */
import type { IoDevice, IoSize } from '../bus/io-device.ts';

/** First of the four ports. */
export const EXIT_PORT = 0xf4;
/** Ports that the device claims. */
export const EXIT_PORT_LEN = 4;

/** The exit port. */
export class ExitPort implements IoDevice {
  readonly name = 'exit-port';
  readonly #onExit: (code: number) => void;

  /** @param onExit told each code; what a code means to the host (QEMU exits with `code << 1 | 1`) is its business. */
  constructor(onExit: (code: number) => void) {
    this.#onExit = onExit;
  }

  read(_addr: number, _size: IoSize): number {
    return 0;
  }

  write(_addr: number, _size: IoSize, value: number): boolean {
    this.#onExit(value);
    return true;
  }
}
