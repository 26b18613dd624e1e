/**
 * Channel 0 of the 8254 as an interrupt source: loading counts, the timer, ticks that the guest missed (Linux:
 * arch/x86/kvm/i8254.c, whose hrtimer is an {@link Alarm} here).
 *
 * KVM hands each tick to a worker thread; in virtual time the work is done at once.
 *
 * KVM: only a load of the count starts or stops the timer; a control word or the gate does not.
 */
import { KVM_PIT_FLAGS_HPET_LEGACY } from '../uapi/kvm.ts';
import {
  KVM_PIT_FREQ,
  type KvmPit,
  MIN_TIMER_PERIOD_NS,
  PIT_MAX_COUNT,
  PIT_MODE_NONE,
} from './i8254-state.ts';
import { mulU64U32Div } from './mul-u64-u32-div.ts';

const NSEC_PER_SEC = 1_000_000_000;

/**
 * The guest has ended a tick's interrupt: the next one that waits is given now.
 *
 * @kvm kvm_pit_ack_irq(kian) arch/x86/kvm/i8254.c
 */
export function kvmPitAckIrq(pit: KvmPit): void {
  const ps = pit.pit_state;
  ps.irq_ack = 1;
  if (ps.pending === 0) return;
  ps.pending--;
  if (ps.pending > 0) pit.fn.pitDoWork(pit);
}

/**
 * Stops the timer. Its last deadline still tells how much time has passed.
 *
 * @kvm destroy_pit_timer(pit) arch/x86/kvm/i8254.c
 */
export function destroyPitTimer(pit: KvmPit): void {
  pit.pit_state.timer_active = 0;
  pit.timer.cancel();
}

/**
 * Gives the guest a tick: a pulse on GSI 0, unless (while reinjecting) the last is not acknowledged yet.
 *
 * @kvm pit_do_work(work) arch/x86/kvm/i8254.c
 */
export function pitDoWork(pit: KvmPit): void {
  const ps = pit.pit_state;
  if (ps.reinject !== 0) {
    if (ps.irq_ack === 0) return;
    ps.irq_ack = 0;
  }
  pit.line.setIrq(1);
  pit.line.setIrq(0);
  pit.onTick();
}

/**
 * The timer is due. Periods that time has jumped over count as ticks that wait, at no cost each.
 *
 * @kvm pit_timer_fn(data) arch/x86/kvm/i8254.c
 */
export function pitTimerFn(pit: KvmPit): void {
  const ps = pit.pit_state;
  let overruns = 1;
  if (ps.is_periodic !== 0) {
    overruns += Math.floor((pit.clock.nowNs - ps.timer_expires) / ps.period);
    ps.timer_expires += overruns * ps.period;
    pit.timer.set(ps.timer_expires);
  } else {
    ps.timer_active = 0;
  }
  if (ps.reinject !== 0) ps.pending += overruns;
  pit.fn.pitDoWork(pit);
}

/**
 * Forgets the ticks that wait.
 *
 * @kvm kvm_pit_reset_reinject(pit) arch/x86/kvm/i8254.c
 */
export function kvmPitResetReinject(pit: KvmPit): void {
  pit.pit_state.pending = 0;
  pit.pit_state.irq_ack = 1;
}

/**
 * KVM_REINJECT_CONTROL: whether missed ticks are given later (the default) or dropped.
 *
 * @kvm kvm_pit_set_reinject(pit, reinject) arch/x86/kvm/i8254.c
 */
export function kvmPitSetReinject(pit: KvmPit, reinject: boolean): void {
  const ps = pit.pit_state;
  const value = reinject ? 1 : 0;
  if (ps.reinject === value) return;
  if (reinject) pit.fn.kvmPitResetReinject(pit);
  ps.reinject = value;
}

/**
 * Starts channel 0's timer: once, or again and again, after `val` ticks of the PIT's clock.
 *
 * @kvm create_pit_timer(pit, val, is_period) arch/x86/kvm/i8254.c
 */
export function createPitTimer(pit: KvmPit, val: number, isPeriod: boolean): void {
  const ps = pit.pit_state;
  if (!pit.hasIoapic || (ps.flags & KVM_PIT_FLAGS_HPET_LEGACY) !== 0) return;
  const interval = mulU64U32Div(val, NSEC_PER_SEC, KVM_PIT_FREQ);
  ps.period = interval;
  ps.is_periodic = isPeriod ? 1 : 0;
  pit.fn.kvmPitResetReinject(pit);
  if (isPeriod && ps.period < MIN_TIMER_PERIOD_NS) ps.period = MIN_TIMER_PERIOD_NS;
  // KVM: the raised period counts from the second tick on; the first comes after the interval as asked.
  ps.timer_expires = pit.clock.nowNs + interval;
  ps.timer_active = 1;
  pit.timer.set(ps.timer_expires);
}

/**
 * A channel takes its initial count; counting starts anew at once.
 *
 * @kvm pit_load_count(pit, channel, val) arch/x86/kvm/i8254.c
 */
export function pitLoadCount(pit: KvmPit, channel: number, val: number): void {
  const count = val === 0 ? PIT_MAX_COUNT : val;
  const c = pit.pit_state.channels[channel];
  c.count = count;
  if (channel !== 0) {
    c.count_load_time = pit.clock.nowNs;
    return;
  }
  switch (c.mode) {
    case 0:
    case 1:
    case 4:
      pit.fn.createPitTimer(pit, count, false);
      break;
    case 2:
    case 3:
      pit.fn.createPitTimer(pit, count, true);
      break;
    default:
      pit.fn.destroyPitTimer(pit);
  }
}

/**
 * Loads a count on behalf of KVM_SET_PIT2: when an HPET takes over, without starting channel 0's timer.
 *
 * @kvm kvm_pit_load_count(pit, channel, val, hpet_legacy_start) arch/x86/kvm/i8254.c
 */
export function kvmPitLoadCount(pit: KvmPit, channel: number, val: number, hpetLegacyStart: boolean): void {
  if (!hpetLegacyStart) {
    pit.fn.pitLoadCount(pit, channel, val);
    return;
  }
  const c = pit.pit_state.channels[0];
  const savedMode = c.mode;
  c.mode = PIT_MODE_NONE;
  pit.fn.pitLoadCount(pit, channel, val);
  c.mode = savedMode;
}

/**
 * The state that KVM_CREATE_PIT2 makes.
 *
 * @kvm kvm_pit_reset(pit) arch/x86/kvm/i8254.c
 */
export function kvmPitReset(pit: KvmPit): void {
  const ps = pit.pit_state;
  ps.flags = 0;
  for (let channel = 0; channel < 3; channel++) {
    const c = ps.channels[channel];
    c.mode = PIT_MODE_NONE;
    c.gate = channel === 2 ? 0 : 1;
    pit.fn.pitLoadCount(pit, channel, 0);
  }
  pit.fn.kvmPitResetReinject(pit);
}

/**
 * GSI 0 was masked or unmasked: on unmasking, ticks that wait are forgotten.
 *
 * @kvm pit_mask_notifer(kimn, mask) arch/x86/kvm/i8254.c
 */
export function pitMaskNotifer(pit: KvmPit, mask: boolean): void {
  if (!mask) pit.fn.kvmPitResetReinject(pit);
}
