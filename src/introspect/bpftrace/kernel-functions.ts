/**
 * The kernel's functions as probes see them: which of ours stands for which, and what their arguments and results are
 * in the kernel's order and meaning (the `@kvm` tags; a test compares the two).
 */
import { IO_NOT_HANDLED } from '../../bus/io-device.ts';
import { PIT_FUNCTIONS } from '../../devices/i8254.ts';
import { PIC_FUNCTIONS } from '../../devices/i8259.ts';
import { IOAPIC_FUNCTIONS } from '../../devices/ioapic.ts';
import { IRQ_ROUTING_FUNCTIONS } from '../../devices/irq-routing.ts';
import { LAPIC_FUNCTIONS } from '../../devices/lapic.ts';
import type { KvmVcpu } from '../../emulate/kvm-vcpu.ts';
import { VCPU_CREATION_FUNCTIONS } from '../../kvm/create-vcpu.ts';
import { KVM_FUNCTIONS } from '../../kvm/functions.ts';
import { KVM_EVENT_FUNCTIONS } from '../../kvm/vm-events.ts';
import { kernelName } from '../../trace/call-graph.ts';
import { EOPNOTSUPP } from '../../uapi/errno.ts';

/** Every table whose functions a probe can be attached to. */
export const PROBED_TABLES: readonly object[] = [
  KVM_FUNCTIONS,
  VCPU_CREATION_FUNCTIONS,
  KVM_EVENT_FUNCTIONS,
  PIT_FUNCTIONS,
  PIC_FUNCTIONS,
  IOAPIC_FUNCTIONS,
  LAPIC_FUNCTIONS,
  IRQ_ROUTING_FUNCTIONS,
];

/** Every function that goes through a table: kernel name → our name. */
export const PROBED_FUNCTIONS: ReadonlyMap<string, string> = new Map(
  PROBED_TABLES.flatMap((table) =>
    Object.keys(table).map((name): [string, string] => [kernelName(name), name]),
  ),
);

/**
 * Where the kernel's arguments come from, where they are not ours one for one: a number is ours, `vcpu`, `ctxt` and
 * `kvm` are the machine's, `idx` is the bus number of our first, `dev` its `kvm_io_device`, `len` the length of our
 * second, `ptr` is a pointer to the caller's stack, 0 is written `zero` and 1
 * (EPOLLIN) `one`, `gpa` is the address of an EPT violation.
 */
const ARGUMENTS: Readonly<Record<string, string>> = {
  kvm_io_bus_read: 'vcpu idx 1 2 ptr',
  kvm_io_bus_write: 'vcpu idx 1 2 ptr',
  kvm_io_bus_write_cookie: 'vcpu idx 1 2 ptr 4',
  __kvm_io_bus_read: 'vcpu 0 ptr ptr',
  __kvm_io_bus_write: 'vcpu 0 ptr ptr',
  kvm_iodevice_read: 'vcpu 0 1 2 ptr',
  kvm_iodevice_write: 'vcpu 0 1 2 ptr',
  kvm_io_bus_register_dev: 'kvm idx 1 2 3',
  kvm_io_bus_unregister_dev: 'kvm idx 1',
  vmx_handle_exit: '0 zero',
  vmx_vcpu_reset: '0 zero',
  emulator_pio_in_emulated: 'ctxt 1 2 3 4',
  emulator_pio_out_emulated: 'ctxt 1 2 3 4',
  kernel_pio: '0 3',
  x86_emulate_instruction: '0 zero 1 zero zero',
  x86_decode_emulated_instruction: '0 zero zero zero',
  kvm_vcpu_check_code_breakpoint: '0 zero ptr',
  x86_emulate_insn: 'ctxt',
  check_perm_in: 'ctxt',
  check_perm_out: 'ctxt',
  emulator_io_permitted: 'ctxt 1 2',
  emulator_io_port_access_allowed: 'ctxt 1 2',
  vcpu_mmio_read: '0 1 4 ptr',
  vcpu_mmio_write: '0 1 4 ptr',
  kvm_mmu_page_fault: '0 gpa zero zero zero',
  em_in: 'ctxt',
  em_out: 'ctxt',
  pio_in_emulated: 'ctxt 1 2 3',
  pit_ioport_write: 'vcpu 0 1 2 ptr',
  pit_ioport_read: 'vcpu 0 1 2 ptr',
  speaker_ioport_write: 'vcpu 0 1 2 ptr',
  speaker_ioport_read: 'vcpu 0 1 2 ptr',
  pic_irq_request: 'kvm 1',
  pic_clear_isr: '1 2',
  pic_get_irq: '1',
  pic_intack: '1 2',
  kvm_pic_read_irq: 'kvm',
  kvm_pic_reset: '1',
  pic_ioport_write: '1 2 3',
  pic_poll_read: '1 2',
  pic_ioport_read: '1 2',
  picdev_write: '0 1 2 ptr',
  picdev_read: '0 1 2 ptr',
  picdev_master_write: 'vcpu 0 1 2 ptr',
  picdev_master_read: 'vcpu 0 1 2 ptr',
  picdev_slave_write: 'vcpu 0 1 2 ptr',
  picdev_slave_read: 'vcpu 0 1 2 ptr',
  picdev_eclr_write: 'vcpu 0 1 2 ptr',
  picdev_eclr_read: 'vcpu 0 1 2 ptr',
  kvm_ioapic_update_eoi_one: 'vcpu 0 1 2',
  kvm_ioapic_update_eoi: 'vcpu 1 2',
  ioapic_mmio_read: 'vcpu 0 1 2 ptr',
  ioapic_mmio_write: 'vcpu 0 1 2 ptr',
  kvm_ioapic_scan_entry: 'vcpu 1',
  kvm_rtc_eoi_tracking_restore_one: 'vcpu',
  __apic_update_ppr: '0 ptr',
  kvm_lapic_set_tpr: 'vcpu 1',
  kvm_lapic_get_cr8: 'vcpu',
  kvm_apic_has_interrupt: 'vcpu',
  kvm_apic_ack_interrupt: 'vcpu 1',
  kvm_apic_accept_pic_intr: 'vcpu',
  __apic_accept_irq: '0 1 2 3 4 zero',
  kvm_apic_set_irq: 'vcpu 1 zero',
  kvm_apic_nmi_wd_deliver: 'vcpu',
  kvm_apic_match_dest: 'vcpu 1 2 3 4',
  kvm_irq_delivery_to_apic_fast: 'kvm 1 2 ptr zero',
  kvm_irq_delivery_to_apic: 'kvm 1 2 zero',
  kvm_set_msi_irq: 'kvm ptr 3',
  kvm_set_msi: 'ptr kvm zero 4 zero',
  apic_timer_fn: 'ptr',
  apic_timer_expired: '0 zero',
  apic_has_pending_timer: 'vcpu',
  kvm_inject_apic_timer_irqs: 'vcpu',
  kvm_get_lapic_tscdeadline_msr: 'vcpu',
  kvm_set_lapic_tscdeadline_msr: 'vcpu 1',
  kvm_lapic_reg_read: '0 1 2 ptr',
  apic_mmio_read: 'vcpu ptr 1 2 ptr',
  apic_mmio_write: 'vcpu ptr 1 2 ptr',
  kvm_apic_set_base: 'vcpu 1 2',
  kvm_lapic_reset: 'vcpu 1',
  kvm_apic_get_state: 'vcpu 1',
  kvm_apic_set_state: 'vcpu 1',
  vcpu_scan_ioapic: 'vcpu',
  kvm_set_irq: 'kvm 1 2 3 4',
  kvm_notify_acked_irq: 'kvm 1 2',
  kvm_fire_mask_notifiers: 'kvm 1 2 3',
  kvm_set_irq_routing: 'kvm 1 len zero',
  kvm_ioeventfd: 'kvm 1',
  kvm_assign_ioeventfd: 'kvm 1',
  kvm_assign_ioeventfd_idx: 'kvm 1 2',
  kvm_deassign_ioeventfd: 'kvm 1',
  kvm_deassign_ioeventfd_idx: 'kvm 1 2',
  ioeventfd_check_collision: 'kvm 1',
  ioeventfd_write: 'vcpu dev 1 2 ptr',
  ioeventfd_in_range: '0 1 2 ptr',
  kvm_irqfd: 'kvm 1',
  kvm_irqfd_assign: 'kvm 1',
  kvm_irqfd_deassign: 'kvm 1',
  irqfd_wakeup: '0 zero zero one',
  kvm_notify_irqfd_resampler: 'kvm 1 2',
  kvm_vm_ioctl_register_coalesced_mmio: 'kvm 1',
  kvm_vm_ioctl_unregister_coalesced_mmio: 'kvm 1',
  coalesced_mmio_write: 'vcpu dev 1 2 ptr',
};

/** Ours answer with the value read; the kernel's with 0 or −EOPNOTSUPP. */
const READERS =
  /^(?:__)?kvm_io_bus_read$|^kvm_iodevice_read$|_ioport_read$|^picdev_.*read$|^(?:io)?apic_mmio_read$/;
/** Ours answer whether it was taken. */
const WRITERS =
  /^kvm_io_bus_write$|^kvm_iodevice_write$|^(?:ioeventfd|coalesced_mmio)_write$|_ioport_write$|^picdev_.*write$|^(?:io)?apic_mmio_write$/;
/** Ports of one chip: no bus device, so what they return is the value. */
const CHIP_PORTS = /^(?:pic|elcr)_ioport_/;

/** A place on the kernel's stack. */
const STACK_POINTER = 0xffff_b048_0123_fd80n;

/** The descriptor of a vCPU in a process that has opened /dev/kvm (3), a machine (4) and then it. */
const VCPU_FD = 5n;

/** What arguments are looked up in. */
export interface ArgumentSource {
  readonly vcpu: object | null;
  readonly ctxt: object | null;
  readonly kvm: object | null;
  addressOf(object: object): bigint;
}

/** A value of ours as the kernel's 64 bits. */
function word(value: unknown, source: ArgumentSource): bigint {
  switch (typeof value) {
    case 'number':
      return BigInt(Math.trunc(value));
    case 'boolean':
      return value ? 1n : 0n;
    case 'object':
      return value === null ? 0n : BigInt.asIntN(64, source.addressOf(value));
    default:
      return 0n;
  }
}

function argument(token: string, args: readonly unknown[], source: ArgumentSource): bigint {
  switch (token) {
    case 'vcpu':
      return word(source.vcpu, source);
    case 'ctxt':
      return word(source.ctxt, source);
    case 'kvm':
      return word(source.kvm, source);
    case 'idx':
      return word((args[0] as { idx: number }).idx, source);
    case 'dev':
      return word((args[0] as { dev: object }).dev, source);
    case 'len':
      return word((args[1] as ArrayLike<unknown>).length, source);
    case 'ptr':
      return BigInt.asIntN(64, STACK_POINTER);
    case 'gpa':
      return word((args[0] as Partial<KvmVcpu>).cpu?.exitGuestPhysicalAddress ?? 0, source);
    case 'zero':
      return 0n;
    case 'one':
      return 1n;
    default:
      return word(args[Number(token)], source);
  }
}

/** `arg0`, `arg1` … of a call. */
export function kernelArguments(name: string, args: readonly unknown[], source: ArgumentSource): bigint[] {
  const tokens = ARGUMENTS[name]?.split(' ') ?? args.map((_, i) => String(i));
  return tokens.map((token) => argument(token, args, source));
}

/** `retval` of a call. */
export function kernelResult(name: string, retval: unknown, source: ArgumentSource): bigint {
  if (name === 'kvm_vm_ioctl_create_vcpu' && typeof retval === 'object') return VCPU_FD;
  if (!CHIP_PORTS.test(name)) {
    if (READERS.test(name)) return retval === IO_NOT_HANDLED ? BigInt(-EOPNOTSUPP) : 0n;
    if (WRITERS.test(name)) return retval === true ? 0n : BigInt(-EOPNOTSUPP);
  }
  return word(retval, source);
}
