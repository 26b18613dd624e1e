/**
 * The reference model's IN side: KVM's emulator reads elements ahead into a buffer whose bytes survive from one instruction to
 * the next.
 *
 * REP INS is read in batches of at most 1024 bytes, limited by a byte count to the end of the page that is compared with a number
 * of elements (KVM: `pio_in_emulated`).
 */
import { IO_NOT_HANDLED, IO_NOTHING_STORED } from '../bus/io-device.ts';
import { numberToBytes } from './reference-memory.ts';

/** What is behind the ports: the kernel's devices, and userspace for the rest. */
export interface ReferencePorts {
  /** One element from a device in the kernel: its value, IO_NOT_HANDLED or IO_NOTHING_STORED. */
  kernelRead(port: number, size: number): number;
  /** @returns whether a device in the kernel took it. */
  kernelWrite(port: number, size: number, value: number): boolean;
  /** KVM_EXIT_IO for reading: userspace fills the first size · count bytes of `data` (zeroed before). */
  userRead(port: number, size: number, count: number, data: Uint8Array): void;
  /** KVM_EXIT_IO for writing. */
  userWrite(port: number, size: number, count: number, data: Uint8Array): void;
}

/** Bytes of KVM's buffer. */
const READ_AHEAD = 1024;
const PAGE = 4096;

/** See the opening comment. */
export class ReferenceReadAhead {
  readonly bytes = new Uint8Array(READ_AHEAD);
  readonly #ports: ReferencePorts;
  /** Bytes that may differ from zero. */
  #used = 0;

  constructor(ports: ReferencePorts) {
    this.#ports = ports;
  }

  /** A new vCPU. */
  begin(): void {
    if (this.#used !== 0) this.bytes.fill(0, 0, this.#used);
    this.#used = 0;
  }

  /**
   * Elements of one batch. The bytes left in the page stand against a number of elements: KVM does so. It looks at EDI, whatever
   * the segment's base is.
   */
  batch(size: number, count: number, edi: number, isDown: boolean): number {
    const inPage = edi & (PAGE - 1);
    return Math.max(1, Math.min(isDown ? inPage : PAGE - inPage, READ_AHEAD / size, count));
  }

  /** Reads `count` elements. @returns whether userspace was asked. */
  fill(port: number, size: number, count: number): boolean {
    const length = count * size;
    if (length > this.#used) this.#used = length;
    for (let i = 0; i < count; i++) {
      const value = this.#ports.kernelRead(port, size);
      if (value === IO_NOTHING_STORED) continue;
      if (value !== IO_NOT_HANDLED) {
        numberToBytes(value, this.bytes, i * size, size);
        continue;
      }
      this.bytes.fill(0, i * size, length);
      // Nobody took the first element: the whole batch is userspace's. A later one: the device went away, zeros.
      if (i === 0) this.#ports.userRead(port, size, count, this.bytes);
      return i === 0;
    }
    return false;
  }
}
