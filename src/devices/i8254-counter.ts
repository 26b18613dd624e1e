/**
 * What a channel of the 8254 shows: elapsed time, count, OUT, latches, gate (Linux: arch/x86/kvm/i8254.c; Intel
 * 8254 data sheet, “Mode Definitions”, “Counter Latch Command”, “Read-Back Command”).
 *
 * Nothing counts: count and OUT are computed from the time since the count was loaded.
 */
import type { KvmPitChannelState } from '../uapi/kvm.ts';
import { KVM_PIT_FREQ, type KvmPit } from './i8254-state.ts';
import { modulo, mulU64U32Div } from './mul-u64-u32-div.ts';

const NSEC_PER_SEC = 1_000_000_000;

/**
 * A gate input takes a level. A rising edge restarts the phase in modes 1, 2, 3 and 5.
 *
 * KVM: a low gate never stops the counting; 8254 data sheet: modes 0, 2, 3 and 4 stand while the gate is low.
 *
 * @kvm pit_set_gate(pit, channel, val) arch/x86/kvm/i8254.c
 */
export function pitSetGate(pit: KvmPit, channel: number, val: number): void {
  const c = pit.pit_state.channels[channel];
  if (c.mode === 1 || c.mode === 2 || c.mode === 3 || c.mode === 5) {
    if (c.gate < val) c.count_load_time = pit.clock.nowNs;
  }
  c.gate = val;
}

/**
 * The level of a gate input.
 *
 * @kvm pit_get_gate(pit, channel) arch/x86/kvm/i8254.c
 */
export function pitGetGate(pit: KvmPit, channel: number): number {
  return pit.pit_state.channels[channel].gate;
}

/**
 * Nanoseconds since channel 0's timer began its period; goes on growing after a one-shot has fired.
 *
 * @kvm __kpit_elapsed(pit) arch/x86/kvm/i8254.c
 */
export function __kpitElapsed(pit: KvmPit): number {
  const ps = pit.pit_state;
  if (ps.period === 0) return 0;
  const remaining = ps.timer_expires - pit.clock.nowNs;
  return ps.period - remaining;
}

/**
 * Nanoseconds since a channel began counting.
 *
 * @kvm kpit_elapsed(pit, c, channel) arch/x86/kvm/i8254.c
 */
export function kpitElapsed(pit: KvmPit, c: KvmPitChannelState, channel: number): number {
  return channel === 0 ? pit.fn.__kpitElapsed(pit) : pit.clock.nowNs - c.count_load_time;
}

/** Ticks of the PIT's clock since a channel began counting. */
function elapsedTicks(pit: KvmPit, c: KvmPitChannelState, channel: number): number {
  return mulU64U32Div(pit.fn.kpitElapsed(pit, c, channel), KVM_PIT_FREQ, NSEC_PER_SEC);
}

/**
 * The count now. Bits above 15 are the caller's to drop: a count of 65536 shows as 0.
 *
 * KVM: counts in binary, whatever the BCD bit says.
 *
 * @kvm pit_get_count(pit, channel) arch/x86/kvm/i8254.c
 */
export function pitGetCount(pit: KvmPit, channel: number): number {
  const c = pit.pit_state.channels[channel];
  const d = elapsedTicks(pit, c, channel);
  if (c.mode === 2) return c.count - modulo(d, c.count);
  // KVM: steps of two also for odd counts; 8254 data sheet: an odd count loses one, or three, once a half period.
  if (c.mode === 3) return c.count - modulo(2 * d, c.count);
  return countOnce(c, d);
}

/** The count in the modes that do not reload it, and in those that the chip does not have. */
function countOnce(c: KvmPitChannelState, d: number): number {
  const isMode = c.mode === 0 || c.mode === 1 || c.mode === 4 || c.mode === 5;
  return isMode ? (c.count - d) & 0xffff : c.count - modulo(d, c.count);
}

/**
 * The level of a channel's OUT.
 *
 * @kvm pit_get_out(pit, channel) arch/x86/kvm/i8254.c
 */
export function pitGetOut(pit: KvmPit, channel: number): number {
  const c = pit.pit_state.channels[channel];
  const d = elapsedTicks(pit, c, channel);
  let out: boolean;
  switch (c.mode) {
    case 1:
      out = d < c.count;
      break;
    case 2:
      // KVM: high for the one tick of the reload; 8254 data sheet: low for that tick, high else.
      out = modulo(d, c.count) === 0 && d !== 0;
      break;
    case 3:
      out = modulo(d, c.count) < (c.count + 1) >>> 1;
      break;
    case 4:
    case 5:
      // KVM: high for the one tick; 8254 data sheet: the strobe is low.
      out = d === c.count;
      break;
    default:
      out = d >= c.count;
      break;
  }
  return out ? 1 : 0;
}

/**
 * Holds the count for reading, unless an earlier one still waits. `count_latched` is then the byte that comes next.
 *
 * @kvm pit_latch_count(pit, channel) arch/x86/kvm/i8254.c
 */
export function pitLatchCount(pit: KvmPit, channel: number): void {
  const c = pit.pit_state.channels[channel];
  if (c.count_latched !== 0) return;
  c.latched_count = pit.fn.pitGetCount(pit, channel) & 0xffff;
  c.count_latched = c.rw_mode;
}

/**
 * Holds the status byte for reading, unless an earlier one still waits.
 *
 * @kvm pit_latch_status(pit, channel) arch/x86/kvm/i8254.c
 */
export function pitLatchStatus(pit: KvmPit, channel: number): void {
  const c = pit.pit_state.channels[channel];
  if (c.status_latched !== 0) return;
  // Bit 6, NULL COUNT: KVM leaves it 0.
  c.status = ((pit.fn.pitGetOut(pit, channel) << 7) | (c.rw_mode << 4) | (c.mode << 1) | c.bcd) & 0xff;
  c.status_latched = 1;
}
