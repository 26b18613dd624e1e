/**
 * State of the I/O APIC, its redirection entries, and how its functions reach each other (Linux:
 * arch/x86/kvm/ioapic.h, `struct kvm_ioapic`; Intel 82093AA data sheet, “I/O Redirection Table Registers”).
 *
 * Everything that a snapshot must hold is in {@link KvmIoapicChipState}; the rest is wiring.
 */
import type { Alarm, Clock } from '../bus/clock.ts';
import type { IoSize, KvmIoapicRedirectEntry, KvmIoapicState } from '../uapi/kvm.ts';
import type { KvmLapicIrq } from './lapic-state.ts';

/** Pins and redirection entries. */
export const IOAPIC_NUM_PINS = 24;

/** Where the IOAPIC answers on the MMIO bus, and how much of it. */
export const IOAPIC_DEFAULT_BASE_ADDRESS = 0xfec0_0000;
export const IOAPIC_MEM_LENGTH = 0x100;

/**
 * Low half of a redirection entry.
 *
 * | bits  | meaning                                       |
 * | ----- | --------------------------------------------- |
 * | 7:0   | vector                                        |
 * | 10:8  | delivery mode                                 |
 * | 11    | destination mode: 1 = logical                 |
 * | 12    | delivery status (read-only; KVM never sets it) |
 * | 13    | polarity (stored; KVM never looks at it)      |
 * | 14    | remote IRR (read-only)                        |
 * | 15    | trigger: 1 = level                            |
 * | 16    | mask                                          |
 */
export const IOAPIC_VECTOR_MASK = 0xff;
export const IOAPIC_DELIVERY_MODE_SHIFT = 8;
export const IOAPIC_DEST_MODE_SHIFT = 11;
export const IOAPIC_DELIVERY_STATUS = 1 << 12;
export const IOAPIC_REMOTE_IRR = 1 << 14;
export const IOAPIC_LEVEL_TRIG = 1 << 15;
export const IOAPIC_MASKED = 1 << 16;

/** The pin of the real-time clock, whose end of interrupt KVM_IRQ_LINE_STATUS follows. */
export const RTC_GSI = 8;

/** The IOAPIC as plain data: what KVM_GET_IRQCHIP copies, and what it does not. */
export interface KvmIoapicChipState extends KvmIoapicState {
  /** A bitmap of the source ids that hold up each pin. */
  irq_states: number[];
  /** Pins whose bit in `irr` is spent: an edge that was sent. */
  irr_delivered: number;
  /** How often in a row each level pin was sent again at its end of interrupt. */
  irq_eoi: number[];
  /** Processors that have not ended the RTC's interrupt, and its vector. */
  rtc_pending_eoi: number;
  rtc_vector: number;
  /** When the delayed re-delivery is due, nanoseconds; −1 for none. */
  eoi_inject_at: number;
}

/** Tracepoints `kvm_ioapic_set_irq`, `kvm_ioapic_delayed_eoi_inj`, `kvm_ack_irq`. */
export interface IoapicTrace {
  /** The entry as it was before. */
  ioapicSetIrq(low: number, high: number, pin: number, coalesced: boolean): void;
  ioapicDelayedEoiInj(low: number, high: number): void;
  ackIrq(irqchip: number, pin: number): void;
}

/** `struct kvm_ioapic`: the state, and what it is wired to. */
export interface KvmIoapic {
  readonly state: KvmIoapicChipState;
  /** The mirrored functions, plain or traced. */
  fn: IoapicFunctions;
  trace: IoapicTrace | null;
  readonly clock: Clock;
  /** The delayed re-delivery. */
  readonly eoiInject: Alarm;
  /** The interrupt being sent. */
  readonly irqe: KvmLapicIrq;
  /** Sends an interrupt to the local APICs. @returns how many took it; −1 when none is addressed. */
  readonly deliver: (irqe: KvmLapicIrq) => number;
  /** Whether a destination is that of a processor. */
  readonly matchDest: (destId: number, destMode: number) => boolean;
  /** Whether a processor has yet to end a vector. */
  readonly pendingEoi: (vector: number) => boolean;
  /** Whether somebody waits for the ends of a pin's interrupts. */
  readonly hasAckNotifier: (pin: number) => boolean;
  /** Tells the local APICs to ask again which ends the IOAPIC wants to hear of. */
  readonly makeScanRequest: () => void;
  /** Whether an irqfd resampler looks after a pin (and was told to look again). */
  readonly notifyIrqfdResampler: (pin: number) => boolean;
  notifyAckedIrq(pin: number): void;
  fireMaskNotifiers(pin: number, masked: boolean): void;
}

/** The mirrored functions of ioapic.c that call each other. */
export interface IoapicFunctions {
  ioapicReadIndirect(ioapic: KvmIoapic): number;
  ioapicWriteIndirect(ioapic: KvmIoapic, val: number): void;
  ioapicSetIrq(ioapic: KvmIoapic, irq: number, irqLevel: number, lineStatus: boolean): number;
  kvmIoapicInjectAll(ioapic: KvmIoapic, irr: number): void;
  ioapicService(ioapic: KvmIoapic, irq: number, lineStatus: boolean): number;
  kvmIoapicSetIrq(
    ioapic: KvmIoapic,
    irq: number,
    irqSourceId: number,
    level: number,
    lineStatus: boolean,
  ): number;
  kvmIoapicEoiInjectWork(ioapic: KvmIoapic): void;
  kvmIoapicUpdateEoiOne(ioapic: KvmIoapic, triggerMode: number, pin: number, directedEoi: boolean): void;
  kvmIoapicUpdateEoi(ioapic: KvmIoapic, vector: number, triggerMode: number, directedEoi: boolean): void;
  kvmIoapicScanEntry(ioapic: KvmIoapic, ioapicHandledVectors: Uint32Array): void;
  kvmRtcEoiTrackingRestoreOne(ioapic: KvmIoapic): void;
  ioapicMmioRead(ioapic: KvmIoapic, addr: number, len: IoSize | 8): number;
  ioapicMmioWrite(ioapic: KvmIoapic, addr: number, len: IoSize | 8, val: number): boolean;
}

/** The state that KVM_CREATE_IRQCHIP makes. */
export function initialIoapicState(): KvmIoapicChipState {
  return {
    base_address: IOAPIC_DEFAULT_BASE_ADDRESS,
    ioregsel: 0,
    id: 0,
    irr: 0,
    redirtbl: Array.from({ length: IOAPIC_NUM_PINS }, () => ({ low: IOAPIC_MASKED, high: 0 })),
    irq_states: new Array<number>(IOAPIC_NUM_PINS).fill(0),
    irr_delivered: 0,
    irq_eoi: new Array<number>(IOAPIC_NUM_PINS).fill(0),
    rtc_pending_eoi: 0,
    rtc_vector: 0,
    eoi_inject_at: -1,
  };
}

/** Copies `struct kvm_ioapic_state` from a source of the same shape, each field cut to its width. */
export function copyIoapicState(to: KvmIoapicState, from: Readonly<KvmIoapicState>): void {
  to.base_address = from.base_address;
  to.ioregsel = from.ioregsel >>> 0;
  to.id = from.id >>> 0;
  to.irr = from.irr >>> 0;
  for (let pin = 0; pin < IOAPIC_NUM_PINS; pin++) copyEntry(to.redirtbl[pin], from.redirtbl[pin]);
}

function copyEntry(to: KvmIoapicRedirectEntry, from: Readonly<KvmIoapicRedirectEntry>): void {
  to.low = from.low >>> 0;
  to.high = from.high >>> 0;
}
