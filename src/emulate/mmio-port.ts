/**
 * Where the CPU's accesses to addresses without memory go when the embedder takes KVM_EXIT_MMIO himself. Reads that
 * userspace must answer stop the instruction with nothing committed; it is run again with what has been read. Writes
 * gather until the instruction is done (Linux: arch/x86/kvm/x86.c, `emulator_read_write`; arch/x86/kvm/emulate.c,
 * `read_emulated`).
 */
import { type Cpu, FAULT_INTERNAL, FAULT_MMIO, FAULT_NONE, type MmioPort } from '../cpu/cpu.ts';
import type { KvmVcpu } from './kvm-vcpu.ts';
import { MMIO_READ_SLOT } from './mmio-request.ts';
import { loadElement } from './pio.ts';

/** The pair of accesses has not begun. */
const PAIR_FIRST = 2;
const PAIR_SECOND = 1;

/** `size` bytes, 1 to 4, little-endian. */
function loadBytes(data: Uint8Array, at: number, size: number): number {
  return loadElement(data, at, 4) % 2 ** (8 * size);
}

function giveUp(cpu: Cpu): void {
  cpu.fault = FAULT_INTERNAL;
  cpu.internalError = 'one instruction makes too many memory-mapped accesses';
}

/** One vCPU's port to userspace. */
export class UserspaceMmioPort implements MmioPort {
  readonly #vcpu: KvmVcpu;
  /** CMPXCHG8B: two doublewords that are one access. */
  #pair = 0;
  /** The other doubleword: read already, or still to be written. */
  #held = 0;

  constructor(vcpu: KvmVcpu) {
    this.#vcpu = vcpu;
  }

  mmioPair(): void {
    this.#pair = PAIR_FIRST;
  }

  mmioRead(pa: number, size: number): number {
    const { cpu, mmioRequest } = this.#vcpu;
    if (cpu.fault !== FAULT_NONE) return 0;
    const pair = this.#pair;
    this.#pair = 0;
    if (pair === PAIR_SECOND) return this.#held;
    const at = this.#read(pa, pair === PAIR_FIRST ? 8 : size);
    if (at < 0) return 0;
    if (pair === PAIR_FIRST) {
      this.#pair = PAIR_SECOND;
      this.#held = loadElement(mmioRequest.readData, at + 4, 4);
    }
    return loadBytes(mmioRequest.readData, at, size);
  }

  mmioWrite(pa: number, size: number, value: number): void {
    const { cpu, mmioRequest } = this.#vcpu;
    if (cpu.fault !== FAULT_NONE) return;
    const pair = this.#pair;
    if (pair === PAIR_FIRST) {
      this.#pair = PAIR_SECOND;
      this.#held = value;
      return;
    }
    this.#pair = 0;
    const isDone =
      pair === PAIR_SECOND
        ? mmioRequest.addWrite(pa - 4, 8, this.#held, value)
        : mmioRequest.addWrite(pa, size, value, 0);
    if (!isDone) giveUp(cpu);
  }

  /** @returns where the bytes lie in `readData`; −1: the instruction must stop. */
  #read(pa: number, size: number): number {
    const vcpu = this.#vcpu;
    const { cpu, mmioRequest: request } = vcpu;
    if (request.readPos < request.readEnd) return request.readPos++ * MMIO_READ_SLOT;
    const at = request.newRead();
    if (at < 0) {
      giveUp(cpu);
      return -1;
    }
    // At most one piece: in-kernel devices have answered all of it or nothing.
    if (vcpu.fn.vcpuMmioRead(vcpu, pa, request.readData, at, size) === 0) {
      request.waitForRead(pa, at, size);
      cpu.fault = FAULT_MMIO;
      cpu.exitQualification = 1;
      return -1;
    }
    request.readEnd++;
    request.readPos++;
    return at;
  }
}
