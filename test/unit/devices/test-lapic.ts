/** A local APIC on its own, or with an IOAPIC, for tests: a nanosecond is a tick and a count of the TSC. */
import { VirtualClock } from '../../../src/bus/clock.ts';
import { Ioapic } from '../../../src/devices/ioapic.ts';
import { Lapic, LocalApics } from '../../../src/devices/lapic.ts';
import {
  KVM_X86_QUIRK_LAPIC_MMIO_HOLE,
  KVM_X86_QUIRK_LINT0_REENABLED,
} from '../../../src/devices/lapic-state.ts';

export const PAGE = 0xfee0_0000;
/** Offsets. */
export const ID = 0x20;
export const TPR = 0x80;
export const PPR = 0xa0;
export const EOI = 0xb0;
export const LDR = 0xd0;
export const DFR = 0xe0;
export const SVR = 0xf0;
export const ISR = 0x100;
export const TMR = 0x180;
export const IRR = 0x200;
export const ICR = 0x300;
export const ICR2 = 0x310;
export const LVTT = 0x320;
export const LVT0 = 0x350;
export const TMICT = 0x380;
export const TMCCT = 0x390;
export const TDCR = 0x3e0;

export class TestLapic {
  readonly clock = new VirtualClock(1_000_000_000);
  readonly kvm = new LocalApics();
  readonly vcpu = {
    id: 0,
    isResetBsp: true,
    quirks: KVM_X86_QUIRK_LINT0_REENABLED | KVM_X86_QUIRK_LAPIC_MMIO_HOLE,
    tscHz: 1_000_000_000,
    readTsc: () => this.clock.ticks,
    kick: () => {},
    injectNmi: () => {
      this.nmis++;
    },
  };
  nmis = 0;
  readonly apic: Lapic;

  /** @param enabled whether software has enabled it. */
  constructor({ enabled = true } = {}) {
    this.apic = new Lapic(this.clock, this.vcpu, this.kvm);
    this.kvm.fn.kvmLapicReset(this.apic, false);
    if (enabled) this.write(SVR, 0x1ff);
  }

  write(offset: number, value: number): void {
    this.apic.dev.write(PAGE + offset, 4, value);
  }

  read(offset: number): number {
    return this.apic.dev.read(PAGE + offset, 4);
  }

  /** Takes what comes next, as the processor does. */
  take(): number {
    const vector = this.kvm.fn.kvmApicHasInterrupt(this.apic);
    if (vector >= 0) this.kvm.fn.kvmApicAckInterrupt(this.apic, vector);
    return vector;
  }

  /** Lets time pass, and sends the timer's interrupt as the run loop does before an entry. */
  pass(ns: number): void {
    this.clock.advance(ns);
    this.clock.runDueAlarms();
    this.sendTimer();
  }

  sendTimer(): void {
    const { fn } = this.kvm;
    if (fn.apicHasPendingTimer(this.apic) !== 0) fn.kvmInjectApicTimerIrqs(this.apic);
  }

  /** A fixed interrupt from nowhere: an IPI to itself. */
  raise(vector: number): void {
    this.write(ICR, 0x4_4000 | vector);
  }

  /** The 256-bit register at `offset` as a list of vectors. */
  vectors(offset: number): number[] {
    const set: number[] = [];
    for (let v = 0; v < 256; v++) {
      if (((this.read(offset + 16 * (v >> 5)) >>> (v & 31)) & 1) !== 0) set.push(v);
    }
    return set;
  }

  withIoapic(hasAckNotifier: (pin: number) => boolean = () => false): Ioapic {
    const { kvm } = this;
    const ioapic = new Ioapic(this.clock, {
      deliver: (irq) => kvm.deliver(irq),
      matchDest: (dest, mode) => kvm.matchDest(dest, mode),
      pendingEoi: (vector) => kvm.pendingEoi(vector),
      makeScanRequest: () => kvm.scanIoapic(),
      hasAckNotifier,
    });
    kvm.ioapic = ioapic;
    return ioapic;
  }
}

/** Writes redirection entry `pin` through the registers. */
export function route(ioapic: Ioapic, pin: number, low: number, high = 0): void {
  for (const [index, value] of [
    [0x11 + 2 * pin, high],
    [0x10 + 2 * pin, low],
  ]) {
    ioapic.dev.write(0xfec0_0000, 4, index);
    ioapic.dev.write(0xfec0_0010, 4, value);
  }
}
