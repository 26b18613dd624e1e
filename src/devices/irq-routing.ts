/**
 * GSI routing: which pins of which controllers one interrupt line of the machine leads to, and back from a pin to
 * the line for those who wait for its end or watch its mask (Linux: virt/kvm/irqchip.c, arch/x86/kvm/irq_comm.c).
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
} from '../uapi/kvm.ts';

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
}

/** GSIs that a routing table may name. */
export const KVM_MAX_IRQ_ROUTES = 4096;

const PIC_PINS_PER_CHIP = 8;
const IOAPIC_PINS = 24;
const PIC_PINS = 16;

/** One pin that a GSI leads to. PIC pins are 0–15. */
interface Route {
  readonly chip: IrqchipInput;
  readonly pin: number;
}

/** What hangs on one GSI. */
interface Gsi {
  /** In the order of the table. */
  routes: Route[];
  readonly ack: (() => void)[];
  readonly mask: ((masked: boolean) => void)[];
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

/** The functions as they are, without probes. */
export const IRQ_ROUTING_FUNCTIONS: Readonly<IrqRoutingFunctions> = {
  kvmSetIrq,
  kvmNotifyAckedIrq,
  kvmFireMaskNotifiers,
};

/** The table KVM_CREATE_IRQCHIP installs. */
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

const NO_ROUTES: readonly Route[] = [];
const NO_NOTIFIERS: readonly never[] = [];

/** Where interrupt lines lead. */
export class IrqRouting {
  fn: IrqRoutingFunctions = IRQ_ROUTING_FUNCTIONS;
  trace: IrqRoutingTrace | null = null;
  readonly #pic: IrqchipInput;
  readonly #ioapic: IrqchipInput | null;
  #entries: KvmIrqRoutingEntry[] = [];
  readonly #gsis: Gsi[] = [];
  /** From a pin back to its GSI, −1 for none. */
  readonly #picGsi: number[] = new Array<number>(PIC_PINS).fill(-1);
  readonly #ioapicGsi: number[] = new Array<number>(IOAPIC_PINS).fill(-1);

  /** @param ioapic null: a machine without one; routes to it lead nowhere. */
  constructor(pic: IrqchipInput, ioapic: IrqchipInput | null = null) {
    this.#pic = pic;
    this.#ioapic = ioapic;
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
    this.#gsi(gsi).ack.push(notify);
  }

  /** `notify` runs whenever `gsi` is masked or unmasked in one of its controllers. */
  registerIrqMaskNotifier(gsi: number, notify: (masked: boolean) => void): void {
    this.#gsi(gsi).mask.push(notify);
  }

  /** The table as it was set. */
  getRouting(): KvmIrqRoutingEntry[] {
    return this.#entries.map((entry) => ({ ...entry }));
  }

  /**
   * KVM_SET_GSI_ROUTING, the irqchip entries: replaces the table. PIC pins are 0–7 of the chip named.
   *
   * @throws EmulatorError for a pin or GSI out of range, and for two pins of one controller on one GSI (KVM: −EINVAL).
   */
  setRouting(entries: readonly KvmIrqRoutingEntry[]): void {
    const seen = new Set<string>();
    for (const { gsi, irqchip, pin } of entries) {
      checkGsi(gsi);
      const pins = irqchip === KVM_IRQCHIP_IOAPIC ? IOAPIC_PINS : PIC_PINS_PER_CHIP;
      const isChip = irqchip >= KVM_IRQCHIP_PIC_MASTER && irqchip <= KVM_IRQCHIP_IOAPIC;
      if (!isChip || !Number.isInteger(pin) || pin < 0 || pin >= pins) {
        throw new EmulatorError('E_ARGUMENT', `irq-routing: irqchip ${irqchip} has no pin ${pin}`);
      }
      const key = `${gsi}:${irqchip}`;
      if (seen.has(key)) {
        throw new EmulatorError(
          'E_ARGUMENT',
          `irq-routing: gsi ${gsi} is mapped twice to irqchip ${irqchip}`,
        );
      }
      seen.add(key);
    }
    this.#entries = entries.map((entry) => ({ ...entry }));
    for (const gsi of this.#gsis) if (gsi !== undefined) gsi.routes = [];
    this.#picGsi.fill(-1);
    this.#ioapicGsi.fill(-1);
    for (const entry of this.#entries) this.#addRoute(entry);
  }

  #addRoute({ gsi, irqchip, pin }: KvmIrqRoutingEntry): void {
    if (irqchip === KVM_IRQCHIP_IOAPIC) {
      this.#ioapicGsi[pin] = gsi;
      if (this.#ioapic !== null) this.#gsi(gsi).routes.push({ chip: this.#ioapic, pin });
      return;
    }
    const picPin = irqchip === KVM_IRQCHIP_PIC_SLAVE ? pin + PIC_PINS_PER_CHIP : pin;
    this.#picGsi[picPin] = gsi;
    this.#gsi(gsi).routes.push({ chip: this.#pic, pin: picPin });
  }

  #gsi(gsi: number): Gsi {
    checkGsi(gsi);
    this.#gsis[gsi] ??= { routes: [], ack: [], mask: [] };
    return this.#gsis[gsi];
  }

  /** @internal Pins of a GSI. */
  routesOf(gsi: number): readonly Route[] {
    return this.#gsis[gsi]?.routes ?? NO_ROUTES;
  }

  /** @internal Who waits for the end of an interrupt on a pin. */
  ackNotifiersOf(irqchip: number, pin: number): readonly (() => void)[] {
    return this.#gsis[this.#gsiOf(irqchip, pin)]?.ack ?? NO_NOTIFIERS;
  }

  /** @internal Who watches the mask of a pin. */
  maskNotifiersOf(irqchip: number, pin: number): readonly ((masked: boolean) => void)[] {
    return this.#gsis[this.#gsiOf(irqchip, pin)]?.mask ?? NO_NOTIFIERS;
  }

  #gsiOf(irqchip: number, pin: number): number {
    return irqchip === KVM_IRQCHIP_IOAPIC ? this.#ioapicGsi[pin] : this.#picGsi[pin];
  }
}

function checkGsi(gsi: number): void {
  if (Number.isInteger(gsi) && gsi >= 0 && gsi < KVM_MAX_IRQ_ROUTES) return;
  throw new EmulatorError('E_ARGUMENT', `irq-routing: gsi ${gsi} is not 0–${KVM_MAX_IRQ_ROUTES - 1}`);
}
