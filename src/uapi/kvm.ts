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

/** `struct kvm_irq_routing_entry` of type KVM_IRQ_ROUTING_IRQCHIP. */
export interface KvmIrqRoutingEntry {
  gsi: number;
  /** KVM_IRQCHIP_*. */
  irqchip: number;
  /** 0–7 on a PIC chip, 0–23 on the IOAPIC. */
  pin: number;
}
