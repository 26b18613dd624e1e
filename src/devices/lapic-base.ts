/**
 * The local APIC as a whole: where it stands, its reset, and its page for userspace (Linux: arch/x86/kvm/lapic.c; Intel
 * SDM vol. 3A, “Local APIC Status and Location”, “Local APIC State”).
 */
import { __apicRead, apicLvtx, apicManageNmiWatchdog, kvmRecalculateApicMap } from './lapic-mmio.ts';
import {
  APIC_DEFAULT_PHYS_BASE,
  APIC_DFR,
  APIC_DFR_FLAT,
  APIC_DM_EXTINT,
  APIC_ESR,
  APIC_ICR,
  APIC_ICR2,
  APIC_ID,
  APIC_IRR,
  APIC_ISR,
  APIC_LDR,
  APIC_LVR,
  APIC_LVT_MASKED,
  APIC_LVT0,
  APIC_SPIV,
  APIC_TASKPRI,
  APIC_TDCR,
  APIC_TMCCT,
  APIC_TMICT,
  APIC_TMR,
  APIC_VERSION,
  KVM_NR_LVT_ENTRIES,
  MSR_IA32_APICBASE_BSP,
  MSR_IA32_APICBASE_ENABLE,
  X2APIC_ENABLE,
} from './lapic-reg.ts';
import {
  KVM_X86_QUIRK_LINT0_REENABLED,
  type KvmLapic,
  kvmApicHwEnabled,
  kvmLapicGetReg,
  kvmLapicSetReg,
} from './lapic-state.ts';
import { cancelApicTimer, updateDivideCount } from './lapic-timer.ts';

/** Bits of IA32_APIC_BASE that are always 0: there is no x2APIC. */
const APICBASE_RESERVED = 0x2ff | X2APIC_ENABLE;
/** KVM: physical addresses of a processor without CPUID leaf 80000008H have 36 bits. */
const MAX_APIC_BASE = 2 ** 36;
/** The spurious-interrupt vector register after a reset: vector 255, disabled by software. */
const SPIV_RESET = 0xff;

/** @kvm __kvm_apic_set_base(vcpu, value) arch/x86/kvm/lapic.c */
export function __kvmApicSetBase(apic: KvmLapic, value: number): void {
  const wasEnabled = kvmApicHwEnabled(apic);
  apic.state.apic_base = value;
  // KVM: nothing else is reset by switching off and on.
  if (!wasEnabled && kvmApicHwEnabled(apic)) kvmLapicSetReg(apic, APIC_ID, apic.vcpu.id << 24);
}

/**
 * IA32_APIC_BASE ← value, from the guest or from userspace (`apic_base` of KVM_SET_SREGS).
 *
 * @returns 0, or 1 for reserved bits (the guest's #GP).
 * @kvm kvm_apic_set_base(vcpu, value, host_initiated) arch/x86/kvm/lapic.c
 */
export function kvmApicSetBase(apic: KvmLapic, value: number, _hostInitiated: boolean): number {
  if (apic.state.apic_base === value) return 0;
  if (!(value >= 0 && value < MAX_APIC_BASE) || (value & APICBASE_RESERVED) !== 0) return 1;
  __kvmApicSetBase(apic, value);
  kvmRecalculateApicMap(apic);
  return 0;
}

/** @kvm kvm_apic_set_version(vcpu) arch/x86/kvm/lapic.c */
export function kvmApicSetVersion(apic: KvmLapic): void {
  kvmLapicSetReg(apic, APIC_LVR, APIC_VERSION | ((KVM_NR_LVT_ENTRIES - 1) << 16));
}

/**
 * RESET, or INIT, which leaves IA32_APIC_BASE and the APIC ID alone.
 *
 * KVM: the boot processor's LVT0 lets the PIC through (a quirk that can be disabled; hardware masks it).
 *
 * @kvm kvm_lapic_reset(vcpu, init_event) arch/x86/kvm/lapic.c
 */
export function kvmLapicReset(apic: KvmLapic, initEvent: boolean): void {
  const s = apic.state;
  const { vcpu } = apic;
  const { fn } = apic.kvm;
  if (!initEvent) {
    const bsp = vcpu.isResetBsp ? MSR_IA32_APICBASE_BSP : 0;
    __kvmApicSetBase(apic, APIC_DEFAULT_PHYS_BASE + MSR_IA32_APICBASE_ENABLE + bsp);
  }
  cancelApicTimer(apic);
  if (!initEvent) kvmLapicSetReg(apic, APIC_ID, vcpu.id << 24);
  kvmApicSetVersion(apic);
  for (let i = 0; i < KVM_NR_LVT_ENTRIES; i++) kvmLapicSetReg(apic, apicLvtx(i), APIC_LVT_MASKED);
  fn.apicUpdateLvtt(apic);
  if (vcpu.isResetBsp && (vcpu.quirks & KVM_X86_QUIRK_LINT0_REENABLED) !== 0) {
    kvmLapicSetReg(apic, APIC_LVT0, APIC_DM_EXTINT);
  }
  apicManageNmiWatchdog(apic, kvmLapicGetReg(apic, APIC_LVT0));
  kvmLapicSetReg(apic, APIC_DFR, APIC_DFR_FLAT);
  kvmLapicSetReg(apic, APIC_SPIV, SPIV_RESET);
  for (const reg of [APIC_TASKPRI, APIC_LDR, APIC_ESR, APIC_ICR, APIC_ICR2, APIC_TDCR, APIC_TMICT]) {
    kvmLapicSetReg(apic, reg, 0);
  }
  for (let i = 0; i < 8; i++) {
    kvmLapicSetReg(apic, APIC_IRR + 16 * i, 0);
    kvmLapicSetReg(apic, APIC_ISR + 16 * i, 0);
    kvmLapicSetReg(apic, APIC_TMR + 16 * i, 0);
  }
  s.irr_pending = false;
  updateDivideCount(apic);
  // KVM: period and target survive; with an initial count of 0 nothing shows them.
  s.timer_period = 0;
  s.timer_target_expiration = 0;
  fn.apicUpdatePpr(apic);
  s.apic_arb_prio = 0;
  kvmRecalculateApicMap(apic);
}

/**
 * KVM_GET_LAPIC.
 *
 * @param regs gets the register page.
 * @kvm kvm_apic_get_state(vcpu, s) arch/x86/kvm/lapic.c
 */
export function kvmApicGetState(apic: KvmLapic, regs: Uint32Array): number {
  regs.set(apic.state.regs);
  regs[APIC_TMCCT >> 2] = __apicRead(apic, APIC_TMCCT);
  return 0;
}

/**
 * KVM_SET_LAPIC: the page as it is, but for the version; the timer goes on from the current count.
 *
 * @param regs the register page.
 * @kvm kvm_apic_set_state(vcpu, s) arch/x86/kvm/lapic.c
 */
export function kvmApicSetState(apic: KvmLapic, regs: Readonly<Uint32Array>): number {
  const s = apic.state;
  const { fn, ioapic } = apic.kvm;
  s.regs.set(regs);
  kvmRecalculateApicMap(apic);
  kvmApicSetVersion(apic);
  fn.apicUpdatePpr(apic);
  cancelApicTimer(apic);
  fn.apicUpdateLvtt(apic);
  apicManageNmiWatchdog(apic, kvmLapicGetReg(apic, APIC_LVT0));
  updateDivideCount(apic);
  fn.__startApicTimer(apic, APIC_TMCCT);
  kvmLapicSetReg(apic, APIC_TMCCT, 0);
  s.irr_pending = true;
  if (ioapic !== null) ioapic.restoreRtcEoiTracking();
  s.apic_arb_prio = 0;
  return 0;
}

/**
 * Asks the IOAPIC whose ends of interrupt it waits for. KVM does so before the next VM entry.
 *
 * @kvm vcpu_scan_ioapic(vcpu) arch/x86/kvm/x86.c
 */
export function vcpuScanIoapic(apic: KvmLapic): void {
  const { ioapic } = apic.kvm;
  if (ioapic === null || !kvmApicHwEnabled(apic)) return;
  const { ioapic_handled_vectors } = apic.state;
  ioapic_handled_vectors.fill(0);
  ioapic.scanEntry(ioapic_handled_vectors);
}
