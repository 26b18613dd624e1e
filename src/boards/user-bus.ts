/**
 * The board's own bus: asked when the kernel's bus refuses an access, as QEMU's I/O address space is asked after
 * KVM_EXIT_IO.
 *
 * An access goes whole to the device whose range contains all of it, if that device honours the width. Otherwise it is
 * split into bytes on consecutive ports, low byte first, as an ISA bus does for 8-bit devices (and QEMU for regions that
 * accept single bytes). Bytes that nobody takes read as ones. Ports above 0xffff do not exist and are nobody's.
 *
 * Lookup is one load: a table holds the device of each port.
 */
import type { IoDevice, IoSize } from '../bus/io-device.ts';
import { EmulatorError } from '../errors.ts';
import type { Unclaimed } from './unclaimed.ts';

const PORTS = 0x1_0000;
const NOBODY = 0;

/** Ports with a device behind them. */
export interface PortAssignment {
  readonly base: number;
  readonly len: number;
  readonly device: IoDevice;
}

/** The board's bus (`UserspaceBus` of a vCPU). */
export class UserBus {
  /** 1 + index of the range that holds a port, or {@link NOBODY}. */
  readonly #rangeOf = new Uint8Array(PORTS);
  readonly #devices: IoDevice[] = [];
  readonly #unclaimed: Unclaimed;
  readonly #nobody: IoDevice;

  /** @throws EmulatorError `E_BUS_RANGE` for ranges that overlap or leave the ports, `E_BUS_FULL` above 255 ranges. */
  constructor(assignments: readonly PortAssignment[], unclaimed: Unclaimed) {
    this.#unclaimed = unclaimed;
    this.#nobody = {
      name: 'nobody',
      read: (port, size) => unclaimed.read('port', port, size),
      write: (port, size, value) => {
        unclaimed.write('port', port, size, value);
        return true;
      },
      readMany: (_port, size, data, at, count) => {
        if (!unclaimed.isSilent) return false;
        data.fill(0xff, at, at + count * size);
        return true;
      },
      writeMany: () => unclaimed.isSilent,
    };
    for (const assignment of assignments) this.#assign(assignment);
  }

  /** The device that answers at `port`, or null. */
  deviceAt(port: number): IoDevice | null {
    const range = this.#rangeOf[port];
    return range === NOBODY ? null : this.#devices[range - 1];
  }

  /** The device that has all of an access to itself, or the stand-in for nobody; null when it must be split. */
  deviceFor(port: number, size: IoSize): IoDevice | null {
    const range = this.#rangeOf[port];
    if (range !== NOBODY) return this.#rangeOf[port + size - 1] === range ? this.#devices[range - 1] : null;
    return this.#isAnybody(port, size) ? null : this.#nobody;
  }

  /** @returns the value read, unsigned. */
  read(port: number, size: IoSize): number {
    const range = this.#rangeOf[port];
    if (range !== NOBODY && this.#rangeOf[port + size - 1] === range) {
      const value = this.#devices[range - 1].read(port, size);
      if (value >= 0) return value;
    }
    return this.readDeclined(port, size);
  }

  /** The rest of {@link read} once the one device of the whole access has declined, or there is none. */
  readDeclined(port: number, size: IoSize): number {
    if (!this.#isAnybody(port, size)) return this.#unclaimed.read('port', port, size);
    let value = 0;
    for (let i = 0; i < size; i++) value += this.#readByte(port + i) * 2 ** (8 * i);
    return value;
  }

  write(port: number, size: IoSize, value: number): void {
    const range = this.#rangeOf[port];
    if (range !== NOBODY && this.#rangeOf[port + size - 1] === range) {
      if (this.#devices[range - 1].write(port, size, value)) return;
    }
    this.writeDeclined(port, size, value);
  }

  /** The rest of {@link write} once the one device of the whole access has declined, or there is none. */
  writeDeclined(port: number, size: IoSize, value: number): void {
    if (!this.#isAnybody(port, size)) {
      this.#unclaimed.write('port', port, size, value);
      return;
    }
    for (let i = 0; i < size; i++) this.#writeByte(port + i, (value >>> (8 * i)) & 0xff);
  }

  #assign({ base, len, device }: PortAssignment): void {
    const where = `${device.name}: ports 0x${base.toString(16)}+0x${len.toString(16)}`;
    if (base < 0 || len < 1 || base + len > PORTS) {
      throw new EmulatorError('E_BUS_RANGE', `${where} leave 0x0000–0xffff`);
    }
    const taken = this.#rangeOf.subarray(base, base + len).find((range) => range !== NOBODY);
    if (taken !== undefined) {
      throw new EmulatorError('E_BUS_RANGE', `${where} overlap those of ${this.#devices[taken - 1].name}`);
    }
    if (this.#devices.length === 0xff)
      throw new EmulatorError('E_BUS_FULL', `${where}: 255 ranges are the limit`);
    this.#devices.push(device);
    this.#rangeOf.fill(this.#devices.length, base, base + len);
  }

  /** Whether one byte of the access has a device. */
  #isAnybody(port: number, size: IoSize): boolean {
    for (let i = 0; i < size; i++) {
      // Beyond the last port the table answers undefined.
      if ((this.#rangeOf[port + i] ?? NOBODY) !== NOBODY) return true;
    }
    return false;
  }

  #readByte(port: number): number {
    const range = this.#rangeOf[port] ?? NOBODY;
    const value = range === NOBODY ? -1 : this.#devices[range - 1].read(port, 1);
    return value >= 0 ? value : this.#unclaimed.read('port', port, 1);
  }

  #writeByte(port: number, value: number): void {
    const range = this.#rangeOf[port] ?? NOBODY;
    if (range !== NOBODY && this.#devices[range - 1].write(port, 1, value)) return;
    this.#unclaimed.write('port', port, 1, value);
  }
}
