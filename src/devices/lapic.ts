/**
 * The local APIC as KVM models it in the kernel: an xAPIC (Linux: arch/x86/kvm/lapic.c; Intel SDM vol. 3A, “Advanced
 * Programmable Interrupt Controller (APIC)”).
 *
 * This file is the outside: page, timer, state. What comes next is in lapic-priority.ts, what arrives in
 * lapic-delivery.ts, for whom in lapic-destination.ts, the timer in lapic-timer.ts, what the registers mean in
 * lapic-mmio.ts, reset and the page for userspace in lapic-base.ts.
 */
import type { Alarm, Clock } from '../bus/clock.ts';
import { IO_NOT_HANDLED, type WideIoDevice } from '../bus/io-device.ts';
import { EmulatorError } from '../errors.ts';
import * as base from './lapic-base.ts';
import * as delivery from './lapic-delivery.ts';
import * as destination from './lapic-destination.ts';
import * as mmio from './lapic-mmio.ts';
import * as priority from './lapic-priority.ts';
import { APIC_DEST_NOSHORT, KVM_APIC_REG_SIZE } from './lapic-reg.ts';
import {
  type EoiListener,
  initialLapicState,
  type KvmApics,
  type KvmLapic,
  type KvmLapicChipState,
  type KvmLapicIrq,
  type LapicFunctions,
  type LapicTrace,
  type LapicVcpu,
  newLapicIrq,
} from './lapic-state.ts';
import * as timer from './lapic-timer.ts';

/** The functions of lapic.c as they are, without probes. */
export const LAPIC_FUNCTIONS: Readonly<LapicFunctions> = {
  __apicUpdatePpr: priority.__apicUpdatePpr,
  apicUpdatePpr: priority.apicUpdatePpr,
  apicHasInterruptForPpr: priority.apicHasInterruptForPpr,
  apicSetEoi: priority.apicSetEoi,
  kvmIoapicSendEoi: priority.kvmIoapicSendEoi,
  kvmLapicSetTpr: priority.kvmLapicSetTpr,
  kvmLapicGetCr8: priority.kvmLapicGetCr8,
  kvmApicHasInterrupt: priority.kvmApicHasInterrupt,
  kvmApicAckInterrupt: priority.kvmApicAckInterrupt,
  kvmApicAcceptPicIntr: priority.kvmApicAcceptPicIntr,
  __apicAcceptIrq: delivery.__apicAcceptIrq,
  kvmApicSetIrq: delivery.kvmApicSetIrq,
  kvmApicLocalDeliver: delivery.kvmApicLocalDeliver,
  kvmApicNmiWdDeliver: delivery.kvmApicNmiWdDeliver,
  kvmApicSendIpi: delivery.kvmApicSendIpi,
  kvmApicMatchDest: destination.kvmApicMatchDest,
  kvmIrqDeliveryToApicFast: destination.kvmIrqDeliveryToApicFast,
  kvmIrqDeliveryToApic: destination.kvmIrqDeliveryToApic,
  kvmSetMsiIrq: destination.kvmSetMsiIrq,
  kvmSetMsi: destination.kvmSetMsi,
  apicGetTmcct: timer.apicGetTmcct,
  apicUpdateLvtt: timer.apicUpdateLvtt,
  apicTimerFn: timer.apicTimerFn,
  apicTimerExpired: timer.apicTimerExpired,
  startSwTscdeadline: timer.startSwTscdeadline,
  startSwPeriod: timer.startSwPeriod,
  restartApicTimer: timer.restartApicTimer,
  __startApicTimer: timer.__startApicTimer,
  apicHasPendingTimer: timer.apicHasPendingTimer,
  kvmInjectApicTimerIrqs: timer.kvmInjectApicTimerIrqs,
  kvmGetLapicTscdeadlineMsr: timer.kvmGetLapicTscdeadlineMsr,
  kvmSetLapicTscdeadlineMsr: timer.kvmSetLapicTscdeadlineMsr,
  kvmLapicRegRead: mmio.kvmLapicRegRead,
  kvmLapicRegWrite: mmio.kvmLapicRegWrite,
  apicMmioRead: mmio.apicMmioRead,
  apicMmioWrite: mmio.apicMmioWrite,
  kvmApicSetBase: base.kvmApicSetBase,
  kvmLapicReset: base.kvmLapicReset,
  kvmApicGetState: base.kvmApicGetState,
  kvmApicSetState: base.kvmApicSetState,
  vcpuScanIoapic: base.vcpuScanIoapic,
};

/** The local APICs of a machine: what the IOAPIC and MSIs deliver to. Empty until its processor is created. */
export class LocalApics implements KvmApics {
  apic: KvmLapic | null = null;
  ioapic: EoiListener | null = null;
  fn: LapicFunctions = LAPIC_FUNCTIONS;
  trace: LapicTrace | null = null;
  readonly msi: KvmLapicIrq = newLapicIrq();

  /** Brings a message of the IOAPIC to its processors. @returns how many took it, −1 for nobody. */
  deliver(irq: KvmLapicIrq): number {
    return this.fn.kvmIrqDeliveryToApic(this, null, irq);
  }

  /** Whether a message of the IOAPIC to `dest` is for a processor. @param destMode non-zero: logical. */
  matchDest(dest: number, destMode: number): boolean {
    const { apic } = this;
    return apic !== null && this.fn.kvmApicMatchDest(apic, null, APIC_DEST_NOSHORT, dest, destMode);
  }

  /** Whether a processor has yet to end `vector`. */
  pendingEoi(vector: number): boolean {
    return this.apic !== null && priority.kvmApicPendingEoi(this.apic, vector);
  }

  /** A GSI routed to an MSI changes. @returns −1 nobody or a falling line, else how many took it. */
  setMsi(addressLo: number, addressHi: number, data: number, level: number): number {
    return this.fn.kvmSetMsi(this, addressLo, addressHi, data, level);
  }

  /** Whether the PIC's INTR gets to a processor. */
  acceptsPicIntr(): boolean {
    return this.apic !== null && this.fn.kvmApicAcceptPicIntr(this.apic) !== 0;
  }

  /** A tick of the PIT (`pit_do_work`): an NMI where LVT0 makes it one. */
  nmiWdDeliver(): void {
    if (this.apic?.state.lvt0_in_nmi_mode) this.fn.kvmApicNmiWdDeliver(this.apic);
  }

  /** The routes of the IOAPIC have changed. */
  scanIoapic(): void {
    if (this.apic !== null) this.fn.vcpuScanIoapic(this.apic);
  }
}

/** One local APIC. */
export class Lapic implements KvmLapic {
  readonly state: KvmLapicChipState = initialLapicState();
  readonly kvm: KvmApics;
  readonly vcpu: LapicVcpu;
  readonly clock: Clock;
  readonly timer: Alarm;
  readonly ipi: KvmLapicIrq = newLapicIrq();
  /** The page at IA32_APIC_BASE. It is on no bus. */
  readonly dev: WideIoDevice;

  /** Entered into `kvm`; `kvmLapicReset` gives it its power-on state. */
  constructor(clock: Clock, vcpu: LapicVcpu, kvm: KvmApics = new LocalApics()) {
    this.clock = clock;
    this.vcpu = vcpu;
    this.kvm = kvm;
    this.timer = clock.createAlarm(() => this.kvm.fn.apicTimerFn(this));
    this.dev = {
      name: 'lapic',
      ops: 'apic_mmio_ops',
      read: (addr, size) => this.kvm.fn.apicMmioRead(this, addr, size),
      write: (addr, size, value) => this.kvm.fn.apicMmioWrite(this, addr, size, value),
      read64: (addr, data) => this.#read64(addr, data),
      write64: (addr) => this.kvm.fn.apicMmioWrite(this, addr, 8, 0),
    };
    kvm.apic = this;
  }

  /** No register takes eight bytes. */
  #read64(addr: number, data: Uint8Array): boolean {
    const value = this.kvm.fn.apicMmioRead(this, addr, 8);
    if (value === IO_NOT_HANDLED) return false;
    if (value >= 0) data.fill(0xff);
    return true;
  }

  /** Plain-data copy of everything, for snapshots. Times are the clock's: restore that too. */
  saveState(): KvmLapicChipState {
    return {
      ...this.state,
      regs: this.state.regs.slice(),
      ioapic_handled_vectors: this.state.ioapic_handled_vectors.slice(),
    };
  }

  /** Restores what {@link saveState} returned, and sets the timer's alarm as it was. */
  loadState(saved: Readonly<KvmLapicChipState>): void {
    const { regs, ioapic_handled_vectors, ...rest } = saved;
    if (regs.length !== KVM_APIC_REG_SIZE / 4) {
      throw new EmulatorError(
        'E_ARGUMENT',
        `lapic: ${4 * regs.length} bytes of registers, not ${KVM_APIC_REG_SIZE}`,
      );
    }
    Object.assign(this.state, rest);
    this.state.regs.set(regs);
    this.state.ioapic_handled_vectors.set(ioapic_handled_vectors);
    if (saved.timer_expires >= 0) this.timer.set(saved.timer_expires);
    else this.timer.cancel();
  }
}
