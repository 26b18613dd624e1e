/**
 * A vCPU of the host's kernel: KVM's vCPU ioctls as the methods of `VcpuApi` (Linux: Documentation/virt/kvm/api.rst).
 *
 * KVM_RUN blocks the whole process until the guest leaves. A signal ends it with −EINTR: `HostKvm.interruptEvery` asks
 * for one at intervals, and whoever needs a hard deadline runs all of this in a child process.
 */
import type { OrErrno, VcpuApi } from '../kvm/api.ts';
import { EINVAL } from '../uapi/errno.ts';
import type {
  KvmCpuidEntry2,
  KvmDebugregs,
  KvmGuestDebug,
  KvmInterrupt,
  KvmLapicState,
  KvmMpState,
  KvmMsrEntry,
  KvmRegs,
  KvmSregs,
  KvmVcpuEvents,
} from '../uapi/kvm.ts';
import { KvmRun } from '../uapi/kvm-run.ts';
import { packCpuid2, packMsrs, unpackMsrs } from './cpuid-struct.ts';
import {
  packDebugregs,
  packGuestDebug,
  packVcpuEvents,
  unpackDebugregs,
  unpackVcpuEvents,
} from './events-struct.ts';
import { HostFile } from './host-file.ts';
import { IOCTL, SIZEOF } from './ioctl-numbers.ts';
import type { Libc, Mapping } from './libc.ts';
import { packRegs, packSregs, unpackRegs, unpackSregs } from './regs-struct.ts';
import { StructView } from './struct-view.ts';

/** MSRs that one ioctl takes (MAX_IO_MSRS). */
const MAX_IO_MSRS = 256;

/** One processor of the kernel's. */
export class HostVcpu extends HostFile implements VcpuApi {
  readonly run: KvmRun;
  readonly #mapping: Mapping;

  /** @param mapping the vCPU's shared pages. */
  constructor(libc: Libc, fd: number, mapping: Mapping) {
    super(libc, fd);
    this.#mapping = mapping;
    this.run = new KvmRun(mapping.buffer);
  }

  kvmRun(): number {
    return this.interruptibleIoctl(IOCTL.KVM_RUN);
  }

  getRegs(): OrErrno<KvmRegs> {
    return this.#get(IOCTL.KVM_GET_REGS, SIZEOF.kvm_regs, unpackRegs);
  }

  setRegs(regs: Readonly<KvmRegs>): number {
    return this.ioctlStruct(IOCTL.KVM_SET_REGS, packRegs(regs));
  }

  getSregs(): OrErrno<KvmSregs> {
    return this.#get(IOCTL.KVM_GET_SREGS, SIZEOF.kvm_sregs, unpackSregs);
  }

  setSregs(sregs: Readonly<KvmSregs>): number {
    return this.ioctlStruct(IOCTL.KVM_SET_SREGS, packSregs(sregs));
  }

  getVcpuEvents(): OrErrno<KvmVcpuEvents> {
    return this.#get(IOCTL.KVM_GET_VCPU_EVENTS, SIZEOF.kvm_vcpu_events, unpackVcpuEvents);
  }

  setVcpuEvents(events: Readonly<KvmVcpuEvents>): number {
    return this.ioctlStruct(IOCTL.KVM_SET_VCPU_EVENTS, packVcpuEvents(events));
  }

  getMpState(): OrErrno<KvmMpState> {
    return this.#get(IOCTL.KVM_GET_MP_STATE, SIZEOF.kvm_mp_state, (view) => ({ mp_state: view.u32(0) }));
  }

  setMpState({ mp_state }: Readonly<KvmMpState>): number {
    const view = new StructView(SIZEOF.kvm_mp_state);
    view.setU32(0, mp_state);
    return this.ioctlStruct(IOCTL.KVM_SET_MP_STATE, view);
  }

  getDebugregs(): OrErrno<KvmDebugregs> {
    return this.#get(IOCTL.KVM_GET_DEBUGREGS, SIZEOF.kvm_debugregs, unpackDebugregs);
  }

  setDebugregs(debugregs: Readonly<KvmDebugregs>): number {
    return this.ioctlStruct(IOCTL.KVM_SET_DEBUGREGS, packDebugregs(debugregs));
  }

  getLapic(): OrErrno<KvmLapicState> {
    return this.#get(IOCTL.KVM_GET_LAPIC, SIZEOF.kvm_lapic_state, ({ bytes }) => ({ regs: bytes }));
  }

  setLapic({ regs }: Readonly<KvmLapicState>): number {
    if (regs.length !== SIZEOF.kvm_lapic_state) return -EINVAL;
    const view = new StructView(SIZEOF.kvm_lapic_state);
    view.bytes.set(regs);
    return this.ioctlStruct(IOCTL.KVM_SET_LAPIC, view);
  }

  setCpuid2(entries: readonly Readonly<KvmCpuidEntry2>[]): number {
    return this.ioctlStruct(IOCTL.KVM_SET_CPUID2, packCpuid2(entries));
  }

  getMsrs(indices: readonly number[]): OrErrno<KvmMsrEntry[]> {
    if (indices.length > MAX_IO_MSRS) return -EINVAL;
    const view = packMsrs(indices.map((index) => ({ index, data: 0 })));
    const r = this.ioctlStruct(IOCTL.KVM_GET_MSRS, view);
    return r < 0 ? r : unpackMsrs(view, r);
  }

  setMsrs(entries: readonly Readonly<KvmMsrEntry>[]): number {
    return entries.length > MAX_IO_MSRS ? -EINVAL : this.ioctlStruct(IOCTL.KVM_SET_MSRS, packMsrs(entries));
  }

  interrupt({ irq }: Readonly<KvmInterrupt>): number {
    const view = new StructView(SIZEOF.kvm_interrupt);
    view.setU32(0, irq);
    return this.ioctlStruct(IOCTL.KVM_INTERRUPT, view);
  }

  nmi(): number {
    return this.ioctl(IOCTL.KVM_NMI);
  }

  setGuestDebug(debug: Readonly<KvmGuestDebug>): number {
    return this.ioctlStruct(IOCTL.KVM_SET_GUEST_DEBUG, packGuestDebug(debug));
  }

  override close(): number {
    const r = super.close();
    if (r >= 0) this.libc.release(this.#mapping);
    return r;
  }

  #get<T>(request: number, size: number, unpack: (view: StructView) => T): OrErrno<T> {
    const view = new StructView(size);
    const r = this.ioctlStruct(request, view);
    return r < 0 ? r : unpack(view);
  }
}
