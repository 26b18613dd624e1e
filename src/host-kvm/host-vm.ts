/**
 * A machine of the host's kernel: KVM's VM ioctls as the methods of `VmApi` (Linux: Documentation/virt/kvm/api.rst).
 */
import type { OrErrno, VmApi } from '../kvm/api.ts';
import { EINVAL, ENOMEM } from '../uapi/errno.ts';
import {
  KVM_IRQ_ROUTING_IRQCHIP,
  type KvmCoalescedMmioZone,
  type KvmCpuidEntry2,
  type KvmEnableCap,
  type KvmIoapicState,
  type KvmIoeventfd,
  type KvmIrqfd,
  type KvmIrqRoutingEntry,
  type KvmPicState,
  type KvmPitConfig,
  type KvmPitState2,
  type KvmReinjectControl,
  type KvmUserspaceMemoryRegion,
} from '../uapi/kvm.ts';
import { packEnableCap } from './cpuid-struct.ts';
import { packCoalescedZone, packIoeventfd, packIrqfd } from './eventfd-struct.ts';
import { HostEventfd } from './host-eventfd.ts';
import { HostFile } from './host-file.ts';
import { HostVcpu } from './host-vcpu.ts';
import { IOCTL, SIZEOF } from './ioctl-numbers.ts';
import { irqchipRequest, packIrqchip, packIrqRouting, unpackIrqchip } from './irqchip-struct.ts';
import type { Libc, Mapping } from './libc.ts';
import { packPit2, unpackPit2 } from './pit-struct.ts';
import { StructView } from './struct-view.ts';

const PAGE_SIZE = 4096;
/** Where VMX without unrestricted guests keeps three pages of its own: below the firmware at 4 GiB. */
const TSS_ADDR = 0xfffb_d000;

/** What a machine has of the one who opened it. */
export interface HostVmSetup {
  /** KVM_GET_VCPU_MMAP_SIZE. */
  readonly mmapSize: number;
  /** KVM_GET_SUPPORTED_CPUID: what a new vCPU gets. */
  readonly cpuid: readonly KvmCpuidEntry2[];
}

/** One machine of the kernel's. */
export class HostVm extends HostFile implements VmApi {
  readonly #setup: HostVmSetup;
  /** The memory of each slot: the kernel uses it as long as the slot is there. */
  readonly #slots = new Map<number, Uint8Array>();
  /** Memory that was made here. */
  readonly #mappings: Mapping[] = [];
  readonly #vcpus: HostVcpu[] = [];

  constructor(libc: Libc, fd: number, setup: HostVmSetup) {
    super(libc, fd);
    this.#setup = setup;
    // Needed by VMX only, refused by no one.
    this.ioctl(IOCTL.KVM_SET_TSS_ADDR, TSS_ADDR);
  }

  checkExtension(cap: number): number {
    return this.ioctl(IOCTL.KVM_CHECK_EXTENSION, cap);
  }

  enableCap(cap: Readonly<KvmEnableCap>): number {
    return this.ioctlStruct(IOCTL.KVM_ENABLE_CAP, packEnableCap(cap));
  }

  setUserMemoryRegion(region: Readonly<KvmUserspaceMemoryRegion>): number {
    const { slot, flags, guest_phys_addr, memory_size } = region;
    const mem =
      memory_size === 0 ? null : (region.mem ?? this.#slots.get(slot) ?? this.#newMemory(memory_size));
    if (mem !== null && mem.length !== memory_size) return -EINVAL;
    const view = new StructView(SIZEOF.kvm_userspace_memory_region);
    view.setU32(0, slot);
    view.setU32(4, flags);
    view.setU64(8, guest_phys_addr);
    view.setU64(16, memory_size);
    view.setU64(24, mem === null ? 0 : this.libc.addressOf(mem));
    const r = this.ioctlStruct(IOCTL.KVM_SET_USER_MEMORY_REGION, view);
    if (r < 0) return r;
    if (mem === null) this.#slots.delete(slot);
    else this.#slots.set(slot, mem);
    return r;
  }

  getDirtyLog(slot: number): OrErrno<Uint8Array> {
    const pages = (this.#slots.get(slot)?.length ?? 0) / PAGE_SIZE;
    const bitmap = new Uint8Array(Math.max(1, Math.ceil(pages / 64)) * 8);
    const view = new StructView(SIZEOF.kvm_dirty_log);
    view.setU32(0, slot);
    view.setU64(8, this.libc.addressOf(bitmap));
    const r = this.ioctlStruct(IOCTL.KVM_GET_DIRTY_LOG, view);
    return r < 0 ? r : bitmap;
  }

  createVcpu(id: number): OrErrno<HostVcpu> {
    const fd = this.ioctl(IOCTL.KVM_CREATE_VCPU, id);
    if (fd < 0) return fd;
    const mapping = this.libc.map(fd, this.#setup.mmapSize);
    if (mapping === null) {
      this.libc.close(fd);
      return -ENOMEM;
    }
    const vcpu = new HostVcpu(this.libc, fd, mapping);
    this.#vcpus.push(vcpu);
    const r = vcpu.setCpuid2(this.#setup.cpuid);
    if (r < 0) {
      vcpu.close();
      return r;
    }
    return vcpu;
  }

  createIrqchip(): number {
    return this.ioctl(IOCTL.KVM_CREATE_IRQCHIP);
  }

  createPit2({ flags }: Readonly<KvmPitConfig>): number {
    const view = new StructView(SIZEOF.kvm_pit_config);
    view.setU32(0, flags);
    return this.ioctlStruct(IOCTL.KVM_CREATE_PIT2, view);
  }

  irqLine(gsi: number, level: number): number {
    const view = new StructView(SIZEOF.kvm_irq_level);
    view.setU32(0, gsi);
    view.setU32(4, level);
    const r = this.ioctlStruct(IOCTL.KVM_IRQ_LINE_STATUS, view);
    return r < 0 ? r : view.i32(0);
  }

  getIrqchip(chip_id: number): OrErrno<KvmPicState | KvmIoapicState> {
    const view = irqchipRequest(chip_id);
    const r = this.ioctlStruct(IOCTL.KVM_GET_IRQCHIP, view);
    return r < 0 ? r : unpackIrqchip(view);
  }

  setIrqchip(chip_id: number, state: Readonly<KvmPicState> | Readonly<KvmIoapicState>): number {
    return this.ioctlStruct(IOCTL.KVM_SET_IRQCHIP, packIrqchip(chip_id, state));
  }

  getPit2(): OrErrno<KvmPitState2> {
    const view = new StructView(SIZEOF.kvm_pit_state2);
    const r = this.ioctlStruct(IOCTL.KVM_GET_PIT2, view);
    return r < 0 ? r : unpackPit2(view);
  }

  setPit2(state: Readonly<KvmPitState2>): number {
    return this.ioctlStruct(IOCTL.KVM_SET_PIT2, packPit2(state));
  }

  reinjectControl({ pit_reinject }: Readonly<KvmReinjectControl>): number {
    const view = new StructView(SIZEOF.kvm_reinject_control);
    view.setU8(0, pit_reinject);
    return this.ioctlStruct(IOCTL.KVM_REINJECT_CONTROL, view);
  }

  setGsiRouting(entries: readonly Readonly<KvmIrqRoutingEntry>[]): number {
    return this.ioctlStruct(IOCTL.KVM_SET_GSI_ROUTING, packIrqRouting(entries, KVM_IRQ_ROUTING_IRQCHIP));
  }

  ioeventfd(args: Readonly<KvmIoeventfd>): number {
    if (!(args.fd instanceof HostEventfd)) return -EINVAL;
    return this.ioctlStruct(IOCTL.KVM_IOEVENTFD, packIoeventfd(args, args.fd.fd));
  }

  irqfd(args: Readonly<KvmIrqfd>): number {
    const { fd, resamplefd } = args;
    if (!(fd instanceof HostEventfd)) return -EINVAL;
    if (resamplefd !== undefined && !(resamplefd instanceof HostEventfd)) return -EINVAL;
    return this.ioctlStruct(IOCTL.KVM_IRQFD, packIrqfd(args, fd.fd, resamplefd?.fd ?? 0));
  }

  registerCoalescedMmio(zone: Readonly<KvmCoalescedMmioZone>): number {
    return this.ioctlStruct(IOCTL.KVM_REGISTER_COALESCED_MMIO, packCoalescedZone(zone));
  }

  unregisterCoalescedMmio(zone: Readonly<KvmCoalescedMmioZone>): number {
    return this.ioctlStruct(IOCTL.KVM_UNREGISTER_COALESCED_MMIO, packCoalescedZone(zone));
  }

  override close(): number {
    for (const vcpu of this.#vcpus.splice(0)) vcpu.close();
    const r = super.close();
    if (r >= 0) for (const mapping of this.#mappings.splice(0)) this.libc.release(mapping);
    return r;
  }

  /** @returns memory of the wrong length when there is none to be had. */
  #newMemory(bytes: number): Uint8Array {
    const isSane = Number.isSafeInteger(bytes) && bytes > 0 && bytes % PAGE_SIZE === 0;
    const mapping = isSane ? this.libc.allocate(bytes) : null;
    if (mapping === null) return new Uint8Array(0);
    this.#mappings.push(mapping);
    return new Uint8Array(mapping.buffer);
  }
}
