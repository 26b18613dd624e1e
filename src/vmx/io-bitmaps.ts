/**
 * Which port accesses exit: “unconditional I/O exiting” and the I/O bitmaps A and B of a VMCS. KVM runs every guest of its own
 * with the first and without the second; it reads bitmaps only for the guests of a nested hypervisor, and this is that code
 * put to use on the guest itself.
 *
 * Intel SDM vol. 3C, “I/O-Bitmap Addresses”, “Instructions That Cause VM Exits Conditionally”; Linux:
 * arch/x86/kvm/vmx/nested.c.
 */
import type { IoIntercept } from '../cpu/cpu.ts';
import type { KvmVcpu, UserspaceBus } from '../emulate/kvm-vcpu.ts';
import type { IoSize } from '../uapi/kvm.ts';
import { CPU_BASED_UNCOND_IO_EXITING, CPU_BASED_USE_IO_BITMAPS } from '../uapi/vmx.ts';

/** Bytes of one bitmap: a bit a port, 0x0000–0x7fff in A, 0x8000–0xffff in B. */
export const IO_BITMAP_BYTES = 4096;
const PORTS = 0x1_0000;
const PORTS_PER_BITMAP = 0x8000;

/** The control fields that decide, as a VMCS holds them. */
export interface IoControls {
  /** CPU_BASED_UNCOND_IO_EXITING and CPU_BASED_USE_IO_BITMAPS; other bits do not matter here. */
  readonly cpuBasedVmExecControl: number;
  /** {@link IO_BITMAP_BYTES} each; null: memory that cannot be read. */
  readonly ioBitmapA: Uint8Array | null;
  readonly ioBitmapB: Uint8Array | null;
}

/**
 * Whether a bit of any port of the access is set. An access that runs past port 0xFFFF exits, and so does one whose bitmap
 * cannot be read.
 *
 * @kvm nested_vmx_check_io_bitmaps(vcpu, port, size) arch/x86/kvm/vmx/nested.c (as: controls instead of the vCPU)
 */
export function nestedVmxCheckIoBitmaps(controls: IoControls, port: number, size: number): boolean {
  for (let at = port; at < port + size; at++) {
    if (at >= PORTS) return true;
    const bitmap = at < PORTS_PER_BITMAP ? controls.ioBitmapA : controls.ioBitmapB;
    if (bitmap === null) return true;
    if ((bitmap[(at & (PORTS_PER_BITMAP - 1)) >> 3] & (1 << (at & 7))) !== 0) return true;
  }
  return false;
}

/**
 * Whether an access exits: with bitmaps in use they decide alone, else the unconditional bit does.
 *
 * @kvm nested_vmx_exit_handled_io(vcpu, vmcs12) arch/x86/kvm/vmx/nested.c (as: port and size of the access)
 */
export function nestedVmxExitHandledIo(controls: IoControls, port: number, size: number): boolean {
  if ((controls.cpuBasedVmExecControl & CPU_BASED_USE_IO_BITMAPS) === 0) {
    return (controls.cpuBasedVmExecControl & CPU_BASED_UNCOND_IO_EXITING) !== 0;
  }
  return nestedVmxCheckIoBitmaps(controls, port, size);
}

/** Sets or clears the bits of ports `first … last`, which may span both bitmaps; a bitmap that is not there is left out. */
export function setIoBitmapPorts(controls: IoControls, first: number, last: number, exits: boolean): void {
  for (let port = Math.max(first, 0); port <= last && port < PORTS; port++) {
    const bitmap = port < PORTS_PER_BITMAP ? controls.ioBitmapA : controls.ioBitmapB;
    if (bitmap === null) continue;
    const at = (port & (PORTS_PER_BITMAP - 1)) >> 3;
    if (exits) bitmap[at] |= 1 << (port & 7);
    else bitmap[at] &= ~(1 << (port & 7));
  }
}

/** The I/O controls of one vCPU, and where accesses go that do not exit. */
export class VmcsIoControls implements IoControls, IoIntercept {
  readonly #vcpu: KvmVcpu;
  #control = CPU_BASED_UNCOND_IO_EXITING;
  readonly ioBitmapA = new Uint8Array(IO_BITMAP_BYTES);
  readonly ioBitmapB = new Uint8Array(IO_BITMAP_BYTES);
  /**
   * What stands for the physical ports of the host: asked for accesses that do not exit. null: reads are all ones, writes
   * vanish. It is called in the middle of an entry and cannot tell the exact time.
   */
  nonExitingPort: UserspaceBus | null = null;

  constructor(vcpu: KvmVcpu) {
    this.#vcpu = vcpu;
  }

  /** Primary processor-based VM-execution controls; only the two I/O bits count. */
  get cpuBasedVmExecControl(): number {
    return this.#control;
  }

  set cpuBasedVmExecControl(value: number) {
    this.#control = value & (CPU_BASED_UNCOND_IO_EXITING | CPU_BASED_USE_IO_BITMAPS);
    // With KVM's setting the processor need not ask.
    this.#vcpu.cpu.ioIntercept = this.#control === CPU_BASED_UNCOND_IO_EXITING ? null : this;
  }

  saveState(): IoControls {
    return {
      cpuBasedVmExecControl: this.#control,
      ioBitmapA: this.ioBitmapA.slice(),
      ioBitmapB: this.ioBitmapB.slice(),
    };
  }

  loadState(state: unknown): void {
    const { cpuBasedVmExecControl, ioBitmapA, ioBitmapB } = state as IoControls;
    this.cpuBasedVmExecControl = cpuBasedVmExecControl;
    if (ioBitmapA !== null) this.ioBitmapA.set(ioBitmapA);
    if (ioBitmapB !== null) this.ioBitmapB.set(ioBitmapB);
  }

  /** Sets or clears the bits of ports `first … last`. Does not switch bitmaps on. */
  setPorts(first: number, last: number, exits: boolean): void {
    setIoBitmapPorts(this, first, last, exits);
  }

  exits(port: number, size: number): boolean {
    return nestedVmxExitHandledIo(this, port, size);
  }

  read(port: number, size: number): number {
    this.#vcpu.stat.non_exiting_io++;
    return this.nonExitingPort?.read(port, size as IoSize) ?? 2 ** (8 * size) - 1;
  }

  write(port: number, size: number, value: number): void {
    this.#vcpu.stat.non_exiting_io++;
    this.nonExitingPort?.write(port, size as IoSize, value);
  }
}
