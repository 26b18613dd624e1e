/**
 * Accesses to guest-physical addresses without memory: the kernel's MMIO bus first, then the board, then nobody
 * (Linux: arch/x86/kvm/x86.c, `vcpu_mmio_read`, `vcpu_mmio_write`).
 */
import { IO_NOTHING_STORED } from '../bus/io-device.ts';
import type { MmioPort } from '../cpu/cpu.ts';
import { type IoSize, KVM_MMIO_BUS } from '../uapi/kvm.ts';
import type { Vcpu } from './vcpu.ts';

/** A vCPU's port to everything that is not memory. */
export class VcpuMmio implements MmioPort {
  readonly #vcpu: Vcpu;

  constructor(vcpu: Vcpu) {
    this.#vcpu = vcpu;
  }

  mmioRead(pa: number, size: number): number {
    const vcpu = this.#vcpu;
    const { kvm, userspaceMmio } = vcpu;
    vcpu.stat.mmio_exits++;
    // Three bytes come from a doubleword that crosses a page: byte by byte, as no device knows such a width.
    if (size === 3) return this.mmioRead(pa, 2) + this.mmioRead(pa + 2, 1) * 0x1_0000;
    const value = vcpu.fn.kvmIoBusRead(kvm.buses[KVM_MMIO_BUS], pa, size as IoSize);
    if (value >= 0) return value;
    if (value === IO_NOTHING_STORED) return 0;
    if (userspaceMmio !== null) return userspaceMmio.read(pa, size as IoSize);
    return 2 ** (8 * size) - 1;
  }

  mmioWrite(pa: number, size: number, value: number): void {
    const vcpu = this.#vcpu;
    const { kvm, userspaceMmio } = vcpu;
    vcpu.stat.mmio_exits++;
    if (size === 3) {
      this.mmioWrite(pa, 2, value & 0xffff);
      this.mmioWrite(pa + 2, 1, (value >>> 16) & 0xff);
      return;
    }
    const low = size === 4 ? value >>> 0 : value & ((1 << (8 * size)) - 1);
    if (vcpu.fn.kvmIoBusWrite(kvm.buses[KVM_MMIO_BUS], pa, size as IoSize, low)) return;
    if (userspaceMmio !== null) userspaceMmio.write(pa, size as IoSize, low);
  }
}
