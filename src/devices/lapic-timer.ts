/**
 * The local APIC's timer: one-shot, periodic, TSC deadline (Linux: arch/x86/kvm/lapic.c, whose hrtimer is an
 * {@link Alarm} here; Intel SDM vol. 3A, “APIC Timer”).
 *
 * KVM: the bus clock has 1 GHz, so a count is a nanosecond times the divisor. An expiry is only noted; its interrupt is
 * sent before the next VM entry, and as long as it is not, later expiries are lost. One that comes while the LVT entry is
 * masked is kept and sent when the mask goes.
 */
import { MIN_TIMER_PERIOD_NS } from './i8254-state.ts';
import { apicEnabled } from './lapic-delivery.ts';
import {
  APIC_LVT_MASKED,
  APIC_LVT_TIMER_ONESHOT,
  APIC_LVT_TIMER_PERIODIC,
  APIC_LVT_TIMER_TSCDEADLINE,
  APIC_LVTT,
  APIC_TDCR,
  APIC_TMICT,
} from './lapic-reg.ts';
import { type KvmLapic, kvmApicHwEnabled, kvmLapicGetReg, kvmLapicSetReg } from './lapic-state.ts';
import { mulU64U32Div } from './mul-u64-u32-div.ts';

/** KVM_CAP_X86_APIC_BUS_CYCLES_NS, as it is without asking. */
const APIC_BUS_CYCLE_NS = 1;
const NSEC_PER_SEC = 1_000_000_000;
/** The end of virtual time, about 52 days: a deadline behind it never comes. */
const MAX_EXPIRATION_NS = 2 ** 52;

/** @kvm apic_lvtt_oneshot(apic) arch/x86/kvm/lapic.c */
export function apicLvttOneshot(apic: KvmLapic): boolean {
  return apic.state.timer_mode === APIC_LVT_TIMER_ONESHOT;
}

/** @kvm apic_lvtt_period(apic) arch/x86/kvm/lapic.c */
export function apicLvttPeriod(apic: KvmLapic): boolean {
  return apic.state.timer_mode === APIC_LVT_TIMER_PERIODIC;
}

/** @kvm apic_lvtt_tscdeadline(apic) arch/x86/kvm/lapic.c */
export function apicLvttTscdeadline(apic: KvmLapic): boolean {
  return apic.state.timer_mode === APIC_LVT_TIMER_TSCDEADLINE;
}

function startAlarm(apic: KvmLapic, atNs: number): void {
  if (atNs > MAX_EXPIRATION_NS) {
    cancelAlarm(apic);
    return;
  }
  apic.state.timer_expires = atNs;
  apic.timer.set(atNs);
}

function cancelAlarm(apic: KvmLapic): void {
  apic.state.timer_expires = -1;
  apic.timer.cancel();
}

/**
 * The current count: what is left, 0 when the timer does not run or runs to a TSC deadline.
 *
 * @kvm apic_get_tmcct(apic) arch/x86/kvm/lapic.c
 */
export function apicGetTmcct(apic: KvmLapic): number {
  const s = apic.state;
  if (kvmLapicGetReg(apic, APIC_TMICT) === 0 || s.timer_period === 0) return 0;
  const remaining = Math.max(0, s.timer_target_expiration - apic.clock.nowNs);
  return Math.floor((remaining % s.timer_period) / (APIC_BUS_CYCLE_NS * s.divide_count));
}

/** TDCR bits 3, 1, 0: 000 is 2, 110 is 128, 111 is 1. @kvm update_divide_count(apic) arch/x86/kvm/lapic.c */
export function updateDivideCount(apic: KvmLapic): void {
  const tdcr = kvmLapicGetReg(apic, APIC_TDCR);
  const shift = ((tdcr & 3) | ((tdcr & 8) >> 1)) + 1;
  apic.state.divide_count = 1 << (shift & 7);
}

/** KVM: a periodic timer does not tick more often than every 200 µs. @kvm limit_periodic_timer_frequency(apic) arch/x86/kvm/lapic.c */
export function limitPeriodicTimerFrequency(apic: KvmLapic): void {
  const s = apic.state;
  if (apicLvttPeriod(apic) && s.timer_period !== 0 && s.timer_period < MIN_TIMER_PERIOD_NS) {
    s.timer_period = MIN_TIMER_PERIOD_NS;
  }
}

/** Stops the timer; an expiry that is not sent yet is lost. @kvm cancel_apic_timer(apic) arch/x86/kvm/lapic.c */
export function cancelApicTimer(apic: KvmLapic): void {
  cancelAlarm(apic);
  apic.state.timer_pending = 0;
}

/**
 * Takes over the timer mode of LVTT. To and from TSC deadline, the timer stops.
 *
 * @kvm apic_update_lvtt(apic) arch/x86/kvm/lapic.c
 */
export function apicUpdateLvtt(apic: KvmLapic): void {
  const s = apic.state;
  const mode = kvmLapicGetReg(apic, APIC_LVTT) & s.timer_mode_mask;
  if (s.timer_mode === mode) return;
  if (apicLvttTscdeadline(apic) !== (mode === APIC_LVT_TIMER_TSCDEADLINE)) {
    cancelApicTimer(apic);
    kvmLapicSetReg(apic, APIC_TMICT, 0);
    s.timer_period = 0;
    s.timer_tscdeadline = 0;
  }
  s.timer_mode = mode;
  limitPeriodicTimerFrequency(apic);
}

/** @kvm tmict_to_ns(apic, tmict) arch/x86/kvm/lapic.c */
export function tmictToNs(apic: KvmLapic, tmict: number): number {
  return tmict * APIC_BUS_CYCLE_NS * apic.state.divide_count;
}

/**
 * The timer has expired: notes it for the next VM entry.
 *
 * @kvm apic_timer_expired(apic, from_timer_fn) arch/x86/kvm/lapic.c (as: nobody posts interrupts)
 */
export function apicTimerExpired(apic: KvmLapic): void {
  apic.state.timer_pending = 1;
}

/**
 * Where the next period ends. Periods that time has jumped over are left out: their interrupts would be lost anyway.
 *
 * @kvm advance_periodic_target_expiration(apic) arch/x86/kvm/lapic.c
 */
export function advancePeriodicTargetExpiration(apic: KvmLapic): void {
  const s = apic.state;
  const late = Math.max(0, apic.clock.nowNs - s.timer_target_expiration);
  s.timer_target_expiration += (1 + Math.floor(late / s.timer_period)) * s.timer_period;
}

/** The alarm is due. @kvm apic_timer_fn(data) arch/x86/kvm/lapic.c */
export function apicTimerFn(apic: KvmLapic): void {
  apic.state.timer_expires = -1;
  apic.kvm.fn.apicTimerExpired(apic);
  if (!apicLvttPeriod(apic) || apic.state.timer_period === 0) return;
  advancePeriodicTargetExpiration(apic);
  startAlarm(apic, apic.state.timer_target_expiration);
}

/**
 * Runs to a count of the time-stamp counter; one that is past expires at once. KVM lets the host's timer fire early and
 * waits for the rest, so that the guest gets the interrupt at its count: here it just does.
 *
 * @kvm start_sw_tscdeadline(apic) arch/x86/kvm/lapic.c
 */
export function startSwTscdeadline(apic: KvmLapic): void {
  const { timer_tscdeadline } = apic.state;
  if (timer_tscdeadline === 0) return;
  const left = timer_tscdeadline - apic.vcpu.readTsc();
  if (left <= 0) apic.kvm.fn.apicTimerExpired(apic);
  else startAlarm(apic, apic.clock.nowNs + mulU64U32Div(left, NSEC_PER_SEC, apic.vcpu.tscHz));
}

/** @kvm start_sw_period(apic) arch/x86/kvm/lapic.c */
export function startSwPeriod(apic: KvmLapic): void {
  const s = apic.state;
  if (s.timer_period === 0) return;
  if (apic.clock.nowNs > s.timer_target_expiration) {
    apic.kvm.fn.apicTimerExpired(apic);
    if (apicLvttOneshot(apic)) return;
    advancePeriodicTargetExpiration(apic);
  }
  startAlarm(apic, s.timer_target_expiration);
}

/** @kvm restart_apic_timer(apic) arch/x86/kvm/lapic.c */
export function restartApicTimer(apic: KvmLapic): void {
  const { fn } = apic.kvm;
  if (!apicLvttPeriod(apic) && apic.state.timer_pending !== 0) return;
  if (apicLvttTscdeadline(apic)) fn.startSwTscdeadline(apic);
  else if (apicLvttPeriod(apic) || apicLvttOneshot(apic)) fn.startSwPeriod(apic);
}

/**
 * When the count that TMICT, or TMCCT of a restored page, holds will have run down.
 *
 * @returns false: there is nothing to count.
 * @kvm set_target_expiration(apic, count_reg) arch/x86/kvm/lapic.c
 */
export function setTargetExpiration(apic: KvmLapic, countReg: number): boolean {
  const s = apic.state;
  s.timer_period = tmictToNs(apic, kvmLapicGetReg(apic, APIC_TMICT));
  if (s.timer_period === 0) {
    s.timer_tscdeadline = 0;
    return false;
  }
  limitPeriodicTimerFrequency(apic);
  let deadline = s.timer_period;
  if (countReg !== APIC_TMICT) {
    deadline = tmictToNs(apic, kvmLapicGetReg(apic, countReg));
    if (deadline === 0) deadline = apicLvttPeriod(apic) ? s.timer_period : 0;
    else if (deadline > s.timer_period) deadline = s.timer_period;
  }
  s.timer_target_expiration = apic.clock.nowNs + deadline;
  return true;
}

/**
 * Starts the timer in the mode that it is in.
 *
 * @param countReg offset of the register whose count is left: APIC_TMICT or APIC_TMCCT.
 * @kvm __start_apic_timer(apic, count_reg) arch/x86/kvm/lapic.c
 */
export function __startApicTimer(apic: KvmLapic, countReg: number): void {
  apic.state.timer_pending = 0;
  if ((apicLvttPeriod(apic) || apicLvttOneshot(apic)) && !setTargetExpiration(apic, countReg)) return;
  apic.kvm.fn.restartApicTimer(apic);
}

/**
 * The divisor has changed while the timer runs: what is left is counted in the new clock.
 *
 * @kvm update_target_expiration(apic, old_divisor) arch/x86/kvm/lapic.c
 */
export function updateTargetExpiration(apic: KvmLapic, oldDivisor: number): void {
  const s = apic.state;
  s.timer_period = tmictToNs(apic, kvmLapicGetReg(apic, APIC_TMICT));
  limitPeriodicTimerFrequency(apic);
  const { nowNs } = apic.clock;
  const remaining = Math.max(0, s.timer_target_expiration - nowNs);
  s.timer_target_expiration = nowNs + mulU64U32Div(remaining, s.divide_count, oldDivisor);
}

/** A write to the divide configuration register. */
export function writeTdcr(apic: KvmLapic, tdcr: number): void {
  const oldDivisor = apic.state.divide_count;
  kvmLapicSetReg(apic, APIC_TDCR, tdcr);
  updateDivideCount(apic);
  if (apic.state.divide_count === oldDivisor || apic.state.timer_period === 0) return;
  cancelAlarm(apic);
  updateTargetExpiration(apic, oldDivisor);
  apic.kvm.fn.restartApicTimer(apic);
}

/**
 * @returns 1 when the timer has expired and its interrupt can be sent.
 * @kvm apic_has_pending_timer(vcpu) arch/x86/kvm/lapic.c
 */
export function apicHasPendingTimer(apic: KvmLapic): number {
  const isOpen = (kvmLapicGetReg(apic, APIC_LVTT) & APIC_LVT_MASKED) === 0;
  return isOpen && apicEnabled(apic) ? apic.state.timer_pending : 0;
}

/** Sends the timer's interrupt, if it has expired. @kvm kvm_inject_apic_timer_irqs(vcpu) arch/x86/kvm/lapic.c */
export function kvmInjectApicTimerIrqs(apic: KvmLapic): void {
  const s = apic.state;
  if (s.timer_pending === 0) return;
  apic.kvm.fn.kvmApicLocalDeliver(apic, APIC_LVTT);
  if (apicLvttTscdeadline(apic)) s.timer_tscdeadline = 0;
  else if (apicLvttOneshot(apic)) s.timer_target_expiration = 0;
  s.timer_pending = 0;
}

/** IA32_TSC_DEADLINE; 0 in another mode. @kvm kvm_get_lapic_tscdeadline_msr(vcpu) arch/x86/kvm/lapic.c */
export function kvmGetLapicTscdeadlineMsr(apic: KvmLapic): number {
  return kvmApicHwEnabled(apic) && apicLvttTscdeadline(apic) ? apic.state.timer_tscdeadline : 0;
}

/**
 * IA32_TSC_DEADLINE ← data, in that mode alone; 0 stops the timer.
 *
 * @param data below 2^53.
 * @kvm kvm_set_lapic_tscdeadline_msr(vcpu, data) arch/x86/kvm/lapic.c
 */
export function kvmSetLapicTscdeadlineMsr(apic: KvmLapic, data: number): void {
  if (!kvmApicHwEnabled(apic) || !apicLvttTscdeadline(apic)) return;
  cancelAlarm(apic);
  apic.state.timer_tscdeadline = data;
  apic.kvm.fn.__startApicTimer(apic, APIC_TMICT);
}
