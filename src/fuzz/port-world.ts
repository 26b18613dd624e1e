/**
 * What is behind the ports in a fuzz case, with a log: devices in the kernel and a userspace for the rest. The
 * emulator and the reference model each get a world of their own made from the same case; they must leave the same
 * log.
 */
import { IO_NOT_HANDLED, IO_NOTHING_STORED, type IoDevice, type IoSize } from '../bus/io-device.ts';
import type { UserspaceBus } from '../emulate/kvm-vcpu.ts';
import { Prng } from './prng.ts';
import type { ReferencePorts } from './reference-model.ts';
import type { CaseDevice, StringIoCase } from './string-io-case.ts';

/** A `flaky` device declines every so many accesses. */
const FLAKY_PERIOD = 3;

/** First number of a log entry: where the access went. */
const KERNEL_READ = 0;
const KERNEL_WRITE = 1;
const USER_READ = 2;
const USER_WRITE = 3;
const WORDS = ['kernel in', 'kernel out', 'exit in', 'exit out'] as const;

/** One port's device, or one userspace, and what it has seen. */
export class PortWorld implements ReferencePorts, UserspaceBus {
  /** What happened: kind, port, size, count, then count·size bytes, or for the kernel one value. */
  readonly log: number[] = [];
  readonly #devices: readonly CaseDevice[];
  readonly #isPerElement: boolean;
  readonly #kernelAnswers: Prng;
  readonly #userAnswers: Prng;
  #accesses = 0;

  constructor(test: StringIoCase) {
    this.#devices = test.devices;
    this.#isPerElement = test.userspace === 'bus';
    this.#kernelAnswers = new Prng(test.portSeed, 1);
    this.#userAnswers = new Prng(test.portSeed, 2);
  }

  kernelRead(port: number, size: number): number {
    const device = this.#find(port, size);
    return device === undefined ? IO_NOT_HANDLED : this.#deviceRead(device, port, size);
  }

  kernelWrite(port: number, size: number, value: number): boolean {
    const device = this.#find(port, size);
    return device !== undefined && this.#deviceWrite(device, port, size, value);
  }

  userRead(port: number, size: number, count: number, data: Uint8Array): void {
    if (this.#isPerElement && count > 1) {
      for (let i = 0; i < count; i++) this.userRead(port, size, 1, data.subarray(i * size, (i + 1) * size));
      return;
    }
    this.log.push(USER_READ, port, size, count);
    for (let i = 0; i < size * count; i++) {
      data[i] = this.#userAnswers.next() >>> 24;
      this.log.push(data[i]);
    }
  }

  userWrite(port: number, size: number, count: number, data: Uint8Array): void {
    this.log.push(USER_WRITE, port, size, count, ...data.subarray(0, size * count));
  }

  /** `UserspaceBus.read`: one element. */
  read(port: number, size: IoSize): number {
    const data = new DataView(new ArrayBuffer(4));
    this.userRead(port, size, 1, new Uint8Array(data.buffer, 0, size));
    return data.getUint32(0, true);
  }

  /** `UserspaceBus.write`: one element. */
  write(port: number, size: IoSize, value: number): void {
    const data = new DataView(new ArrayBuffer(4));
    data.setUint32(0, value, true);
    this.userWrite(port, size, 1, new Uint8Array(data.buffer, 0, size));
  }

  /** The devices of the case, ready for a bus. */
  ioDevices(): { readonly base: number; readonly len: number; readonly device: IoDevice }[] {
    return this.#devices.map((device) => ({
      base: device.base,
      len: device.len,
      device: {
        name: device.behaviour,
        read: (port, size) => this.#deviceRead(device, port, size),
        write: (port, size, value) => this.#deviceWrite(device, port, size, value),
      },
    }));
  }

  /** The device that contains the whole access. */
  #find(port: number, size: number): CaseDevice | undefined {
    return this.#devices.find((device) => port >= device.base && port + size <= device.base + device.len);
  }

  #deviceRead(device: CaseDevice, port: number, size: number): number {
    if (this.#declines(device)) return IO_NOT_HANDLED;
    const value = this.#kernelAnswers.next() % 2 ** (8 * size);
    this.log.push(KERNEL_READ, port, size, 1, value);
    return device.behaviour === 'silent' ? IO_NOTHING_STORED : value;
  }

  #deviceWrite(device: CaseDevice, port: number, size: number, value: number): boolean {
    if (this.#declines(device)) return false;
    this.log.push(KERNEL_WRITE, port, size, 1, value);
    return true;
  }

  #declines({ behaviour }: CaseDevice): boolean {
    this.#accesses++;
    return behaviour === 'decline' || (behaviour === 'flaky' && this.#accesses % FLAKY_PERIOD === 0);
  }
}

/** The log as lines, one an access: `exit in port 0x3f8 size 1 count 3 data 01 02 03`. */
export function logLines(log: readonly number[]): string[] {
  const lines: string[] = [];
  for (let i = 0; i < log.length; ) {
    const [kind, port, size, count] = log.slice(i, i + 4);
    const length = kind < USER_READ ? 1 : size * count;
    const data = log.slice(i + 4, i + 4 + length).map((value) => value.toString(16).padStart(2, '0'));
    lines.push(
      `${WORDS[kind]} port 0x${port.toString(16)} size ${size} count ${count} data ${data.join(' ')}`,
    );
    i += 4 + length;
  }
  return lines;
}

/** How many accesses of a log went to the kernel's devices and how many to userspace. */
export function countAccesses(log: readonly number[]): { kernel: number; userspace: number } {
  let kernel = 0;
  let userspace = 0;
  for (let i = 0; i < log.length; ) {
    const isKernel = log[i] < USER_READ;
    if (isKernel) kernel++;
    else userspace++;
    i += 4 + (isKernel ? 1 : log[i + 2] * log[i + 3]);
  }
  return { kernel, userspace };
}
