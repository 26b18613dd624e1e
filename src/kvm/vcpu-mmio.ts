/**
 * Accesses to guest-physical addresses without memory on a board: the local APIC and the kernel's MMIO bus first, then the
 * board, at once and without an exit (Linux: arch/x86/kvm/x86.c, `vcpu_mmio_read`, `vcpu_mmio_write`). An embedder without a board gets
 * KVM_EXIT_MMIO instead: emulate/mmio-port.ts.
 */
import type { MmioPort } from '../cpu/cpu.ts';
import type { UserspaceBus } from '../emulate/kvm-vcpu.ts';
import { loadElement, storeElement } from '../emulate/pio.ts';
import type { IoSize } from '../uapi/kvm.ts';
import type { Vcpu } from './vcpu.ts';

/** A vCPU's port to everything that is not memory. */
export class BoardMmioPort implements MmioPort {
  readonly #vcpu: Vcpu;
  readonly #board: UserspaceBus;
  readonly #data = new Uint8Array(8);

  constructor(vcpu: Vcpu, board: UserspaceBus) {
    this.#vcpu = vcpu;
    this.#board = board;
  }

  mmioRead(pa: number, size: number): number {
    const vcpu = this.#vcpu;
    const data = this.#data.fill(0);
    if (vcpu.fn.vcpuMmioRead(vcpu, pa, data, 0, size) === size) return loadElement(data, 0, 4);
    vcpu.stat.mmio_exits++;
    // Three bytes come from a doubleword that crosses a page: no device of a board knows such a width.
    if (size !== 3) return this.#board.read(pa, size as IoSize);
    return this.#board.read(pa, 2) + this.#board.read(pa + 2, 1) * 0x1_0000;
  }

  mmioWrite(pa: number, size: number, value: number): void {
    const vcpu = this.#vcpu;
    storeElement(this.#data, 0, 4, value);
    if (vcpu.fn.vcpuMmioWrite(vcpu, pa, this.#data, 0, size) === size) return;
    vcpu.stat.mmio_exits++;
    if (size === 3) {
      this.#board.write(pa, 2, value & 0xffff);
      this.#board.write(pa + 2, 1, (value >>> 16) & 0xff);
    } else {
      this.#board.write(pa, size as IoSize, value);
    }
  }
}
