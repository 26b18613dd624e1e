/**
 * Addresses for what a kernel would have allocated: made up, but kernel-looking, with the kernel's offsets between the
 * members of one structure, and the same in every run (Linux: Documentation/arch/x86/x86_64/mm.rst).
 */
import type { Vm } from '../kvm/vm.ts';

/** The process that every run claims to be, so that two runs print the same. */
export const USERSPACE_PID = 1000;
/** Its name, and the name of its only thread. */
export const USERSPACE_COMM = 'pio86';

/** Somewhere in the direct mapping of all physical memory. */
const DIRECT_MAP = 0xffff_a048_8000_0000n;
/** Where the kvm module lies. */
const MODULE = 0xffff_ffff_c0b0_0000n;
/** One allocation to the next. */
const OBJECT_STRIDE = 0x2000n;
/** `struct kvm_io_device` is one pointer. */
const IO_DEVICE_BYTES = 8n;
const IOAPIC_DEV_OFFSET = 0x198n;
const PIC_DEV_OFFSET = 0x760n;
const IOEVENTFD_DEV_OFFSET = 0x30n;
const COALESCED_DEV_OFFSET = 0x10n;

/** Offsets of `kvm_io_device_ops` in the module's read-only data. */
const OPS_OFFSETS: ReadonlyMap<string, bigint> = new Map([
  ['picdev_eclr_ops', 0x3660n],
  ['picdev_slave_ops', 0x3680n],
  ['picdev_master_ops', 0x36a0n],
  ['speaker_dev_ops', 0x3790n],
  ['pit_dev_ops', 0x37b0n],
  ['ioapic_mmio_ops', 0x37d0n],
  ['coalesced_mmio_ops', 0x3800n],
  ['ioeventfd_ops', 0x3820n],
]);

/** The address of an ops symbol; 0 for one that no kernel has. */
export function opsAddress(symbol: string): bigint {
  const offset = OPS_OFFSETS.get(symbol);
  return offset === undefined ? 0n : MODULE + offset;
}

/** `0xffffa04880002000` */
export function addressText(address: bigint): string {
  return `0x${address.toString(16)}`;
}

/** Gives every object of one machine an address when it is first asked for. */
export class KernelAddresses {
  readonly #known = new Map<object, bigint>();
  #next = DIRECT_MAP;

  /** Where `object` lies. */
  of(object: object): bigint {
    const known = this.#known.get(object);
    if (known !== undefined) return known;
    return this.#place(object, this.#allocate());
  }

  /** Lays a machine out: what shares a structure in the kernel lies side by side. */
  addVm(vm: Vm): void {
    const { pic, ioapic, pit, events } = vm;
    this.of(vm);
    for (const bus of vm.buses) this.of(bus);
    if (pic !== null) {
      const base = this.#allocate() + PIC_DEV_OFFSET;
      this.#place(pic, base - PIC_DEV_OFFSET);
      this.#place(pic.devMaster, base);
      this.#place(pic.devSlave, base + IO_DEVICE_BYTES);
      this.#place(pic.devEclr, base + 2n * IO_DEVICE_BYTES);
    }
    if (ioapic !== null) this.#place(ioapic.dev, this.of(ioapic) + IOAPIC_DEV_OFFSET);
    if (pit !== null) {
      this.#place(pit.pitDev, this.of(pit));
      this.#place(pit.speakerDev, this.of(pit) + IO_DEVICE_BYTES);
    }
    for (const entry of events.ioeventfds) this.#place(entry.dev, this.of(entry) + IOEVENTFD_DEV_OFFSET);
    for (const zone of events.coalescedZones) this.#place(zone.dev, this.of(zone) + COALESCED_DEV_OFFSET);
  }

  #allocate(): bigint {
    this.#next += OBJECT_STRIDE;
    return this.#next;
  }

  #place(object: object, address: bigint): bigint {
    this.#known.set(object, address);
    return address;
  }
}
