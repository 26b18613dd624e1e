/**
 * KVM's userspace API: `/dev/kvm`, a machine and a processor with the ioctls as methods. pio86's own `Kvm`, `Vm`, `Vcpu`
 * and the real kernel's `HostKvm` implement it, so that one VMM runs on either
 * (Linux: include/uapi/linux/kvm.h, Documentation/virt/kvm/api.rst).
 *
 * Every method answers as its ioctl does: 0 or a positive value, or a negative errno (uapi/errno.ts). One that hands out
 * a structure or an object answers with that or with the errno. No argument, however malformed, makes one throw;
 * `orThrow` (or-throw.ts) turns an errno into an EmulatorError for those who want that.
 */
import type {
  KvmCoalescedMmioZone,
  KvmCpuidEntry2,
  KvmDebugregs,
  KvmEnableCap,
  KvmEventfd,
  KvmGuestDebug,
  KvmInterrupt,
  KvmIoapicState,
  KvmIoeventfd,
  KvmIrqfd,
  KvmIrqRoutingEntry,
  KvmLapicState,
  KvmMpState,
  KvmMsrEntry,
  KvmPicState,
  KvmPitConfig,
  KvmPitState2,
  KvmRegs,
  KvmReinjectControl,
  KvmSregs,
  KvmUserspaceMemoryRegion,
  KvmVcpuEvents,
} from '../uapi/kvm.ts';
import type { KvmRun } from '../uapi/kvm-run.ts';

/** A structure or object, or a negative errno. */
export type OrErrno<T> = T | number;

/** `/dev/kvm`. */
export interface KvmApi {
  /** KVM_GET_API_VERSION: 12. */
  getApiVersion(): number;
  /** KVM_CHECK_EXTENSION: 0 for no, else yes or how many. */
  checkExtension(cap: number): number;
  /** KVM_GET_VCPU_MMAP_SIZE: bytes of `VcpuApi.run.buffer`. */
  getVcpuMmapSize(): number;
  /** KVM_GET_SUPPORTED_CPUID. */
  getSupportedCpuid(): OrErrno<KvmCpuidEntry2[]>;
  /** KVM_GET_MSR_INDEX_LIST: what a VMM saves and restores. */
  getMsrIndexList(): OrErrno<number[]>;
  /**
   * `mmap`: zeroed host memory that a memory region can use; page-aligned on a real kernel.
   *
   * @param size bytes, a whole number of 4 KiB pages; −EINVAL else.
   */
  allocateMemory(size: number): OrErrno<Uint8Array>;
  /** `eventfd(2)`. @param initval what the counter starts with. */
  eventfd(initval?: number): OrErrno<KvmEventfd>;
  /** KVM_CREATE_VM: a machine without memory, devices and vCPUs. */
  createVm(): OrErrno<VmApi>;
  /** Closes the file. Machines live on until they are closed themselves. */
  close(): number;
}

/** A machine. */
export interface VmApi {
  /** KVM_CHECK_EXTENSION of this machine. */
  checkExtension(cap: number): number;
  /** KVM_ENABLE_CAP: KVM_CAP_DISABLE_QUIRKS, KVM_CAP_DISABLE_QUIRKS2. −EINVAL for one that cannot be enabled. */
  enableCap(cap: Readonly<KvmEnableCap>): number;
  /** KVM_SET_USER_MEMORY_REGION: creates, moves, re-flags or removes a slot. −EINVAL, −EEXIST (overlap). */
  setUserMemoryRegion(region: Readonly<KvmUserspaceMemoryRegion>): number;
  /**
   * KVM_GET_DIRTY_LOG: pages written since the last call, one bit a page from the slot's first on, little-endian, a whole
   * number of 8-byte words; the log is cleared. −ENOENT for a slot without KVM_MEM_LOG_DIRTY_PAGES, −EINVAL.
   */
  getDirtyLog(slot: number): OrErrno<Uint8Array>;
  /** KVM_CREATE_VCPU. −EINVAL for an id out of range, −EEXIST for one that is taken. */
  createVcpu(id: number): OrErrno<VcpuApi>;

  /** KVM_CREATE_IRQCHIP: two 8259A, IOAPIC, local APICs. −EEXIST, −EINVAL once a vCPU exists. */
  createIrqchip(): number;
  /** KVM_CREATE_PIT2. −EEXIST, −ENOENT without an in-kernel irqchip. */
  createPit2(config: Readonly<KvmPitConfig>): number;
  /**
   * KVM_IRQ_LINE_STATUS. −ENXIO without an in-kernel irqchip.
   *
   * @returns `kvm_irq_level.status`: −1 masked or ignored, 0 coalesced, above 0 delivered.
   */
  irqLine(gsi: number, level: number): number;
  /** KVM_GET_IRQCHIP. @param chip_id KVM_IRQCHIP_*. −ENXIO without one, −EINVAL for another chip. */
  getIrqchip(chip_id: number): OrErrno<KvmPicState | KvmIoapicState>;
  /** KVM_SET_IRQCHIP. −ENXIO, −EINVAL. */
  setIrqchip(chip_id: number, state: Readonly<KvmPicState> | Readonly<KvmIoapicState>): number;
  /** KVM_GET_PIT2. −ENXIO without one. */
  getPit2(): OrErrno<KvmPitState2>;
  /** KVM_SET_PIT2: counting starts anew. −ENXIO. */
  setPit2(state: Readonly<KvmPitState2>): number;
  /** KVM_REINJECT_CONTROL. −ENXIO without a PIT. */
  reinjectControl(control: Readonly<KvmReinjectControl>): number;
  /** KVM_SET_GSI_ROUTING: replaces the table. −EINVAL. */
  setGsiRouting(entries: readonly Readonly<KvmIrqRoutingEntry>[]): number;

  /** KVM_IOEVENTFD. −EINVAL, −EEXIST (collision), −ENOENT (deassign of none), −ENOSPC. */
  ioeventfd(args: Readonly<KvmIoeventfd>): number;
  /** KVM_IRQFD. −EINVAL, −EBUSY. */
  irqfd(args: Readonly<KvmIrqfd>): number;
  /** KVM_REGISTER_COALESCED_MMIO. −EINVAL, −ENOSPC. */
  registerCoalescedMmio(zone: Readonly<KvmCoalescedMmioZone>): number;
  /** KVM_UNREGISTER_COALESCED_MMIO. −EINVAL. */
  unregisterCoalescedMmio(zone: Readonly<KvmCoalescedMmioZone>): number;

  /** Closes the machine and its vCPUs: KVM_CREATE_VCPU and KVM_RUN then answer −EBADF; call nothing else. */
  close(): number;
}

/** A processor. */
export interface VcpuApi {
  /** The shared mapping: `exit_reason`, `io`, `pioData`, `mmio`, `immediate_exit` … */
  readonly run: KvmRun;
  /**
   * KVM_RUN.
   *
   * @returns 0 with `run.exit_reason` set, or −EINTR (immediate_exit, a signal).
   */
  kvmRun(): number;

  /** KVM_GET_REGS. The guest is 32-bit: the names are EAX …, the upper halves 0. */
  getRegs(): OrErrno<KvmRegs>;
  setRegs(regs: Readonly<KvmRegs>): number;
  getSregs(): OrErrno<KvmSregs>;
  /** −EINVAL for control registers that no processor takes. */
  setSregs(sregs: Readonly<KvmSregs>): number;
  getVcpuEvents(): OrErrno<KvmVcpuEvents>;
  setVcpuEvents(events: Readonly<KvmVcpuEvents>): number;
  getMpState(): OrErrno<KvmMpState>;
  setMpState(state: Readonly<KvmMpState>): number;
  getDebugregs(): OrErrno<KvmDebugregs>;
  setDebugregs(debugregs: Readonly<KvmDebugregs>): number;
  /** −EINVAL without an in-kernel local APIC. */
  getLapic(): OrErrno<KvmLapicState>;
  setLapic(state: Readonly<KvmLapicState>): number;
  setCpuid2(entries: readonly Readonly<KvmCpuidEntry2>[]): number;
  /** KVM_GET_MSRS: those asked for up to the first one that does not exist; every `data` is a bigint. */
  getMsrs(indices: readonly number[]): OrErrno<KvmMsrEntry[]>;
  /** KVM_SET_MSRS. @returns how many were set before the first one that failed. */
  setMsrs(entries: readonly Readonly<KvmMsrEntry>[]): number;

  /** KVM_INTERRUPT: one that waits already is replaced. −ENXIO with an in-kernel irqchip, −EINVAL (not 0 … 255). */
  interrupt(args: Readonly<KvmInterrupt>): number;
  /** KVM_NMI. */
  nmi(): number;
  /** KVM_SET_GUEST_DEBUG. −EINVAL, −EBUSY. */
  setGuestDebug(debug: Readonly<KvmGuestDebug>): number;

  /** Closes the vCPU's file. */
  close(): number;
}
