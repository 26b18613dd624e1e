/**
 * The memory of the test device of kvm-unit-tests (QEMU, hw/misc/pc-testdev.c, “pc-testdev-iomem”): 64 KiB that every
 * access leaves the guest for. Honours 1, 2 and 4 bytes at any address; an access that runs past the end is declined.
 */
import { IO_NOT_HANDLED, type IoDevice, type IoSize } from '../bus/io-device.ts';

/** Guest-physical address. */
export const TESTDEV_IOMEM_BASE = 0xff00_0000;
/** Bytes. */
export const TESTDEV_IOMEM_LEN = 0x1_0000;

/** The memory. */
export class PcTestdevIomem implements IoDevice {
  readonly name = 'pc-testdev-iomem';
  readonly #bytes = new Uint8Array(TESTDEV_IOMEM_LEN);

  read(addr: number, size: IoSize): number {
    const at = addr - TESTDEV_IOMEM_BASE;
    if (at + size > TESTDEV_IOMEM_LEN) return IO_NOT_HANDLED;
    let value = 0;
    for (let i = 0; i < size; i++) value += this.#bytes[at + i] * 2 ** (8 * i);
    return value;
  }

  write(addr: number, size: IoSize, value: number): boolean {
    const at = addr - TESTDEV_IOMEM_BASE;
    if (at + size > TESTDEV_IOMEM_LEN) return false;
    for (let i = 0; i < size; i++) this.#bytes[at + i] = value >>> (8 * i);
    return true;
  }

  /** Power-on state. */
  reset(): void {
    this.#bytes.fill(0);
  }

  saveState(): Uint8Array {
    return this.#bytes.slice();
  }

  loadState(state: unknown): void {
    this.#bytes.set(state as Uint8Array);
  }
}
