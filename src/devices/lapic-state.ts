/**
 * State of a local APIC, what it is wired to, and how its functions reach each other (Linux: arch/x86/kvm/lapic.h,
 * `struct kvm_lapic`).
 *
 * Everything that a snapshot must hold is in {@link KvmLapicChipState}; the rest is wiring.
 */
import type { Alarm, Clock } from '../bus/clock.ts';
import type { IoSize } from '../uapi/kvm.ts';
import {
  APIC_DEFAULT_PHYS_BASE,
  APIC_LVT_TIMER_MODE_MASK,
  KVM_APIC_REG_SIZE,
  MSR_IA32_APICBASE_ENABLE,
} from './lapic-reg.ts';

/** `kvm_x86_quirks` of the local APIC: LVT0 of the boot processor lets the PIC through after a reset. */
export const KVM_X86_QUIRK_LINT0_REENABLED = 1 << 0;
/** A local APIC that IA32_APIC_BASE disables still answers in its page: all ones, writes vanish. */
export const KVM_X86_QUIRK_LAPIC_MMIO_HOLE = 1 << 2;

/** Bits of `pending_events`. */
export const KVM_APIC_INIT = 1 << 0;
export const KVM_APIC_SIPI = 1 << 1;

/** The local APIC as plain data. */
export interface KvmLapicChipState {
  /** KVM_APIC_REG_SIZE bytes as doublewords: register at offset `o` is `regs[o >> 2]`. */
  regs: Uint32Array;
  /** IA32_APIC_BASE. */
  apic_base: number;
  /** False: no bit of the IRR is set. True may be out of date. */
  irr_pending: boolean;
  /** 1, 2, 4 … 128. */
  divide_count: number;
  /** Mode bits that LVTT has: APIC_LVT_TIMER_MODE_MASK, without TSC deadline in CPUID APIC_LVT_TIMER_PERIODIC alone. */
  timer_mode_mask: number;
  /** APIC_LVT_TIMER_*, as the timer runs. */
  timer_mode: number;
  /** Nanoseconds; 0: the timer does not run. */
  timer_period: number;
  /** When the count is or was to reach 0, nanoseconds. */
  timer_target_expiration: number;
  /** IA32_TSC_DEADLINE; 0: none. */
  timer_tscdeadline: number;
  /** 1: the timer has expired and its interrupt is not sent yet. */
  timer_pending: number;
  /** When the timer's alarm is due, nanoseconds; −1 for not set. */
  timer_expires: number;
  /** LVT0 is open and in NMI mode: the PIT's ticks are NMIs. */
  lvt0_in_nmi_mode: boolean;
  /** KVM_APIC_INIT, KVM_APIC_SIPI. */
  pending_events: number;
  sipi_vector: number;
  /** How many lowest-priority interrupts came here. */
  apic_arb_prio: number;
  /** A remote-read message came: HLT ends. */
  pv_unhalted: boolean;
  /** 256 bits: vectors whose end of interrupt the IOAPIC wants to hear of. */
  ioapic_handled_vectors: Uint32Array;
}

/** `struct kvm_lapic_irq`: an interrupt on its way to the local APICs. One object, used again for each. */
export interface KvmLapicIrq {
  vector: number;
  /** APIC_DM_*. */
  delivery_mode: number;
  /** Non-zero: logical. */
  dest_mode: number;
  level: boolean;
  /** Non-zero: level-triggered. */
  trig_mode: number;
  /** APIC_DEST_*. */
  shorthand: number;
  dest_id: number;
  msi_redir_hint: boolean;
}

/** A new, empty interrupt. */
export function newLapicIrq(): KvmLapicIrq {
  return {
    vector: 0,
    delivery_mode: 0,
    dest_mode: 0,
    level: true,
    trig_mode: 0,
    shorthand: 0,
    dest_id: 0,
    msi_redir_hint: false,
  };
}

/** Tracepoints of the local APICs. */
export interface LapicTrace {
  /** `kvm_apic`. */
  apic(isWrite: boolean, reg: number, val: number): void;
  /** `kvm_apic_ipi`. */
  apicIpi(icrLow: number, destId: number): void;
  /** `kvm_apic_accept_irq`. */
  apicAcceptIrq(apicid: number, deliveryMode: number, trigMode: number, vector: number): void;
  /** `kvm_eoi`; `vector` −1 when none was in service. */
  eoi(apicid: number, vector: number): void;
  /** `kvm_msi_set_irq`. */
  msiSetIrq(address: number, data: number): void;
}

/** What a local APIC needs of its processor. */
export interface LapicVcpu {
  /** `vcpu_id`: the APIC ID after a reset. */
  readonly id: number;
  /** `kvm_vcpu_is_reset_bsp`: it is the boot processor. */
  readonly isResetBsp: boolean;
  /** KVM_X86_QUIRK_* that are enabled. */
  readonly quirks: number;
  /** The guest's time-stamp counter now, and its counts a second. */
  readTsc(): number;
  readonly tscHz: number;
  /** `kvm_inject_nmi`. */
  injectNmi(): void;
  /** `kvm_vcpu_kick`: something waits; the processor looks before its next instruction. */
  kick(): void;
}

/** The IOAPIC, as an end of interrupt reaches it. */
export interface EoiListener {
  updateEoi(vector: number, triggerMode: number, directedEoi: boolean): void;
  /** Sets the bits of the vectors whose end it wants to hear of (`kvm_ioapic_scan_entry`). */
  scanEntry(handledVectors: Uint32Array): void;
  /** Looks anew whether the RTC's interrupt is under way (`kvm_rtc_eoi_tracking_restore_one`). */
  restoreRtcEoiTracking(): void;
}

/** The local APICs of a machine (`kvm->arch.apic_map`): pio86 has one processor. */
export interface KvmApics {
  apic: KvmLapic | null;
  ioapic: EoiListener | null;
  fn: LapicFunctions;
  trace: LapicTrace | null;
  /** The message being delivered for kvm_set_msi. */
  readonly msi: KvmLapicIrq;
}

/** `struct kvm_lapic`. */
export interface KvmLapic {
  readonly state: KvmLapicChipState;
  readonly kvm: KvmApics;
  readonly vcpu: LapicVcpu;
  readonly clock: Clock;
  /** The timer (an hrtimer in KVM). */
  readonly timer: Alarm;
  /** The IPI being sent. */
  readonly ipi: KvmLapicIrq;
}

/** The mirrored functions of lapic.c and irq.c that call each other. `apic` stands for the kernel's `vcpu`, too. */
export interface LapicFunctions {
  // lapic-priority.ts
  __apicUpdatePpr(apic: KvmLapic): number;
  apicUpdatePpr(apic: KvmLapic): void;
  apicHasInterruptForPpr(apic: KvmLapic, ppr: number): number;
  apicSetEoi(apic: KvmLapic): number;
  kvmIoapicSendEoi(apic: KvmLapic, vector: number): void;
  kvmLapicSetTpr(apic: KvmLapic, cr8: number): void;
  kvmLapicGetCr8(apic: KvmLapic): number;
  kvmApicHasInterrupt(apic: KvmLapic): number;
  kvmApicAckInterrupt(apic: KvmLapic, vector: number): void;
  kvmApicAcceptPicIntr(apic: KvmLapic): number;
  // lapic-delivery.ts
  __apicAcceptIrq(
    apic: KvmLapic,
    deliveryMode: number,
    vector: number,
    level: boolean,
    trigMode: number,
  ): number;
  kvmApicSetIrq(apic: KvmLapic, irq: Readonly<KvmLapicIrq>): number;
  kvmApicLocalDeliver(apic: KvmLapic, lvtType: number): number;
  kvmApicNmiWdDeliver(apic: KvmLapic): void;
  kvmApicSendIpi(apic: KvmLapic, icrLow: number, icrHigh: number): void;
  // lapic-destination.ts
  kvmApicMatchDest(
    target: KvmLapic,
    source: KvmLapic | null,
    shorthand: number,
    dest: number,
    destMode: number,
  ): boolean;
  kvmIrqDeliveryToApicFast(kvm: KvmApics, src: KvmLapic | null, irq: Readonly<KvmLapicIrq>): number;
  kvmIrqDeliveryToApic(kvm: KvmApics, src: KvmLapic | null, irq: KvmLapicIrq): number;
  kvmSetMsiIrq(kvm: KvmApics, addressLo: number, data: number, irq: KvmLapicIrq): void;
  kvmSetMsi(kvm: KvmApics, addressLo: number, addressHi: number, data: number, level: number): number;
  // lapic-timer.ts
  apicGetTmcct(apic: KvmLapic): number;
  apicUpdateLvtt(apic: KvmLapic): void;
  apicTimerFn(apic: KvmLapic): void;
  apicTimerExpired(apic: KvmLapic): void;
  startSwTscdeadline(apic: KvmLapic): void;
  startSwPeriod(apic: KvmLapic): void;
  restartApicTimer(apic: KvmLapic): void;
  __startApicTimer(apic: KvmLapic, countReg: number): void;
  apicHasPendingTimer(apic: KvmLapic): number;
  kvmInjectApicTimerIrqs(apic: KvmLapic): void;
  kvmGetLapicTscdeadlineMsr(apic: KvmLapic): number;
  kvmSetLapicTscdeadlineMsr(apic: KvmLapic, data: number): void;
  // lapic-mmio.ts
  kvmLapicRegRead(apic: KvmLapic, offset: number, len: IoSize | 8): number;
  kvmLapicRegWrite(apic: KvmLapic, reg: number, val: number): number;
  apicMmioRead(apic: KvmLapic, address: number, len: IoSize | 8): number;
  apicMmioWrite(apic: KvmLapic, address: number, len: IoSize | 8, val: number): boolean;
  // lapic-base.ts
  kvmApicSetBase(apic: KvmLapic, value: number, hostInitiated: boolean): number;
  kvmLapicReset(apic: KvmLapic, initEvent: boolean): void;
  kvmApicGetState(apic: KvmLapic, regs: Uint32Array): number;
  kvmApicSetState(apic: KvmLapic, regs: Readonly<Uint32Array>): number;
  vcpuScanIoapic(apic: KvmLapic): void;
}

/** The state before `kvm_lapic_reset`. */
export function initialLapicState(): KvmLapicChipState {
  return {
    regs: new Uint32Array(KVM_APIC_REG_SIZE / 4),
    apic_base: APIC_DEFAULT_PHYS_BASE + MSR_IA32_APICBASE_ENABLE,
    irr_pending: false,
    divide_count: 2,
    timer_mode_mask: APIC_LVT_TIMER_MODE_MASK,
    timer_mode: 0,
    timer_period: 0,
    timer_target_expiration: 0,
    timer_tscdeadline: 0,
    timer_pending: 0,
    timer_expires: -1,
    lvt0_in_nmi_mode: false,
    pending_events: 0,
    sipi_vector: 0,
    apic_arb_prio: 0,
    pv_unhalted: false,
    ioapic_handled_vectors: new Uint32Array(8),
  };
}

/** A register. */
export function kvmLapicGetReg(apic: KvmLapic, reg: number): number {
  return apic.state.regs[reg >> 2];
}

export function kvmLapicSetReg(apic: KvmLapic, reg: number, val: number): void {
  apic.state.regs[reg >> 2] = val;
}

/** IA32_APIC_BASE enables the local APIC. @kvm kvm_apic_hw_enabled(apic) arch/x86/kvm/lapic.h */
export function kvmApicHwEnabled(apic: KvmLapic): boolean {
  return (apic.state.apic_base & MSR_IA32_APICBASE_ENABLE) !== 0;
}
