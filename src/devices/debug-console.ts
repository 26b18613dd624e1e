/**
 * A debug console: a byte written to the port appears on the host's console (Bochs, “port e9 hack”; QEMU,
 * hw/char/debugcon.c; SeaBIOS writes its log to one at 0x402).
 *
 * Honours one-byte accesses; declines the others without effect. Reads give 0xe9, by which a guest
 * recognises the console. Keeps no state.
 */
import { IO_NOT_HANDLED, type IoDevice, type IoSize } from '../bus/io-device.ts';
import type { ByteSink } from '../bus/irq-line.ts';

/** Where Bochs has its console. */
export const BOCHS_DEBUG_PORT = 0xe9;
/** Where SeaBIOS looks for one. */
export const SEABIOS_DEBUG_PORT = 0x402;

/** What a read of the port gives. */
export const DEBUG_CONSOLE_READBACK = 0xe9;

/** One debug console port. */
export class DebugConsole implements IoDevice {
  readonly name = 'debug-console';
  readonly #sink: ByteSink;

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  read(_addr: number, size: IoSize): number {
    return size === 1 ? DEBUG_CONSOLE_READBACK : IO_NOT_HANDLED;
  }

  write(_addr: number, size: IoSize, value: number): boolean {
    if (size !== 1) return false;
    this.#sink.write(value);
    return true;
  }
}
