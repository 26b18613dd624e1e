/**
 * What is behind the ports in a fuzz case, with a log: devices in the kernel and a userspace for the rest. The
 * emulator and the reference model each have a world of their own that is given the same case; they must leave the
 * same log.
 */
import { IO_NOT_HANDLED, IO_NOTHING_STORED, type IoDevice, type IoSize } from '../bus/io-device.ts';
import type { UserspaceBus } from '../emulate/kvm-vcpu.ts';
import { AccessLog, KERNEL_READ, KERNEL_WRITE, USER_READ, USER_WRITE } from './access-log.ts';
import { Prng } from './prng.ts';
import type { ReferencePorts } from './reference-read-ahead.ts';
import type { CaseDevice, StringIoCase } from './string-io-case.ts';

/** A `flaky` device declines every so many accesses. */
const FLAKY_PERIOD = 3;
/** Devices that decline nothing. */
const TAKES_ALL: readonly string[] = ['answer', 'silent'];
/** Streams of a case's seed. */
const KERNEL_ANSWERS = 1;
const USER_ANSWERS = 2;
const NO_DEVICES: readonly CaseDevice[] = [];

/** A device of a case, wired. */
export interface WiredDevice {
  readonly base: number;
  readonly len: number;
  readonly device: IoDevice;
}

/** On the bus: one class, so that the bus calls one function and not one a device. */
class WorldDevice implements IoDevice {
  readonly name: string;
  readonly ops?: string;
  readonly #device: CaseDevice;
  readonly #world: PortWorld;

  constructor(device: CaseDevice, world: PortWorld, isKernels: boolean) {
    this.name = device.behaviour;
    // A device of the kernel may be asked without an exit, and once more by the exit when it has declined: `flaky` would tell.
    if (isKernels && TAKES_ALL.includes(device.behaviour)) this.ops = 'fuzz_dev_ops';
    this.#device = device;
    this.#world = world;
  }

  read(port: number, size: IoSize): number {
    return this.#world.deviceRead(this.#device, port, size);
  }

  write(port: number, size: IoSize, value: number): boolean {
    return this.#world.deviceWrite(this.#device, port, size, value);
  }
}

/** See the opening comment. */
export class PortWorld implements ReferencePorts, UserspaceBus {
  readonly log = new AccessLog();
  /** Accesses to devices in the kernel and to userspace. */
  kernel = 0;
  userspace = 0;
  /** Elements asked for, whoever answered. */
  elements = 0;
  #devices = NO_DEVICES;
  #isPerElement = false;
  #seed = 0;
  readonly #kernelAnswers = new Prng(0, KERNEL_ANSWERS);
  readonly #userAnswers = new Prng(0, USER_ANSWERS);
  /** Whether the answers are those of the case: most cases need none, or one of the two. */
  #hasKernelAnswers = false;
  #hasUserAnswers = false;
  /** Accesses that a device was asked about, answered or not. */
  #asked = 0;
  readonly #element = new Uint8Array(4);

  /** Starts over with the ports of a case. */
  begin(test: StringIoCase): void {
    this.log.clear();
    this.kernel = 0;
    this.userspace = 0;
    this.elements = 0;
    this.#devices = test.devices;
    this.#isPerElement = test.userspace === 'bus';
    this.#seed = test.portSeed;
    this.#hasKernelAnswers = false;
    this.#hasUserAnswers = false;
    this.#asked = 0;
  }

  kernelRead(port: number, size: number): number {
    const device = this.#find(port, size);
    return device === null ? IO_NOT_HANDLED : this.deviceRead(device, port, size);
  }

  kernelWrite(port: number, size: number, value: number): boolean {
    const device = this.#find(port, size);
    return device !== null && this.deviceWrite(device, port, size, value);
  }

  userRead(port: number, size: number, count: number, data: Uint8Array): void {
    const bytes = size * count;
    this.elements += count;
    if (!this.#hasUserAnswers) this.#userAnswers.reseed(this.#seed, USER_ANSWERS);
    this.#hasUserAnswers = true;
    for (let i = 0; i < bytes; i++) data[i] = this.#userAnswers.next() >>> 24;
    if (!this.#isPerElement || count === 1) {
      this.userspace++;
      this.log.user(USER_READ, port, size, count, data);
      return;
    }
    for (let at = 0; at < bytes; at += size) {
      this.userspace++;
      this.log.user(USER_READ, port, size, 1, data.subarray(at, at + size));
    }
  }

  userWrite(port: number, size: number, count: number, data: Uint8Array): void {
    this.userspace++;
    this.elements += count;
    this.log.user(USER_WRITE, port, size, count, data);
  }

  /** `UserspaceBus.read`: one element. */
  read(port: number, size: IoSize): number {
    const data = this.#element.fill(0);
    this.userRead(port, size, 1, data);
    return (data[0] | (data[1] << 8) | (data[2] << 16) | (data[3] << 24)) >>> 0;
  }

  /** `UserspaceBus.write`: one element. */
  write(port: number, size: IoSize, value: number): void {
    const data = this.#element;
    data[0] = value;
    data[1] = value >>> 8;
    data[2] = value >>> 16;
    data[3] = value >>> 24;
    this.userWrite(port, size, 1, data);
  }

  /**
   * The devices of the case, ready for a bus.
   *
   * @param isInline whether those that decline nothing may be asked without an exit.
   */
  ioDevices(isInline = false): WiredDevice[] {
    return this.#devices.map((device) => ({
      base: device.base,
      len: device.len,
      device: new WorldDevice(device, this, isInline),
    }));
  }

  /** The device that contains the whole access. */
  #find(port: number, size: number): CaseDevice | null {
    const devices = this.#devices;
    for (let i = 0; i < devices.length; i++) {
      const device = devices[i];
      if (port >= device.base && port + size <= device.base + device.len) return device;
    }
    return null;
  }

  /** A device of the case is asked: its value, IO_NOT_HANDLED or IO_NOTHING_STORED. */
  deviceRead(device: CaseDevice, port: number, size: number): number {
    if (this.#declines(device)) return IO_NOT_HANDLED;
    if (!this.#hasKernelAnswers) this.#kernelAnswers.reseed(this.#seed, KERNEL_ANSWERS);
    this.#hasKernelAnswers = true;
    const answer = this.#kernelAnswers.next();
    const value = size === 4 ? answer : answer & (size === 2 ? 0xffff : 0xff);
    this.kernel++;
    this.log.kernel(KERNEL_READ, port, size, value);
    return device.behaviour === 'silent' ? IO_NOTHING_STORED : value;
  }

  /** As {@link deviceRead}. @returns whether it took the value. */
  deviceWrite(device: CaseDevice, port: number, size: number, value: number): boolean {
    if (this.#declines(device)) return false;
    this.kernel++;
    this.log.kernel(KERNEL_WRITE, port, size, value);
    return true;
  }

  #declines({ behaviour }: CaseDevice): boolean {
    this.#asked++;
    this.elements++;
    return behaviour === 'decline' || (behaviour === 'flaky' && this.#asked % FLAKY_PERIOD === 0);
  }
}
