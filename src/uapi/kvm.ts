/**
 * KVM's userspace API: constants and structures with the kernel's own names (Linux: include/uapi/linux/kvm.h,
 * arch/x86/include/uapi/asm/kvm.h).
 */

/** Width of one port or MMIO access in bytes. */
export type IoSize = 1 | 2 | 4;

/** `kvm_run.exit_reason`. */
export const KVM_EXIT_UNKNOWN = 0;
export const KVM_EXIT_EXCEPTION = 1;
export const KVM_EXIT_IO = 2;
export const KVM_EXIT_HYPERCALL = 3;
export const KVM_EXIT_DEBUG = 4;
export const KVM_EXIT_HLT = 5;
export const KVM_EXIT_MMIO = 6;
export const KVM_EXIT_IRQ_WINDOW_OPEN = 7;
export const KVM_EXIT_SHUTDOWN = 8;
export const KVM_EXIT_FAIL_ENTRY = 9;
export const KVM_EXIT_INTR = 10;
export const KVM_EXIT_INTERNAL_ERROR = 17;

/** Symbols of `kvm_run.exit_reason`, as the tracepoint `kvm_userspace_exit` prints them. */
export const KVM_EXIT_NAMES: Readonly<Record<number, string>> = {
  [KVM_EXIT_UNKNOWN]: 'KVM_EXIT_UNKNOWN',
  [KVM_EXIT_EXCEPTION]: 'KVM_EXIT_EXCEPTION',
  [KVM_EXIT_IO]: 'KVM_EXIT_IO',
  [KVM_EXIT_HYPERCALL]: 'KVM_EXIT_HYPERCALL',
  [KVM_EXIT_DEBUG]: 'KVM_EXIT_DEBUG',
  [KVM_EXIT_HLT]: 'KVM_EXIT_HLT',
  [KVM_EXIT_MMIO]: 'KVM_EXIT_MMIO',
  [KVM_EXIT_IRQ_WINDOW_OPEN]: 'KVM_EXIT_IRQ_WINDOW_OPEN',
  [KVM_EXIT_SHUTDOWN]: 'KVM_EXIT_SHUTDOWN',
  [KVM_EXIT_FAIL_ENTRY]: 'KVM_EXIT_FAIL_ENTRY',
  [KVM_EXIT_INTR]: 'KVM_EXIT_INTR',
  [KVM_EXIT_INTERNAL_ERROR]: 'KVM_EXIT_INTERNAL_ERROR',
};

/** `kvm_run.io.direction`. */
export const KVM_EXIT_IO_IN = 0;
export const KVM_EXIT_IO_OUT = 1;

/** `kvm_run.internal.suberror`. */
export const KVM_INTERNAL_ERROR_EMULATION = 1;

/** Page of the vCPU mapping that holds the data of KVM_EXIT_IO; `data_offset` is this times 4096. */
export const KVM_PIO_PAGE_OFFSET = 1;
/** Page of the vCPU mapping that holds the coalesced MMIO ring. */
export const KVM_COALESCED_MMIO_PAGE_OFFSET = 2;
/** What KVM_GET_VCPU_MMAP_SIZE answers: kvm_run, the pio page, the coalesced ring. */
export const KVM_VCPU_MMAP_SIZE = 3 * 4096;

/** `enum kvm_bus`. */
export const KVM_MMIO_BUS = 0;
export const KVM_PIO_BUS = 1;
export const KVM_VIRTIO_CCW_NOTIFY_BUS = 2;
export const KVM_FAST_MMIO_BUS = 3;
export const KVM_NR_BUSES = 4;
export const KVM_BUS_NAMES = [
  'KVM_MMIO_BUS',
  'KVM_PIO_BUS',
  'KVM_VIRTIO_CCW_NOTIFY_BUS',
  'KVM_FAST_MMIO_BUS',
] as const;
/** Devices a bus can hold, ioeventfds not counted. */
export const NR_IOBUS_DEVS = 1000;

/** Memory slot flags. */
export const KVM_MEM_LOG_DIRTY_PAGES = 1 << 0;
export const KVM_MEM_READONLY = 1 << 1;

/** `kvm_irqchip.chip_id`. */
export const KVM_IRQCHIP_PIC_MASTER = 0;
export const KVM_IRQCHIP_PIC_SLAVE = 1;
export const KVM_IRQCHIP_IOAPIC = 2;

/** `kvm_pit_config.flags`. */
export const KVM_PIT_SPEAKER_DUMMY = 1;
/** `kvm_pit_state2.flags`. */
export const KVM_PIT_FLAGS_HPET_LEGACY = 1;
export const KVM_PIT_FLAGS_SPEAKER_DATA_ON = 2;

/** Interrupt source ids of `kvm_set_irq`. */
export const KVM_USERSPACE_IRQ_SOURCE_ID = 0;
export const KVM_IRQFD_RESAMPLE_IRQ_SOURCE_ID = 1;
export const KVM_PIT_IRQ_SOURCE_ID = 2;

/** `kvm_irq_routing_entry.type`. */
export const KVM_IRQ_ROUTING_IRQCHIP = 1;
export const KVM_IRQ_ROUTING_MSI = 2;

/** `kvm_run.kvm_valid_regs`, `kvm_dirty_regs`; also what KVM_CAP_SYNC_REGS answers. */
export const KVM_SYNC_X86_REGS = 1;
export const KVM_SYNC_X86_SREGS = 2;

/** Extensions that KVM_CHECK_EXTENSION is asked for and KVM_ENABLE_CAP turns on. */
export const KVM_CAP_IRQCHIP = 0;
export const KVM_CAP_HLT = 1;
export const KVM_CAP_USER_MEMORY = 3;
export const KVM_CAP_SET_TSS_ADDR = 4;
export const KVM_CAP_EXT_CPUID = 7;
export const KVM_CAP_NR_VCPUS = 9;
export const KVM_CAP_NR_MEMSLOTS = 10;
export const KVM_CAP_PIT = 11;
export const KVM_CAP_MP_STATE = 14;
export const KVM_CAP_COALESCED_MMIO = 15;
export const KVM_CAP_SYNC_MMU = 16;
export const KVM_CAP_DESTROY_MEMORY_REGION_WORKS = 21;
export const KVM_CAP_USER_NMI = 22;
export const KVM_CAP_SET_GUEST_DEBUG = 23;
export const KVM_CAP_REINJECT_CONTROL = 24;
export const KVM_CAP_IRQ_ROUTING = 25;
export const KVM_CAP_IRQ_INJECT_STATUS = 26;
export const KVM_CAP_JOIN_MEMORY_REGIONS_WORKS = 30;
export const KVM_CAP_IRQFD = 32;
export const KVM_CAP_PIT2 = 33;
export const KVM_CAP_PIT_STATE2 = 35;
export const KVM_CAP_IOEVENTFD = 36;
export const KVM_CAP_VCPU_EVENTS = 41;
export const KVM_CAP_DEBUGREGS = 50;
export const KVM_CAP_ENABLE_CAP = 54;
export const KVM_CAP_MAX_VCPUS = 66;
export const KVM_CAP_SYNC_REGS = 74;
export const KVM_CAP_TSC_DEADLINE_TIMER = 72;
export const KVM_CAP_READONLY_MEM = 81;
export const KVM_CAP_IRQFD_RESAMPLE = 82;
export const KVM_CAP_ENABLE_CAP_VM = 98;
export const KVM_CAP_IOEVENTFD_NO_LENGTH = 100;
export const KVM_CAP_CHECK_EXTENSION_VM = 105;
export const KVM_CAP_DISABLE_QUIRKS = 116;
export const KVM_CAP_IOEVENTFD_ANY_LENGTH = 122;
export const KVM_CAP_MAX_VCPU_ID = 128;
export const KVM_CAP_IMMEDIATE_EXIT = 136;
export const KVM_CAP_COALESCED_PIO = 162;
export const KVM_CAP_EXCEPTION_PAYLOAD = 164;
export const KVM_CAP_DISABLE_QUIRKS2 = 213;

/** `kvm_ioeventfd.flags`. */
export const KVM_IOEVENTFD_FLAG_DATAMATCH = 1 << 0;
export const KVM_IOEVENTFD_FLAG_PIO = 1 << 1;
export const KVM_IOEVENTFD_FLAG_DEASSIGN = 1 << 2;
export const KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY = 1 << 3;
/** Flags that may be given when assigning; bit 4 (fast_mmio) is one of them and means nothing. */
export const KVM_IOEVENTFD_VALID_FLAG_MASK = (1 << 5) - 1;

/** `kvm_irqfd.flags`. */
export const KVM_IRQFD_FLAG_DEASSIGN = 1 << 0;
export const KVM_IRQFD_FLAG_RESAMPLE = 1 << 1;

/** `kvm_vcpu_events.flags`: which optional fields KVM_SET_VCPU_EVENTS shall look at. */
export const KVM_VCPUEVENT_VALID_NMI_PENDING = 1 << 0;
export const KVM_VCPUEVENT_VALID_SIPI_VECTOR = 1 << 1;
export const KVM_VCPUEVENT_VALID_SHADOW = 1 << 2;
export const KVM_VCPUEVENT_VALID_SMM = 1 << 3;
export const KVM_VCPUEVENT_VALID_PAYLOAD = 1 << 4;
export const KVM_VCPUEVENT_VALID_TRIPLE_FAULT = 1 << 5;

/** `kvm_mp_state.mp_state`. */
export const KVM_MP_STATE_RUNNABLE = 0;
export const KVM_MP_STATE_UNINITIALIZED = 1;
export const KVM_MP_STATE_INIT_RECEIVED = 2;
export const KVM_MP_STATE_HALTED = 3;
export const KVM_MP_STATE_SIPI_RECEIVED = 4;

/** `kvm_guest_debug.control`. */
export const KVM_GUESTDBG_ENABLE = 0x1;
export const KVM_GUESTDBG_SINGLESTEP = 0x2;
export const KVM_GUESTDBG_USE_SW_BP = 0x1_0000;
export const KVM_GUESTDBG_USE_HW_BP = 0x2_0000;
export const KVM_GUESTDBG_INJECT_DB = 0x4_0000;
export const KVM_GUESTDBG_INJECT_BP = 0x8_0000;
export const KVM_GUESTDBG_BLOCKIRQ = 0x10_0000;

/** An unsigned 64-bit value of the API: a number where it is below 2^53, else a bigint. Never on the guest's path. */
export type U64 = number | bigint;

/** `struct kvm_regs`, 32-bit values (unsigned). */
export interface KvmRegs {
  eax: number;
  ebx: number;
  ecx: number;
  edx: number;
  esi: number;
  edi: number;
  esp: number;
  ebp: number;
  eip: number;
  eflags: number;
}

/** `struct kvm_segment`. */
export interface KvmSegment {
  base: number;
  limit: number;
  selector: number;
  type: number;
  present: number;
  dpl: number;
  db: number;
  s: number;
  l: number;
  g: number;
  avl: number;
  unusable: number;
}

/** `struct kvm_dtable`. */
export interface KvmDtable {
  base: number;
  limit: number;
}

/** `struct kvm_sregs`. */
export interface KvmSregs {
  cs: KvmSegment;
  ds: KvmSegment;
  es: KvmSegment;
  fs: KvmSegment;
  gs: KvmSegment;
  ss: KvmSegment;
  tr: KvmSegment;
  ldt: KvmSegment;
  gdt: KvmDtable;
  idt: KvmDtable;
  cr0: number;
  cr2: number;
  cr3: number;
  cr4: number;
  cr8: number;
  efer: number;
  /** IA32_APIC_BASE. */
  apic_base: number;
  /** 256 bits as eight unsigned doublewords: at most one is set, the external interrupt that waits for injection. */
  interrupt_bitmap: number[];
}

/** `struct kvm_userspace_memory_region`, with the memory itself in place of `userspace_addr`. */
export interface KvmUserspaceMemoryRegion {
  slot: number;
  /** KVM_MEM_READONLY: stores leave as MMIO. KVM_MEM_LOG_DIRTY_PAGES. */
  flags: number;
  guest_phys_addr: number;
  /** Bytes; 0 removes the slot. */
  memory_size: number;
  /**
   * `memory_size` bytes from `allocateMemory`; two slots may share one (a ROM and its mirror). Default: new memory, all
   * zero. On pio86's own engine any Uint8Array will do.
   */
  mem?: Uint8Array;
}

/** `struct kvm_pit_config`. */
export interface KvmPitConfig {
  /** KVM_PIT_SPEAKER_DUMMY: answer port 0x61 too. */
  flags: number;
}

/** `struct kvm_reinject_control`. */
export interface KvmReinjectControl {
  /** Non-zero: lost ticks of PIT channel 0 are delivered later (the default). */
  pit_reinject: number;
}

/** `struct kvm_interrupt`. */
export interface KvmInterrupt {
  /** Vector, 0 … 255. */
  irq: number;
}

/** `struct kvm_vcpu_events`. */
export interface KvmVcpuEvents {
  exception: { injected: number; nr: number; has_error_code: number; pending: number; error_code: number };
  interrupt: {
    injected: number;
    nr: number;
    soft: number;
    /** KVM_X86_SHADOW_INT_MOV_SS (1), KVM_X86_SHADOW_INT_STI (2). */
    shadow: number;
  };
  nmi: { injected: number; pending: number; masked: number };
  sipi_vector: number;
  /** KVM_VCPUEVENT_VALID_*. */
  flags: number;
  smi: { smm: number; pending: number; smm_inside_nmi: number; latched_init: number };
  triple_fault: { pending: number };
  exception_has_payload: number;
  /** What DR6 or CR2 gets. */
  exception_payload: number;
}

/** `struct kvm_mp_state`. */
export interface KvmMpState {
  /** KVM_MP_STATE_*. */
  mp_state: number;
}

/** `struct kvm_debugregs`, 32-bit values (unsigned). */
export interface KvmDebugregs {
  /** DR0–DR3. */
  db: [number, number, number, number];
  dr6: number;
  dr7: number;
  flags: number;
}

/** `struct kvm_guest_debug`, its `arch.debugreg` one level up. */
export interface KvmGuestDebug {
  /** KVM_GUESTDBG_*. */
  control: number;
  /** Eight values as DR0–DR7 would hold them: 0–3 addresses, 7 control. Needed with KVM_GUESTDBG_USE_HW_BP. */
  debugreg?: readonly number[];
}

/** `struct kvm_lapic_state`. */
export interface KvmLapicState {
  /** 1 KiB: the register page. */
  regs: Uint8Array;
}

/** `struct kvm_cpuid_entry2`. */
export interface KvmCpuidEntry2 {
  function: number;
  index: number;
  /** KVM_CPUID_FLAG_*. */
  flags: number;
  eax: number;
  ebx: number;
  ecx: number;
  edx: number;
}

/** `struct kvm_msr_entry`. */
export interface KvmMsrEntry {
  index: number;
  data: U64;
}

/** `struct kvm_enable_cap`. */
export interface KvmEnableCap {
  /** KVM_CAP_*. */
  cap: number;
  flags?: number;
  /** Up to four; those left out are 0. */
  args: readonly U64[];
}

/** `eventfd(2)`: a counter that one side adds to and the other takes. */
export interface KvmEventfd {
  /** Adds. @returns 0, −EINVAL for 2^64 − 1 or no such value, −EAGAIN when the counter would overflow. */
  write(value: U64): number;
  /** Takes the whole counter. @returns what it held; −EAGAIN at 0. */
  read(): bigint | number;
  /** @returns 0. */
  close(): number;
}

/** `struct kvm_ioeventfd`. */
export interface KvmIoeventfd {
  datamatch: U64;
  addr: U64;
  /** 0 (any), 1, 2, 4 or 8. */
  len: number;
  fd: KvmEventfd;
  /** KVM_IOEVENTFD_FLAG_*. */
  flags: number;
}

/** `struct kvm_irqfd`. */
export interface KvmIrqfd {
  fd: KvmEventfd;
  gsi: number;
  /** KVM_IRQFD_FLAG_*. */
  flags: number;
  /** Signalled at the end of the interrupt; needed with KVM_IRQFD_FLAG_RESAMPLE. */
  resamplefd?: KvmEventfd;
}

/** `struct kvm_coalesced_mmio_zone`. */
export interface KvmCoalescedMmioZone {
  addr: U64;
  size: number;
  /** 1: ports. */
  pio: number;
}

/** `struct kvm_pic_state`: sixteen bytes. */
export interface KvmPicState {
  last_irr: number;
  irr: number;
  imr: number;
  isr: number;
  priority_add: number;
  irq_base: number;
  read_reg_select: number;
  poll: number;
  special_mask: number;
  init_state: number;
  auto_eoi: number;
  rotate_on_auto_eoi: number;
  special_fully_nested_mode: number;
  init4: number;
  elcr: number;
  elcr_mask: number;
}

/** `struct kvm_pit_channel_state`. */
export interface KvmPitChannelState {
  /** 1 … 65536. */
  count: number;
  latched_count: number;
  count_latched: number;
  status_latched: number;
  status: number;
  read_state: number;
  write_state: number;
  write_latch: number;
  rw_mode: number;
  mode: number;
  bcd: number;
  gate: number;
  /** Nanoseconds of the machine's clock. */
  count_load_time: number;
}

/** `struct kvm_pit_state2`. */
export interface KvmPitState2 {
  channels: [KvmPitChannelState, KvmPitChannelState, KvmPitChannelState];
  flags: number;
}

/** One 64-bit entry of `kvm_ioapic_state.redirtbl`, as two unsigned 32-bit halves. */
export interface KvmIoapicRedirectEntry {
  /** Bits 31:0: vector, delivery and destination mode, status, polarity, remote IRR, trigger, mask. */
  low: number;
  /** Bits 63:32: the destination is in 63:56. */
  high: number;
}

/** `struct kvm_ioapic_state`. */
export interface KvmIoapicState {
  base_address: number;
  ioregsel: number;
  id: number;
  irr: number;
  /** 24 entries. */
  redirtbl: KvmIoapicRedirectEntry[];
}

/** `struct kvm_irq_routing_msi`: what a device would write, and where. 32-bit values (unsigned). */
export interface KvmIrqRoutingMsi {
  address_lo: number;
  address_hi: number;
  data: number;
}

/** `struct kvm_irq_routing_entry`. */
export interface KvmIrqRoutingEntry {
  gsi: number;
  /** KVM_IRQCHIP_*. */
  irqchip: number;
  /** 0–7 on a PIC chip, 0–23 on the IOAPIC. */
  pin: number;
  /** KVM_IRQ_ROUTING_*. Default: KVM_IRQ_ROUTING_IRQCHIP. */
  type?: number;
  /** Must be 0, the default. */
  flags?: number;
  /** Under KVM_IRQ_ROUTING_MSI, in place of `irqchip` and `pin`, which are not looked at then. */
  msi?: KvmIrqRoutingMsi;
}
