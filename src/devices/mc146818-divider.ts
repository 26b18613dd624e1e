/**
 * The real-time clock's divider chain: 32,768 ticks a second, of which the rate select bits take one tap for the
 * periodic interrupt (Motorola MC146818A data sheet, “Divider Stages” and “Periodic Interrupt Selection”).
 *
 * Times are whole nanoseconds since an instant at which the divider began a second.
 */
import { RTC_RATE_SELECT } from './mc146818-reg.ts';

/** Nanoseconds of a second. */
export const NS_PER_S = 1_000_000_000;
const DIVIDER_HZ = 32_768;

/** Ticks between periodic interrupts by register A's rate select bits; 0 = off. Codes 1 and 2 repeat 8 and 9. */
export function periodTicks(regA: number): number {
  const rate = regA & RTC_RATE_SELECT;
  if (rate === 0) return 0;
  return 1 << ((rate <= 2 ? rate + 7 : rate) - 1);
}

/** Number of the period of `period` ticks that contains `ns`. */
export function periodAt(ns: number, period: number): number {
  const seconds = Math.floor(ns / NS_PER_S);
  const ticks = Math.floor(((ns - seconds * NS_PER_S) * DIVIDER_HZ) / NS_PER_S);
  return Math.floor((seconds * DIVIDER_HZ + ticks) / period);
}

/** First whole nanosecond of period `n`: one tick is 1,953,125 / 64 ns, exact in a double. */
export function periodStartNs(n: number, period: number): number {
  const ticks = n * period;
  const seconds = Math.floor(ticks / DIVIDER_HZ);
  const rest = ticks - seconds * DIVIDER_HZ;
  return seconds * NS_PER_S + Math.ceil((rest * 1_953_125) / 64);
}
