/**
 * Registers that go in and out of the kernel with KVM_RUN, without an ioctl of their own: `kvm_run.kvm_valid_regs`,
 * `kvm_dirty_regs` and `s.regs` (Linux: Documentation/virt/kvm/api.rst, “KVM_CAP_SYNC_REGS”;
 * arch/x86/include/uapi/asm/kvm.h, `struct kvm_sync_regs`).
 */
import { KVM_SYNC_X86_REGS, KVM_SYNC_X86_SREGS, type KvmRegs, type KvmSregs } from '../uapi/kvm.ts';
import { SIZEOF } from './ioctl-numbers.ts';
import { packRegs, packSregs, unpackRegs, unpackSregs } from './regs-struct.ts';
import { StructView } from './struct-view.ts';

const VALID_REGS = 288;
const DIRTY_REGS = 296;
const REGS = 304;
const SREGS = REGS + SIZEOF.kvm_regs;

/** A vCPU's `kvm_run.s.regs`. What is set counts from the next KVM_RUN on; what is read is from the last one. */
export class SyncRegs {
  readonly #bytes: Uint8Array;
  readonly #words: DataView;
  readonly #regs = new StructView(SIZEOF.kvm_regs);
  readonly #sregs = new StructView(SIZEOF.kvm_sregs);

  /** @param buffer the vCPU's mapping. From now on each KVM_RUN leaves both structures there. */
  constructor(buffer: ArrayBuffer) {
    this.#bytes = new Uint8Array(buffer);
    this.#words = new DataView(buffer);
    this.#words.setUint32(VALID_REGS, KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS, true);
  }

  setRegs(regs: Readonly<KvmRegs>): void {
    this.#bytes.set(packRegs(regs).bytes, REGS);
    this.#markDirty(KVM_SYNC_X86_REGS);
  }

  setSregs(sregs: Readonly<KvmSregs>): void {
    this.#bytes.set(packSregs(sregs).bytes, SREGS);
    this.#markDirty(KVM_SYNC_X86_SREGS);
  }

  getRegs(): KvmRegs {
    this.#regs.bytes.set(this.#bytes.subarray(REGS, REGS + SIZEOF.kvm_regs));
    return unpackRegs(this.#regs);
  }

  getSregs(): KvmSregs {
    this.#sregs.bytes.set(this.#bytes.subarray(SREGS, SREGS + SIZEOF.kvm_sregs));
    return unpackSregs(this.#sregs);
  }

  /** The kernel clears them when it has taken the registers. */
  #markDirty(bits: number): void {
    this.#words.setUint32(DIRTY_REGS, this.#words.getUint32(DIRTY_REGS, true) | bits, true);
  }
}
