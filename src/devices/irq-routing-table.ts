/**
 * The table behind GSI routing: from what userspace lists to the pins of each GSI, and from a pin back to its GSI
 * (Linux: virt/kvm/irqchip.c, `struct kvm_irq_routing_table`; arch/x86/kvm/irq_comm.c).
 */
import { EINVAL } from '../uapi/errno.ts';
import {
  KVM_IRQ_ROUTING_IRQCHIP,
  KVM_IRQ_ROUTING_MSI,
  KVM_IRQCHIP_IOAPIC,
  KVM_IRQCHIP_PIC_MASTER,
  KVM_IRQCHIP_PIC_SLAVE,
  type KvmIrqRoutingEntry,
  type KvmIrqRoutingMsi,
} from '../uapi/kvm.ts';

/** GSIs that a table may name, and entries that it may have. */
export const KVM_MAX_IRQ_ROUTES = 4096;

export const PIC_PINS_PER_CHIP = 8;
export const PIC_PINS = 16;
export const IOAPIC_PINS = 24;

/** What a GSI leads to: a pin of a controller, or a message. */
export interface IrqRoute {
  readonly irqchip: number;
  /** PIC pins are 0–15. */
  readonly pin: number;
  readonly chip: {
    /** @returns −1 masked or ignored, 0 coalesced, else the number of processors that got it. */
    setIrq(pin: number, sourceId: number, level: number, lineStatus: boolean): number;
  };
}

/** Who the routes lead to. */
export interface IrqRouteTargets {
  readonly pic: IrqRoute['chip'];
  /** Null: a machine without one; routes to it lead nowhere. */
  readonly ioapic: IrqRoute['chip'] | null;
  /**
   * Sends a message-signalled interrupt to the local APICs; null where there are none, and then no message is routed.
   *
   * @returns how many took it; −1 when none is addressed.
   */
  readonly deliverMsi: ((msi: Readonly<KvmIrqRoutingMsi>) => number) | null;
}

/** `struct kvm_irq_routing_table`. A new list makes a new one. */
export class KvmIrqRoutingTable {
  readonly entries: readonly Readonly<KvmIrqRoutingEntry>[];
  /** By GSI, in the order of the list. */
  readonly map: IrqRoute[][] = [];
  /** From a PIC or IOAPIC pin back to its GSI, −1 for none. */
  readonly picGsi: number[] = new Array<number>(PIC_PINS).fill(-1);
  readonly ioapicGsi: number[] = new Array<number>(IOAPIC_PINS).fill(-1);

  constructor(entries: readonly Readonly<KvmIrqRoutingEntry>[]) {
    this.entries = entries;
  }
}

/** A route that is a message: it goes out when the line rises, and nothing happens when it falls. */
function msiRoute(
  msi: Readonly<KvmIrqRoutingMsi>,
  deliver: (msi: Readonly<KvmIrqRoutingMsi>) => number,
): IrqRoute {
  return {
    irqchip: -1,
    pin: -1,
    chip: { setIrq: (_pin, _source, level) => (level === 0 ? -1 : deliver(msi)) },
  };
}

/** A chip that is not there. */
const NOWHERE: IrqRoute['chip'] = { setIrq: () => -1 };

/**
 * What one entry of the list leads to.
 *
 * @returns it, or −EINVAL for a chip, pin or kind of entry that there is not.
 * @kvm kvm_set_routing_entry(kvm, e, ue) arch/x86/kvm/irq_comm.c (as: the entry returned)
 */
export function kvmSetRoutingEntry(
  kvm: IrqRouteTargets,
  ue: Readonly<KvmIrqRoutingEntry>,
): IrqRoute | number {
  const { irqchip, pin, type = KVM_IRQ_ROUTING_IRQCHIP, msi } = ue;
  if (type === KVM_IRQ_ROUTING_MSI) {
    if (typeof msi !== 'object' || msi === null || kvm.deliverMsi === null) return -EINVAL;
    const { address_lo, address_hi, data } = msi;
    const message = { address_lo: address_lo >>> 0, address_hi: address_hi >>> 0, data: data >>> 0 };
    return msiRoute(message, kvm.deliverMsi);
  }
  if (type !== KVM_IRQ_ROUTING_IRQCHIP || !Number.isInteger(pin) || pin < 0) return -EINVAL;
  switch (irqchip) {
    case KVM_IRQCHIP_PIC_MASTER:
      return pin < PIC_PINS_PER_CHIP ? { irqchip, pin, chip: kvm.pic } : -EINVAL;
    case KVM_IRQCHIP_PIC_SLAVE:
      return pin < PIC_PINS_PER_CHIP ? { irqchip, pin: pin + PIC_PINS_PER_CHIP, chip: kvm.pic } : -EINVAL;
    case KVM_IRQCHIP_IOAPIC:
      return pin < IOAPIC_PINS ? { irqchip, pin, chip: kvm.ioapic ?? NOWHERE } : -EINVAL;
    default:
      return -EINVAL;
  }
}

/** Whether one GSI may lead to both: only to pins of different chips. */
function canShare(a: IrqRoute, b: IrqRoute): boolean {
  return a.irqchip >= 0 && b.irqchip >= 0 && a.irqchip !== b.irqchip;
}

/** A table of the list, or −EINVAL for a list with a fault. */
export function buildIrqRoutingTable(
  kvm: IrqRouteTargets,
  ue: readonly Readonly<KvmIrqRoutingEntry>[],
): KvmIrqRoutingTable | number {
  if (!Array.isArray(ue) || ue.length > KVM_MAX_IRQ_ROUTES) return -EINVAL;
  const rt = new KvmIrqRoutingTable(Array.from(ue, (entry) => ({ ...entry })));
  for (const entry of rt.entries) {
    const { gsi, flags = 0 } = entry;
    if (!Number.isInteger(gsi) || gsi < 0 || gsi >= KVM_MAX_IRQ_ROUTES || flags !== 0) return -EINVAL;
    const route = kvmSetRoutingEntry(kvm, entry);
    if (typeof route === 'number') return route;
    const routes = rt.map[gsi] ?? [];
    if (!routes.every((other) => canShare(other, route))) return -EINVAL;
    rt.map[gsi] = [...routes, route];
    if (route.irqchip === KVM_IRQCHIP_IOAPIC) rt.ioapicGsi[route.pin] = gsi;
    else if (route.irqchip >= 0) rt.picGsi[route.pin] = gsi;
  }
  return rt;
}

/** The list KVM_CREATE_IRQCHIP installs. */
export function defaultIrqRouting(): KvmIrqRoutingEntry[] {
  const table: KvmIrqRoutingEntry[] = [];
  for (let gsi = 0; gsi < IOAPIC_PINS; gsi++) {
    table.push({ gsi, irqchip: KVM_IRQCHIP_IOAPIC, pin: gsi });
    if (gsi >= PIC_PINS) continue;
    const irqchip = gsi < PIC_PINS_PER_CHIP ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE;
    table.push({ gsi, irqchip, pin: gsi % PIC_PINS_PER_CHIP });
  }
  return table;
}
