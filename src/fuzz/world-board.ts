/**
 * The userspace of a fuzz case as a board that the processor may ask without an exit: it says who answers at a port, and takes
 * the elements of a string in one go. What it has seen and answered is what the exits would have left.
 */
import type { IoDevice, IoSize } from '../bus/io-device.ts';
import type { UserspaceBus } from '../emulate/kvm-vcpu.ts';
import { loadElement } from '../emulate/pio.ts';
import type { PortWorld } from './port-world.ts';

/** Behind every port: never declines. */
class WorldPort implements IoDevice {
  readonly name = 'world';
  readonly #world: PortWorld;

  constructor(world: PortWorld) {
    this.#world = world;
  }

  read(port: number, size: IoSize): number {
    return this.#world.read(port, size);
  }

  write(port: number, size: IoSize, value: number): boolean {
    this.#world.write(port, size, value);
    return true;
  }

  readMany(port: number, size: IoSize, data: Uint8Array, at: number, count: number): boolean {
    this.#world.userRead(port, size, count, data.subarray(at, at + count * size));
    return true;
  }

  writeMany(port: number, size: IoSize, data: Uint8Array, at: number, count: number): boolean {
    for (let i = 0; i < count; i++) this.#world.write(port, size, loadElement(data, at + i * size, size));
    return true;
  }
}

/** See the opening comment. */
export class WorldBoard implements UserspaceBus {
  readonly #port: WorldPort;

  constructor(world: PortWorld) {
    this.#port = new WorldPort(world);
  }

  read(port: number, size: IoSize): number {
    return this.#port.read(port, size);
  }

  write(port: number, size: IoSize, value: number): void {
    this.#port.write(port, size, value);
  }

  deviceFor(): IoDevice {
    return this.#port;
  }

  /** Never needed: the one device takes everything. */
  readDeclined(): number {
    throw new Error('fuzz: the board was asked again');
  }

  /** As {@link readDeclined}. */
  writeDeclined(): void {
    throw new Error('fuzz: the board was asked again');
  }
}
