/**
 * The board's memory-mapped devices: there are none. A store to ROM vanishes as on hardware; everything else follows
 * the policy for unclaimed accesses.
 */
import type { IoSize } from '../bus/io-device.ts';
import type { Vm } from '../kvm/vm.ts';
import type { Unclaimed } from './unclaimed.ts';

/** `userspaceMmio` of a vCPU. */
export class UnclaimedMemory {
  readonly #memory: Pick<Vm['memory'], 'slotAt'>;
  readonly #unclaimed: Unclaimed;

  constructor(memory: Pick<Vm['memory'], 'slotAt'>, unclaimed: Unclaimed) {
    this.#memory = memory;
    this.#unclaimed = unclaimed;
  }

  read(addr: number, size: IoSize): number {
    return this.#unclaimed.read('address', addr, size);
  }

  write(addr: number, size: IoSize, value: number): void {
    if (this.#memory.slotAt(addr) === null) this.#unclaimed.write('address', addr, size, value);
  }
}
