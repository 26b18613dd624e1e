/**
 * The I/O APIC as KVM models it in the kernel (Linux: arch/x86/kvm/ioapic.c; Intel 82093AA data sheet).
 *
 * This file is the outside: MMIO device, pins, EOI, notifiers, state. How a pin reaches the local APICs is in
 * ioapic-irq.ts, what the registers mean in ioapic-mmio.ts. The local APICs are functions handed in.
 */
import type { Alarm, Clock } from '../bus/clock.ts';
import type { IoDevice } from '../bus/io-device.ts';
import { EmulatorError } from '../errors.ts';
import type { KvmIoapicState } from '../uapi/kvm.ts';
import * as irq from './ioapic-irq.ts';
import * as mmio from './ioapic-mmio.ts';
import {
  copyIoapicState,
  IOAPIC_NUM_PINS,
  type IoapicFunctions,
  type IoapicTrace,
  initialIoapicState,
  type KvmIoapic,
  type KvmIoapicChipState,
} from './ioapic-state.ts';
import { type EoiListener, type KvmLapicIrq, newLapicIrq } from './lapic-state.ts';

/** The functions of ioapic.c as they are, without probes. */
export const IOAPIC_FUNCTIONS: Readonly<IoapicFunctions> = {
  ioapicReadIndirect: mmio.ioapicReadIndirect,
  ioapicWriteIndirect: mmio.ioapicWriteIndirect,
  ioapicSetIrq: irq.ioapicSetIrq,
  kvmIoapicInjectAll: irq.kvmIoapicInjectAll,
  ioapicService: irq.ioapicService,
  kvmIoapicSetIrq: irq.kvmIoapicSetIrq,
  kvmIoapicEoiInjectWork: irq.kvmIoapicEoiInjectWork,
  kvmIoapicUpdateEoiOne: irq.kvmIoapicUpdateEoiOne,
  kvmIoapicUpdateEoi: irq.kvmIoapicUpdateEoi,
  kvmIoapicScanEntry: irq.kvmIoapicScanEntry,
  kvmRtcEoiTrackingRestoreOne: irq.kvmRtcEoiTrackingRestoreOne,
  ioapicMmioRead: mmio.ioapicMmioRead,
  ioapicMmioWrite: mmio.ioapicMmioWrite,
};

/** What the IOAPIC is wired to. */
export interface IoapicOptions {
  /**
   * Sends an interrupt to the local APICs; the argument is used again for the next one.
   *
   * @returns how many took it, −1 when none is addressed. Default: 0, as with a local APIC that is
   * software-disabled.
   */
  deliver?: (irqe: KvmLapicIrq) => number;
  /** Whether a destination (`destMode` 1: logical) is that of a processor. Default: no. */
  matchDest?: (destId: number, destMode: number) => boolean;
  /** Whether a processor has yet to end a vector. Default: no. */
  pendingEoi?: (vector: number) => boolean;
  /** Whether somebody waits for the ends of a pin's interrupts. Default: nobody. */
  hasAckNotifier?: (pin: number) => boolean;
  /** Told when {@link Ioapic.scanEntry} may answer otherwise than before. */
  makeScanRequest?: () => void;
  /** Whether an irqfd resampler looks after `pin`, and was told; it may drive the pin from within. Default: none. */
  notifyIrqfdResampler?: (pin: number) => boolean;
}

/** The I/O APIC. */
export class Ioapic implements KvmIoapic, EoiListener {
  readonly state: KvmIoapicChipState = initialIoapicState();
  fn: IoapicFunctions = IOAPIC_FUNCTIONS;
  trace: IoapicTrace | null = null;
  readonly clock: Clock;
  readonly eoiInject: Alarm;
  readonly irqe: KvmLapicIrq = newLapicIrq();
  readonly deliver: (irqe: KvmLapicIrq) => number;
  readonly matchDest: (destId: number, destMode: number) => boolean;
  readonly pendingEoi: (vector: number) => boolean;
  readonly hasAckNotifier: (pin: number) => boolean;
  readonly makeScanRequest: () => void;
  readonly notifyIrqfdResampler: (pin: number) => boolean;
  /** Physical addresses 0xfec00000–0xfec000ff. */
  readonly dev: IoDevice;
  readonly #ackNotifiers: (() => void)[][] = Array.from({ length: IOAPIC_NUM_PINS }, () => []);
  readonly #maskNotifiers: ((masked: boolean) => void)[][] = Array.from(
    { length: IOAPIC_NUM_PINS },
    () => [],
  );

  constructor(clock: Clock, options: IoapicOptions = {}) {
    this.clock = clock;
    this.deliver = options.deliver ?? (() => 0);
    this.matchDest = options.matchDest ?? (() => false);
    this.pendingEoi = options.pendingEoi ?? (() => false);
    this.hasAckNotifier = options.hasAckNotifier ?? (() => false);
    this.makeScanRequest = options.makeScanRequest ?? (() => {});
    this.notifyIrqfdResampler = options.notifyIrqfdResampler ?? (() => false);
    this.eoiInject = clock.createAlarm(() => this.fn.kvmIoapicEoiInjectWork(this));
    this.dev = {
      name: 'ioapic',
      ops: 'ioapic_mmio_ops',
      read: (addr, size) => this.fn.ioapicMmioRead(this, addr, size),
      write: (addr, size, value) => this.fn.ioapicMmioWrite(this, addr, size, value),
      read64: (addr, data) => this.#read64(addr, data),
      write64: (addr, data) => this.#write64(addr, data),
    };
  }

  #read64(addr: number, data: Uint8Array): boolean {
    const value = this.fn.ioapicMmioRead(this, addr, 8);
    if (value < 0) return false;
    for (let i = 0; i < 4; i++) data[i] = value >>> (8 * i);
    data.fill(0, 4, 8);
    return true;
  }

  #write64(addr: number, data: Uint8Array): boolean {
    const low = data[0] | (data[1] << 8) | (data[2] << 16) | (data[3] << 24);
    return this.fn.ioapicMmioWrite(this, addr, 8, low >>> 0);
  }

  /** Source `sourceId` drives `pin`. @returns −1 masked, 0 coalesced, else how many processors took it. */
  setIrq(pin: number, sourceId: number, level: number, lineStatus = false): number {
    return this.fn.kvmIoapicSetIrq(this, pin, sourceId, level, lineStatus);
  }

  /**
   * A local APIC has ended `vector`.
   *
   * @param triggerMode 1 = it had taken it as level-triggered.
   * @param directedEoi its EOI broadcast is suppressed (SVR bit 12).
   */
  updateEoi(vector: number, triggerMode: number, directedEoi = false): void {
    this.fn.kvmIoapicUpdateEoi(this, vector, triggerMode, directedEoi);
  }

  /** Sets the bits of the vectors whose end it wants to hear of. */
  scanEntry(handledVectors: Uint32Array): void {
    this.fn.kvmIoapicScanEntry(this, handledVectors);
  }

  /** A local APIC was restored: looks anew whether the RTC's interrupt is under way there. */
  restoreRtcEoiTracking(): void {
    this.fn.kvmRtcEoiTrackingRestoreOne(this);
  }

  /** `notify` runs whenever an interrupt of `pin` ends. */
  addAckNotifier(pin: number, notify: () => void): void {
    this.#ackNotifiers[checkedPin(pin)].push(notify);
  }

  /** `notify` runs whenever the mask bit of `pin` changes. */
  addMaskNotifier(pin: number, notify: (masked: boolean) => void): void {
    this.#maskNotifiers[checkedPin(pin)].push(notify);
  }

  notifyAckedIrq(pin: number): void {
    const notifiers = this.#ackNotifiers[pin];
    for (let i = 0; i < notifiers.length; i++) notifiers[i]();
  }

  fireMaskNotifiers(pin: number, masked: boolean): void {
    const notifiers = this.#maskNotifiers[pin];
    for (let i = 0; i < notifiers.length; i++) notifiers[i](masked);
  }

  /** KVM_GET_IRQCHIP for KVM_IRQCHIP_IOAPIC: an edge that was sent no longer shows in `irr`. */
  getState(): KvmIoapicState {
    const { base_address, ioregsel, id, irr, irr_delivered, redirtbl } = this.state;
    return {
      base_address,
      ioregsel,
      id,
      irr: (irr & ~irr_delivered) >>> 0,
      redirtbl: redirtbl.map((entry) => ({ ...entry })),
    };
  }

  /** KVM_SET_IRQCHIP for KVM_IRQCHIP_IOAPIC: stores it as it is; pins in `irr` come up again. */
  setState(state: Readonly<KvmIoapicState>): void {
    copyIoapicState(this.state, checkedState(state));
    this.state.irr = 0;
    this.state.irr_delivered = 0;
    this.fn.kvmIoapicInjectAll(this, state.irr);
    this.makeScanRequest();
  }

  /** Plain-data copy of everything, for snapshots. Times are the clock's: restore that too. */
  saveState(): KvmIoapicChipState {
    const { redirtbl, irq_states, irq_eoi } = this.state;
    return {
      ...this.state,
      redirtbl: redirtbl.map((entry) => ({ ...entry })),
      irq_states: [...irq_states],
      irq_eoi: [...irq_eoi],
    };
  }

  /** Restores what {@link saveState} returned, and sets the alarm as it was. */
  loadState(saved: Readonly<KvmIoapicChipState>): void {
    const s = this.state;
    copyIoapicState(s, checkedState(saved));
    for (let pin = 0; pin < IOAPIC_NUM_PINS; pin++) {
      s.irq_states[pin] = saved.irq_states[pin];
      s.irq_eoi[pin] = saved.irq_eoi[pin];
    }
    s.irr_delivered = saved.irr_delivered;
    s.rtc_pending_eoi = saved.rtc_pending_eoi;
    s.rtc_vector = saved.rtc_vector;
    s.eoi_inject_at = saved.eoi_inject_at;
    if (saved.eoi_inject_at >= 0) this.eoiInject.set(saved.eoi_inject_at);
    else this.eoiInject.cancel();
  }
}

function checkedPin(pin: number): number {
  if (Number.isInteger(pin) && pin >= 0 && pin < IOAPIC_NUM_PINS) return pin;
  throw new EmulatorError('E_ARGUMENT', `ioapic: pin ${pin} is not 0–${IOAPIC_NUM_PINS - 1}`);
}

function checkedState<T extends Readonly<KvmIoapicState>>(state: T): T {
  if (state.redirtbl.length === IOAPIC_NUM_PINS) return state;
  throw new EmulatorError(
    'E_ARGUMENT',
    `ioapic: ${state.redirtbl.length} redirection entries, not ${IOAPIC_NUM_PINS}`,
  );
}
