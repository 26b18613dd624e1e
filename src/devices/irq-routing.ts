/**
 * GSI routing: which pins of which controllers one interrupt line of the machine leads to, and back from a pin to
 * the line for those who wait for its end or watch its mask (Linux: virt/kvm/irqchip.c, arch/x86/kvm/irq_comm.c).
 * What the table may hold is in irq-routing-table.ts.
 *
 * By default GSI 0–15 lead to the IOAPIC pin and to the PIC pin of that number, in this order, and GSI 16–23 to the
 * IOAPIC alone. KVM: GSI 0 is IOAPIC pin 0; on most PCs the timer sits on pin 2.
 */
import { EmulatorError } from '../errors.ts';
import {
  KVM_IRQCHIP_IOAPIC,
  KVM_IRQCHIP_PIC_MASTER,
  KVM_IRQCHIP_PIC_SLAVE,
  type KvmIrqRoutingEntry,
  type KvmIrqRoutingMsi,
} from '../uapi/kvm.ts';
import {
  buildIrqRoutingTable,
  defaultIrqRouting,
  IOAPIC_PINS,
  type IrqRoute,
  type IrqRouteTargets,
  KVM_MAX_IRQ_ROUTES,
  KvmIrqRoutingTable,
  PIC_PINS,
  PIC_PINS_PER_CHIP,
} from './irq-routing-table.ts';

export { defaultIrqRouting, KVM_MAX_IRQ_ROUTES };

/** An interrupt controller, as routing sees it: pins with wired-OR inputs. PIC pins are 0–15. */
export interface IrqchipInput {
  /** @returns −1 masked, 0 coalesced, else the number of processors that got it. */
  setIrq(pin: number, sourceId: number, level: number, lineStatus: boolean): number;
  addAckNotifier(pin: number, notify: () => void): void;
  addMaskNotifier(pin: number, notify: (masked: boolean) => void): void;
}

/** Tracepoint `kvm_set_irq`. */
export interface IrqRoutingTrace {
  setIrq(gsi: number, level: number, sourceId: number): void;
}

/** The mirrored functions of routing. */
export interface IrqRoutingFunctions {
  kvmSetIrq(kvm: IrqRouting, irqSourceId: number, irq: number, level: number, lineStatus: boolean): number;
  kvmNotifyAckedIrq(kvm: IrqRouting, irqchip: number, pin: number): void;
  kvmFireMaskNotifiers(kvm: IrqRouting, irqchip: number, pin: number, mask: boolean): void;
  kvmSetIrqRouting(kvm: IrqRouting, ue: readonly Readonly<KvmIrqRoutingEntry>[]): number;
}

/** Who listens to one GSI. The lists are replaced, never changed: a listener may go while they are gone through. */
interface Listeners {
  ack: readonly (() => void)[];
  mask: readonly ((masked: boolean) => void)[];
}

/**
 * Drives a GSI on behalf of a source; every pin it leads to sees the level.
 *
 * @returns −1 when no pin took it, else the sum of what the others answered: 0 coalesced, above 0 delivered.
 * @kvm kvm_set_irq(kvm, irq_source_id, irq, level, line_status) virt/kvm/irqchip.c
 */
export function kvmSetIrq(
  kvm: IrqRouting,
  irqSourceId: number,
  irq: number,
  level: number,
  lineStatus: boolean,
): number {
  if (kvm.trace !== null) kvm.trace.setIrq(irq, level, irqSourceId);
  let ret = -1;
  const routes = kvm.routesOf(irq);
  for (let i = 0; i < routes.length; i++) {
    const r = routes[i].chip.setIrq(routes[i].pin, irqSourceId, level, lineStatus);
    if (r >= 0) ret = r + Math.max(ret, 0);
  }
  return ret;
}

/**
 * The interrupt on a pin has ended: tells who waits for that on its GSI.
 *
 * @param pin PIC pins are 0–15.
 * @kvm kvm_notify_acked_irq(kvm, irqchip, pin) virt/kvm/eventfd.c
 */
export function kvmNotifyAckedIrq(kvm: IrqRouting, irqchip: number, pin: number): void {
  const notifiers = kvm.ackNotifiersOf(irqchip, pin);
  for (let i = 0; i < notifiers.length; i++) notifiers[i]();
}

/**
 * The mask bit of a pin has changed: tells who watches its GSI.
 *
 * @param pin PIC pins are 0–15.
 * @kvm kvm_fire_mask_notifiers(kvm, irqchip, pin, mask) arch/x86/kvm/irq_comm.c
 */
export function kvmFireMaskNotifiers(kvm: IrqRouting, irqchip: number, pin: number, mask: boolean): void {
  const notifiers = kvm.maskNotifiersOf(irqchip, pin);
  for (let i = 0; i < notifiers.length; i++) notifiers[i](mask);
}

/**
 * Replaces the table; a list with a fault changes nothing.
 *
 * @returns 0, or −EINVAL for a pin, chip, flag or GSI out of range, and for two pins of one chip on one GSI.
 * @kvm kvm_set_irq_routing(kvm, ue, nr, flags) virt/kvm/irqchip.c
 */
export function kvmSetIrqRouting(kvm: IrqRouting, ue: readonly Readonly<KvmIrqRoutingEntry>[]): number {
  const table = buildIrqRoutingTable(kvm, ue);
  if (typeof table === 'number') return table;
  kvm.table = table;
  kvm.makeScanRequest();
  return 0;
}

/** The functions as they are, without probes. */
export const IRQ_ROUTING_FUNCTIONS: Readonly<IrqRoutingFunctions> = {
  kvmSetIrq,
  kvmNotifyAckedIrq,
  kvmFireMaskNotifiers,
  kvmSetIrqRouting,
};

const NO_ROUTES: readonly IrqRoute[] = [];
const NO_NOTIFIERS: readonly never[] = [];

/** Where interrupt lines lead. */
export class IrqRouting implements IrqRouteTargets {
  fn: IrqRoutingFunctions;
  trace: IrqRoutingTrace | null = null;
  readonly pic: IrqchipInput;
  readonly ioapic: IrqchipInput | null;
  /** See {@link IrqRouteTargets}; routes to messages take the one that is here when the table is set. */
  deliverMsi: ((msi: Readonly<KvmIrqRoutingMsi>) => number) | null = null;
  /** Told when another table or another listener changes whose ends of interrupt the local APICs must report. */
  makeScanRequest: () => void = () => {};
  /** @internal The table in force. */
  table = new KvmIrqRoutingTable([]);
  readonly #listeners: Listeners[] = [];

  /**
   * @param ioapic null: a machine without one; routes to it lead nowhere.
   * @param fn the functions, plain or traced.
   */
  constructor(
    pic: IrqchipInput,
    ioapic: IrqchipInput | null = null,
    fn: IrqRoutingFunctions = IRQ_ROUTING_FUNCTIONS,
  ) {
    this.pic = pic;
    this.ioapic = ioapic;
    this.fn = fn;
    for (let pin = 0; pin < PIC_PINS; pin++) {
      this.#listen(pic, pin < PIC_PINS_PER_CHIP ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE, pin);
    }
    if (ioapic !== null) {
      for (let pin = 0; pin < IOAPIC_PINS; pin++) this.#listen(ioapic, KVM_IRQCHIP_IOAPIC, pin);
    }
    this.setRouting(defaultIrqRouting());
  }

  #listen(chip: IrqchipInput, irqchip: number, pin: number): void {
    chip.addAckNotifier(pin, () => this.fn.kvmNotifyAckedIrq(this, irqchip, pin));
    chip.addMaskNotifier(pin, (masked) => this.fn.kvmFireMaskNotifiers(this, irqchip, pin, masked));
  }

  /** Source `sourceId` drives `gsi`. @returns see {@link kvmSetIrq}. */
  setIrq(sourceId: number, gsi: number, level: number, lineStatus = false): number {
    return this.fn.kvmSetIrq(this, sourceId, gsi, level, lineStatus);
  }

  /** `notify` runs whenever an interrupt of `gsi` ends, in whichever controller. */
  registerIrqAckNotifier(gsi: number, notify: () => void): void {
    const listeners = this.#listenersOf(gsi);
    listeners.ack = [...listeners.ack, notify];
    this.makeScanRequest();
  }

  /** Undoes {@link registerIrqAckNotifier}. */
  unregisterIrqAckNotifier(gsi: number, notify: () => void): void {
    const listeners = this.#listenersOf(gsi);
    listeners.ack = listeners.ack.filter((n) => n !== notify);
    this.makeScanRequest();
  }

  /** `notify` runs whenever `gsi` is masked or unmasked in one of its controllers. */
  registerIrqMaskNotifier(gsi: number, notify: (masked: boolean) => void): void {
    const listeners = this.#listenersOf(gsi);
    listeners.mask = [...listeners.mask, notify];
  }

  /** The table as it was set. */
  getRouting(): KvmIrqRoutingEntry[] {
    return this.table.entries.map((entry) => ({ ...entry }));
  }

  /** KVM_SET_GSI_ROUTING: replaces the table. PIC pins are 0–7 of the chip named. @returns see {@link kvmSetIrqRouting}. */
  setRouting(entries: readonly Readonly<KvmIrqRoutingEntry>[]): number {
    return this.fn.kvmSetIrqRouting(this, entries);
  }

  /** The list in force, which is replaced as a whole and never changed. Who waits for interrupts is wiring. */
  saveState(): readonly KvmIrqRoutingEntry[] {
    return this.table.entries;
  }

  /** Restores what {@link saveState} returned. */
  loadState(entries: readonly KvmIrqRoutingEntry[]): void {
    if (entries !== this.table.entries) kvmSetIrqRouting(this, entries);
  }

  #listenersOf(gsi: number): Listeners {
    if (!Number.isInteger(gsi) || gsi < 0 || gsi >= KVM_MAX_IRQ_ROUTES) {
      throw new EmulatorError('E_ARGUMENT', `irq-routing: gsi ${gsi} is not 0–${KVM_MAX_IRQ_ROUTES - 1}`);
    }
    this.#listeners[gsi] ??= { ack: NO_NOTIFIERS, mask: NO_NOTIFIERS };
    return this.#listeners[gsi];
  }

  /** @internal Pins of a GSI. */
  routesOf(gsi: number): readonly IrqRoute[] {
    return this.table.map[gsi] ?? NO_ROUTES;
  }

  /** @internal Who waits for the end of an interrupt on a pin. */
  ackNotifiersOf(irqchip: number, pin: number): readonly (() => void)[] {
    return this.#listeners[this.gsiOfPin(irqchip, pin)]?.ack ?? NO_NOTIFIERS;
  }

  /** @internal Who watches the mask of a pin. */
  maskNotifiersOf(irqchip: number, pin: number): readonly ((masked: boolean) => void)[] {
    return this.#listeners[this.gsiOfPin(irqchip, pin)]?.mask ?? NO_NOTIFIERS;
  }

  /**
   * The GSI that leads to a pin, −1 for none. PIC pins are 0–15.
   *
   * @kvm kvm_irq_map_chip_pin(kvm, irqchip, pin) virt/kvm/irqchip.c (as gsiOfPin)
   */
  gsiOfPin(irqchip: number, pin: number): number {
    return irqchip === KVM_IRQCHIP_IOAPIC ? this.table.ioapicGsi[pin] : this.table.picGsi[pin];
  }
}
