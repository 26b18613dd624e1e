/**
 * The board's memory-mapped devices. A store to ROM vanishes as on hardware; everything that no device takes follows
 * the policy for unclaimed accesses.
 */
import type { IoDevice, IoSize } from '../bus/io-device.ts';
import { MEMORY_TABLE } from './port-table.ts';
import type { Unclaimed } from './unclaimed.ts';

/** A range of guest-physical addresses with a device behind it. */
interface MemoryRange {
  readonly base: number;
  readonly end: number;
  readonly device: IoDevice;
}

/** What tells memory from holes. */
interface MemoryMap {
  /** What lies at a guest-physical address, or null. */
  slotAt(pa: number): object | null;
}

/** `userspaceMmio` of a vCPU. */
export class BoardMemory {
  readonly #memory: MemoryMap;
  readonly #unclaimed: Unclaimed;
  readonly #ranges: readonly MemoryRange[];

  constructor(memory: MemoryMap, devices: ReadonlyMap<string, IoDevice>, unclaimed: Unclaimed) {
    this.#memory = memory;
    this.#unclaimed = unclaimed;
    this.#ranges = MEMORY_TABLE.flatMap(({ base, len, device }) => {
      const found = devices.get(device);
      return found === undefined ? [] : [{ base, end: base + len, device: found }];
    });
  }

  read(addr: number, size: IoSize): number {
    for (const { base, end, device } of this.#ranges) {
      if (addr < base || addr >= end) continue;
      const value = device.read(addr, size);
      if (value >= 0) return value;
    }
    return this.#unclaimed.read('address', addr, size);
  }

  write(addr: number, size: IoSize, value: number): void {
    for (const { base, end, device } of this.#ranges) {
      if (addr >= base && addr < end && device.write(addr, size, value)) return;
    }
    if (this.#memory.slotAt(addr) === null) this.#unclaimed.write('address', addr, size, value);
  }
}
