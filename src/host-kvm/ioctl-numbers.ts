/**
 * KVM's ioctl numbers (Linux: include/uapi/linux/kvm.h), made as include/uapi/asm-generic/ioctl.h makes them: direction,
 * size of the structure, 'KVMIO', number.
 */

/** `KVMIO`. */
const KVMIO = 0xae;
const IOC_WRITE = 0x4000_0000;
const IOC_READ = 0x8000_0000;

function io(nr: number): number {
  return KVMIO * 0x100 + nr;
}

function iow(nr: number, size: number): number {
  return IOC_WRITE + size * 0x1_0000 + io(nr);
}

function ior(nr: number, size: number): number {
  return IOC_READ + size * 0x1_0000 + io(nr);
}

function iowr(nr: number, size: number): number {
  return IOC_READ + iow(nr, size);
}

/** Bytes of the structures, by their kernel names. */
export const SIZEOF = {
  kvm_cpuid2: 8,
  kvm_cpuid_entry2: 40,
  kvm_dirty_log: 16,
  kvm_userspace_memory_region: 32,
  kvm_irq_level: 8,
  kvm_irqchip: 520,
  kvm_coalesced_mmio_zone: 16,
  kvm_irq_routing: 8,
  kvm_irq_routing_entry: 48,
  kvm_reinject_control: 32,
  kvm_irqfd: 32,
  kvm_pit_config: 64,
  kvm_ioeventfd: 64,
  kvm_regs: 144,
  kvm_sregs: 312,
  kvm_interrupt: 4,
  kvm_mp_state: 4,
  kvm_guest_debug: 72,
  kvm_pit_state2: 112,
  kvm_vcpu_events: 64,
  kvm_debugregs: 128,
  kvm_enable_cap: 104,
  kvm_lapic_state: 1024,
  kvm_msr_list: 4,
  kvm_msrs: 8,
  kvm_msr_entry: 16,
} as const;

// biome-ignore format: one ioctl a line, as in the header.
export const IOCTL = {
  KVM_GET_API_VERSION:           io(0x00),
  KVM_CREATE_VM:                 io(0x01),
  KVM_GET_MSR_INDEX_LIST:        iowr(0x02, SIZEOF.kvm_msr_list),
  KVM_CHECK_EXTENSION:           io(0x03),
  KVM_GET_VCPU_MMAP_SIZE:        io(0x04),
  KVM_GET_SUPPORTED_CPUID:       iowr(0x05, SIZEOF.kvm_cpuid2),
  KVM_CREATE_VCPU:               io(0x41),
  KVM_GET_DIRTY_LOG:             iow(0x42, SIZEOF.kvm_dirty_log),
  KVM_SET_USER_MEMORY_REGION:    iow(0x46, SIZEOF.kvm_userspace_memory_region),
  KVM_SET_TSS_ADDR:              io(0x47),
  KVM_CREATE_IRQCHIP:            io(0x60),
  KVM_IRQ_LINE:                  iow(0x61, SIZEOF.kvm_irq_level),
  KVM_GET_IRQCHIP:               iowr(0x62, SIZEOF.kvm_irqchip),
  KVM_SET_IRQCHIP:               ior(0x63, SIZEOF.kvm_irqchip),
  KVM_IRQ_LINE_STATUS:           iowr(0x67, SIZEOF.kvm_irq_level),
  KVM_REGISTER_COALESCED_MMIO:   iow(0x67, SIZEOF.kvm_coalesced_mmio_zone),
  KVM_UNREGISTER_COALESCED_MMIO: iow(0x68, SIZEOF.kvm_coalesced_mmio_zone),
  KVM_SET_GSI_ROUTING:           iow(0x6a, SIZEOF.kvm_irq_routing),
  KVM_REINJECT_CONTROL:          io(0x71),
  KVM_IRQFD:                     iow(0x76, SIZEOF.kvm_irqfd),
  KVM_CREATE_PIT2:               iow(0x77, SIZEOF.kvm_pit_config),
  KVM_IOEVENTFD:                 iow(0x79, SIZEOF.kvm_ioeventfd),
  KVM_RUN:                       io(0x80),
  KVM_GET_REGS:                  ior(0x81, SIZEOF.kvm_regs),
  KVM_SET_REGS:                  iow(0x82, SIZEOF.kvm_regs),
  KVM_GET_SREGS:                 ior(0x83, SIZEOF.kvm_sregs),
  KVM_SET_SREGS:                 iow(0x84, SIZEOF.kvm_sregs),
  KVM_INTERRUPT:                 iow(0x86, SIZEOF.kvm_interrupt),
  KVM_GET_MSRS:                  iowr(0x88, SIZEOF.kvm_msrs),
  KVM_SET_MSRS:                  iow(0x89, SIZEOF.kvm_msrs),
  KVM_GET_LAPIC:                 ior(0x8e, SIZEOF.kvm_lapic_state),
  KVM_SET_LAPIC:                 iow(0x8f, SIZEOF.kvm_lapic_state),
  KVM_SET_CPUID2:                iow(0x90, SIZEOF.kvm_cpuid2),
  KVM_GET_MP_STATE:              ior(0x98, SIZEOF.kvm_mp_state),
  KVM_SET_MP_STATE:              iow(0x99, SIZEOF.kvm_mp_state),
  KVM_NMI:                       io(0x9a),
  KVM_SET_GUEST_DEBUG:           iow(0x9b, SIZEOF.kvm_guest_debug),
  KVM_GET_PIT2:                  ior(0x9f, SIZEOF.kvm_pit_state2),
  KVM_GET_VCPU_EVENTS:           ior(0x9f, SIZEOF.kvm_vcpu_events),
  KVM_SET_PIT2:                  iow(0xa0, SIZEOF.kvm_pit_state2),
  KVM_SET_VCPU_EVENTS:           iow(0xa0, SIZEOF.kvm_vcpu_events),
  KVM_GET_DEBUGREGS:             ior(0xa1, SIZEOF.kvm_debugregs),
  KVM_SET_DEBUGREGS:             iow(0xa2, SIZEOF.kvm_debugregs),
  KVM_ENABLE_CAP:                iow(0xa3, SIZEOF.kvm_enable_cap),
} as const;
