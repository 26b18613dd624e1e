import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextAlarmSecond } from '../../../src/devices/mc146818-alarm.ts';
import {
  decodeHour,
  decodeTime,
  decodeWeekdayShift,
  encodeHour,
  encodeTime,
} from '../../../src/devices/mc146818-calendar.ts';
import {
  CMOS_LEN,
  RTC_24H,
  RTC_CENTURY,
  RTC_DAY_OF_WEEK,
  RTC_DM_BINARY,
  RTC_HOURS,
  RTC_HOURS_ALARM,
  RTC_MINUTES,
  RTC_MINUTES_ALARM,
  RTC_REG_B,
  RTC_SECONDS,
  RTC_SECONDS_ALARM,
} from '../../../src/devices/mc146818-reg.ts';

const YEAR_0 = -62_167_219_200;
const YEAR_9999_END = 253_402_300_799;
const times = fc.integer({ min: YEAR_0, max: YEAR_9999_END });
const formats = fc.constantFrom(0, RTC_24H, RTC_DM_BINARY, RTC_24H | RTC_DM_BINARY);

function regsWith(regB: number): Uint8Array {
  const regs = new Uint8Array(CMOS_LEN);
  regs[RTC_REG_B] = regB;
  return regs;
}

describe('time registers', () => {
  it('show what the Gregorian calendar says, in binary and 24 hours', () => {
    fc.assert(
      fc.property(times, (epochS) => {
        const regs = regsWith(RTC_24H | RTC_DM_BINARY);
        encodeTime(regs, epochS, 0);
        const date = new Date(epochS * 1000);
        expect([regs[0], regs[2], regs[4], regs[6], regs[7], regs[8], regs[9], regs[RTC_CENTURY]]).toEqual([
          date.getUTCSeconds(),
          date.getUTCMinutes(),
          date.getUTCHours(),
          date.getUTCDay() + 1,
          date.getUTCDate(),
          date.getUTCMonth() + 1,
          date.getUTCFullYear() % 100,
          Math.trunc(date.getUTCFullYear() / 100),
        ]);
      }),
      { numRuns: 1000 },
    );
  });

  it('give back in each format the time that they show', () => {
    fc.assert(
      fc.property(times, formats, fc.nat(6), (epochS, regB, shift) => {
        const regs = regsWith(regB);
        encodeTime(regs, epochS, shift);
        expect(decodeTime(regs)).toBe(epochS);
        expect(decodeWeekdayShift(regs, epochS)).toBe(shift);
      }),
      { numRuns: 1000 },
    );
  });

  it('stay a time of the years 0 … 9999 whatever bytes they hold', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: CMOS_LEN, maxLength: CMOS_LEN }), formats, (regs, regB) => {
        regs[RTC_REG_B] = regB;
        const epochS = decodeTime(regs);
        expect(epochS).toBeGreaterThanOrEqual(YEAR_0);
        expect(epochS).toBeLessThanOrEqual(YEAR_9999_END);
        expect([0, 1, 2, 3, 4, 5, 6]).toContain(decodeWeekdayShift(regs, epochS));
      }),
    );
  });

  it('write hours with PM in bit 7 and 12 for midnight and noon', () => {
    const hours = [0, 1, 11, 12, 13, 23];
    expect(hours.map((hour) => encodeHour(hour, 0))).toEqual([0x12, 0x01, 0x11, 0x92, 0x81, 0x91]);
    expect(hours.map((hour) => encodeHour(hour, RTC_DM_BINARY))).toEqual([
      0x0c, 0x01, 0x0b, 0x8c, 0x81, 0x8b,
    ]);
    for (let hour = 0; hour < 24; hour++) expect(decodeHour(encodeHour(hour, 0), 0)).toBe(hour);
  });

  it('show 2026-01-01, a Thursday, in BCD', () => {
    const regs = regsWith(RTC_24H);
    encodeTime(regs, 1_767_225_600, 0);
    expect([...regs.subarray(6, 10), regs[RTC_CENTURY]]).toEqual([5, 0x01, 0x01, 0x26, 0x20]);
  });
});

describe('the next alarm', () => {
  /** One second after the other, compared byte by byte. */
  function naive(regs: Uint8Array, epochS: number): number {
    const shown = regs.slice();
    for (let at = epochS + 1; at <= epochS + 86_400; at++) {
      encodeTime(shown, at, 0);
      const isMatch = [
        [RTC_SECONDS, RTC_SECONDS_ALARM],
        [RTC_MINUTES, RTC_MINUTES_ALARM],
        [RTC_HOURS, RTC_HOURS_ALARM],
      ].every(([field, alarm]) => regs[alarm] >= 0xc0 || shown[field] === regs[alarm]);
      if (isMatch) return at;
    }
    return Number.POSITIVE_INFINITY;
  }

  it('is what comparing every second finds', () => {
    const field = fc.oneof(fc.nat(255), fc.constantFrom(0xc0, 0xff, 0x00, 0x12, 0x59, 0x23));
    fc.assert(
      fc.property(times, formats, field, field, field, (epochS, regB, second, minute, hour) => {
        const regs = regsWith(regB);
        regs[RTC_SECONDS_ALARM] = second;
        regs[RTC_MINUTES_ALARM] = minute;
        regs[RTC_HOURS_ALARM] = hour;
        expect(nextAlarmSecond(regs, epochS)).toBe(naive(regs, epochS));
      }),
      { numRuns: 25 },
    );
  });

  it('is never for bytes that no time has', () => {
    const regs = regsWith(RTC_24H);
    regs[RTC_SECONDS_ALARM] = 0x60;
    expect(nextAlarmSecond(regs, 0)).toBe(Number.POSITIVE_INFINITY);
  });

  it('compares no weekday', () => {
    const regs = regsWith(RTC_24H);
    regs.fill(0xff, RTC_SECONDS_ALARM, RTC_DAY_OF_WEEK);
    expect(nextAlarmSecond(regs, 41)).toBe(42);
  });
});
