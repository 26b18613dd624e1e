/**
 * The test device of kvm-unit-tests (QEMU, hw/misc/pc-testdev.c): a doubleword that remembers, and wires to the
 * interrupt inputs. Its page of memory is in pc-testdev-iomem.ts.
 *
 * | port          | access                                                                        |
 * | ------------- | ----------------------------------------------------------------------------- |
 * | 0xe0 … 0xe3   | the doubleword; 1, 2 and 4 bytes, each at its place                           |
 * | 0xe4 … 0xe7   | “flush page”: nothing is cached behind the guest's back here; reads 0         |
 * | 0x2000 + n    | level of GSI n (0 … 23): not 0 = asserted; reads 0                            |
 *
 * QEMU shows the doubleword bytewise at 0xe8 … 0xeb too; pio86 does not, since 0xe9 is the debug console.
 */
import { IO_NOT_HANDLED, type IoDevice, type IoSize } from '../bus/io-device.ts';
import type { IrqLine } from '../bus/irq-line.ts';

/** First of the four ports of the doubleword. */
export const TESTDEV_IO_PORT = 0xe0;
/** First of the ports that flush a page. */
export const TESTDEV_FLUSH_PORT = 0xe4;
/** First of the interrupt ports. */
export const TESTDEV_IRQ_PORT = 0x2000;
/** Interrupt ports, a GSI each. */
export const TESTDEV_IRQ_LINES = 24;

/** What the device remembers. */
export interface PcTestdevState {
  /** The doubleword, int32. */
  ioportData: number;
}

/** Ones in the low `size` bytes. */
function mask(size: IoSize): number {
  return size === 4 ? -1 : (1 << (8 * size)) - 1;
}

/** The test device. */
export class PcTestdev implements IoDevice {
  readonly name = 'pc-testdev';
  readonly state: PcTestdevState = { ioportData: 0 };
  readonly #lines: readonly IrqLine[];

  /** @param lines the wires of GSI 0 … 23. */
  constructor(lines: readonly IrqLine[]) {
    this.#lines = lines;
  }

  read(addr: number, size: IoSize): number {
    const at = addr - TESTDEV_IO_PORT;
    if (at < 0 || at >= 4) return 0;
    if (at + size > 4) return IO_NOT_HANDLED;
    return ((this.state.ioportData >>> (8 * at)) & mask(size)) >>> 0;
  }

  write(addr: number, size: IoSize, value: number): boolean {
    const at = addr - TESTDEV_IO_PORT;
    if (at >= 0 && at < 4) {
      if (at + size > 4) return false;
      const place = mask(size) << (8 * at);
      this.state.ioportData = (this.state.ioportData & ~place) | ((value << (8 * at)) & place);
      return true;
    }
    this.#lines[addr - TESTDEV_IRQ_PORT]?.set(value === 0 ? 0 : 1);
    return true;
  }

  /** Power-on state; the wires stay. */
  reset(): void {
    this.state.ioportData = 0;
  }

  saveState(): PcTestdevState {
    return { ...this.state };
  }

  loadState(state: unknown): void {
    Object.assign(this.state, state as PcTestdevState);
  }
}
