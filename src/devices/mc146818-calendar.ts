/**
 * The calendar of the real-time clock: seconds since 1970 to register bytes and back (Motorola MC146818A data
 * sheet, “Time, Calendar, and Alarm Locations”). The Gregorian calendar holds for all years 0 … 9999, as the
 * chip's century-less leap rule does from 1901 to 2099.
 *
 * Nothing here allocates: bytes are written to and read from the chip's own array.
 */
import {
  RTC_24H,
  RTC_CENTURY,
  RTC_DAY_OF_MONTH,
  RTC_DAY_OF_WEEK,
  RTC_DM_BINARY,
  RTC_HOURS,
  RTC_MINUTES,
  RTC_MONTH,
  RTC_REG_B,
  RTC_SECONDS,
  RTC_YEAR,
} from './mc146818-reg.ts';

/** Seconds of a day. */
export const SECONDS_PER_DAY = 86_400;
const DAYS_PER_WEEK = 7;
/** Days from 0001-01-01, a Monday, to 1970-01-01. */
const DAYS_TO_1970 = 719_162;
const DAYS_BEFORE_MONTH = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365] as const;
const PM = 0x80;

/** A number 0 … 99 as register B's format writes it. */
export function encodeNumber(value: number, regB: number): number {
  return (regB & RTC_DM_BINARY) !== 0 ? value : (Math.trunc(value / 10) << 4) | (value % 10);
}

/** The number in a register byte; 0 … 255 in binary, 0 … 165 in BCD (nibbles above 9 count as they are). */
export function decodeNumber(byte: number, regB: number): number {
  return (regB & RTC_DM_BINARY) !== 0 ? byte : (byte >> 4) * 10 + (byte & 0x0f);
}

/** An hour 0 … 23 as register B's format writes it: 12-hour mode has 12, 1 … 11 and PM in bit 7. */
export function encodeHour(hour: number, regB: number): number {
  if ((regB & RTC_24H) !== 0) return encodeNumber(hour, regB);
  const twelve = hour % 12 === 0 ? 12 : hour % 12;
  return encodeNumber(twelve, regB) | (hour >= 12 ? PM : 0);
}

/** The hour in a register byte, 0 … 23: values that no hour has count modulo 12 or 24. */
export function decodeHour(byte: number, regB: number): number {
  if ((regB & RTC_24H) !== 0) return decodeNumber(byte, regB) % 24;
  return (decodeNumber(byte & ~PM, regB) % 12) + ((byte & PM) !== 0 ? 12 : 0);
}

/** Shows time `epochS` in the time registers of `regs`, in the format of register B. */
export function encodeTime(regs: Uint8Array, epochS: number, weekdayShift: number): void {
  const regB = regs[RTC_REG_B];
  const days = Math.floor(epochS / SECONDS_PER_DAY);
  const ofDay = epochS - days * SECONDS_PER_DAY;
  regs[RTC_SECONDS] = encodeNumber(ofDay % 60, regB);
  regs[RTC_MINUTES] = encodeNumber(Math.trunc(ofDay / 60) % 60, regB);
  regs[RTC_HOURS] = encodeHour(Math.trunc(ofDay / 3600), regB);
  regs[RTC_DAY_OF_WEEK] = encodeNumber(((weekdayOf(days) + weekdayShift) % DAYS_PER_WEEK) + 1, regB);
  encodeDate(regs, days + DAYS_TO_1970, regB);
}

function encodeDate(regs: Uint8Array, days: number, regB: number): void {
  let year = Math.floor(days / 365.2425) + 1;
  while (daysBeforeYear(year) > days) year--;
  while (daysBeforeYear(year + 1) <= days) year++;
  const dayOfYear = days - daysBeforeYear(year);
  let month = 12;
  while (daysBeforeMonth(year, month) > dayOfYear) month--;
  regs[RTC_DAY_OF_MONTH] = encodeNumber(dayOfYear - daysBeforeMonth(year, month) + 1, regB);
  regs[RTC_MONTH] = encodeNumber(month, regB);
  regs[RTC_YEAR] = encodeNumber(year % 100, regB);
  regs[RTC_CENTURY] = encodeNumber(Math.trunc(year / 100) % 100, regB);
}

/**
 * The time that the registers show, seconds since 1970. A field outside its documented range counts modulo the
 * range (seconds, minutes, hours, year, century) or as the nearest value (month, day of the month).
 */
export function decodeTime(regs: Uint8Array): number {
  const regB = regs[RTC_REG_B];
  const century = decodeNumber(regs[RTC_CENTURY], regB) % 100;
  const year = century * 100 + (decodeNumber(regs[RTC_YEAR], regB) % 100);
  const month = clamp(decodeNumber(regs[RTC_MONTH], regB), 1, 12);
  const daysInMonth = daysBeforeMonth(year, month + 1) - daysBeforeMonth(year, month);
  const day = clamp(decodeNumber(regs[RTC_DAY_OF_MONTH], regB), 1, daysInMonth);
  const days = daysBeforeYear(year) + daysBeforeMonth(year, month) + day - 1 - DAYS_TO_1970;
  const second = decodeNumber(regs[RTC_SECONDS], regB) % 60;
  const minute = decodeNumber(regs[RTC_MINUTES], regB) % 60;
  const hour = decodeHour(regs[RTC_HOURS], regB);
  return days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
}

/**
 * How far the day-of-week register is ahead of the calendar at `epochS`, 0 … 6: the chip counts weekdays on their
 * own, so a wrong one stays wrong.
 */
export function decodeWeekdayShift(regs: Uint8Array, epochS: number): number {
  const weekday = (decodeNumber(regs[RTC_DAY_OF_WEEK], regs[RTC_REG_B]) + DAYS_PER_WEEK - 1) % DAYS_PER_WEEK;
  const calendar = weekdayOf(Math.floor(epochS / SECONDS_PER_DAY));
  return (weekday - calendar + DAYS_PER_WEEK) % DAYS_PER_WEEK;
}

/** 0 = Sunday. */
function weekdayOf(daysSince1970: number): number {
  const days = (daysSince1970 + DAYS_TO_1970 + 1) % DAYS_PER_WEEK;
  return days < 0 ? days + DAYS_PER_WEEK : days;
}

/** Days from 0001-01-01 to the first day of `year`. */
function daysBeforeYear(year: number): number {
  const past = year - 1;
  return past * 365 + Math.floor(past / 4) - Math.floor(past / 100) + Math.floor(past / 400);
}

/** Days of `year` before the first day of `month`, 1 … 13. */
function daysBeforeMonth(year: number, month: number): number {
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  return DAYS_BEFORE_MONTH[month - 1] + (isLeap && month > 2 ? 1 : 0);
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
