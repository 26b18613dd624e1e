/**
 * When the real-time clock's alarm strikes next (Motorola MC146818A data sheet, “Alarm”): the three alarm bytes
 * are compared with seconds, minutes and hours after each update; a byte of 0xC0 … 0xFF matches everything.
 */
import { NEVER } from '../bus/clock.ts';
import { encodeHour, encodeNumber } from './mc146818-calendar.ts';
import { RTC_HOURS_ALARM, RTC_MINUTES_ALARM, RTC_REG_B, RTC_SECONDS_ALARM } from './mc146818-reg.ts';

const DONT_CARE = 0xc0;
const ANY = -1;
const NONE = -2;

/** The value below `count` that is written as `alarm`, {@link ANY} or {@link NONE}. */
function fieldOf(
  alarm: number,
  count: number,
  regB: number,
  encode: (value: number, regB: number) => number,
): number {
  if (alarm >= DONT_CARE) return ANY;
  for (let value = 0; value < count; value++) if (encode(value, regB) === alarm) return value;
  return NONE;
}

/** Units from `at` to the next one that is `wanted` modulo `count`; 0 when it is that already. */
function unitsTo(at: number, wanted: number, count: number): number {
  if (wanted === ANY) return 0;
  const ahead = (wanted - at) % count;
  return ahead < 0 ? ahead + count : ahead;
}

/**
 * The first second after `epochS` at which the alarm bytes of `regs` match, or NEVER for bytes that no time has.
 */
export function nextAlarmSecond(regs: Uint8Array, epochS: number): number {
  const regB = regs[RTC_REG_B];
  const hour = fieldOf(regs[RTC_HOURS_ALARM], 24, regB, encodeHour);
  const minute = fieldOf(regs[RTC_MINUTES_ALARM], 60, regB, encodeNumber);
  const second = fieldOf(regs[RTC_SECONDS_ALARM], 60, regB, encodeNumber);
  if (hour === NONE || minute === NONE || second === NONE) return NEVER;
  // Like an odometer: the largest unit that does not match is moved on and starts the smaller ones at zero. A
  // carry into a larger unit is put right in the next round, at most twice.
  let at = epochS + 1;
  for (;;) {
    const hours = Math.floor(at / 3600);
    const minutes = Math.floor(at / 60);
    const hoursAhead = unitsTo(hours, hour, 24);
    const minutesAhead = unitsTo(minutes, minute, 60);
    const secondsAhead = unitsTo(at, second, 60);
    if (hoursAhead > 0) at = (hours + hoursAhead) * 3600;
    else if (minutesAhead > 0) at = (minutes + minutesAhead) * 60;
    else if (secondsAhead > 0) at += secondsAhead;
    else return at;
  }
}
