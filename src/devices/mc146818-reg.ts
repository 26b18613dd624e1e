/**
 * Registers of the MC146818 real-time clock with the names of Linux's include/linux/mc146818rtc.h (Motorola
 * MC146818A data sheet, “Address Map” and “Registers”).
 */

export const RTC_SECONDS = 0x00;
export const RTC_SECONDS_ALARM = 0x01;
export const RTC_MINUTES = 0x02;
export const RTC_MINUTES_ALARM = 0x03;
export const RTC_HOURS = 0x04;
export const RTC_HOURS_ALARM = 0x05;
export const RTC_DAY_OF_WEEK = 0x06;
export const RTC_DAY_OF_MONTH = 0x07;
export const RTC_MONTH = 0x08;
export const RTC_YEAR = 0x09;
/** Not the chip's: where PCs keep the century (ACPI FADT field CENTURY). */
export const RTC_CENTURY = 0x32;

export const RTC_REG_A = 0x0a;
/** Update in progress; read-only. */
export const RTC_UIP = 0x80;
/** Divider select. */
export const RTC_DIV_CTL = 0x70;
/** 32,768 Hz crystal, divider running. */
export const RTC_REF_CLCK_32KHZ = 0x20;
/** Rate select. */
export const RTC_RATE_SELECT = 0x0f;

export const RTC_REG_B = 0x0b;
/** Updates are halted so that the time can be set. */
export const RTC_SET = 0x80;
export const RTC_PIE = 0x40;
export const RTC_AIE = 0x20;
export const RTC_UIE = 0x10;
export const RTC_SQWE = 0x08;
/** 1 = binary, 0 = BCD. */
export const RTC_DM_BINARY = 0x04;
/** 1 = 24 hours, 0 = 12 hours with PM in bit 7. */
export const RTC_24H = 0x02;
export const RTC_DST_EN = 0x01;

export const RTC_REG_C = 0x0c;
export const RTC_IRQF = 0x80;
export const RTC_PF = 0x40;
export const RTC_AF = 0x20;
export const RTC_UF = 0x10;
/** The three sources, at the same places in registers B (enable) and C (flag). */
export const RTC_IRQMASK = 0x70;

export const RTC_REG_D = 0x0d;
/** The battery is good. */
export const RTC_VRT = 0x80;

/** Bytes of a PC's clock and its CMOS memory. */
export const CMOS_LEN = 128;

/** Whether register `index` is one of the ten time registers or the century. */
export function isTimeRegister(index: number): boolean {
  return (
    index === RTC_SECONDS ||
    index === RTC_MINUTES ||
    index === RTC_HOURS ||
    (index >= RTC_DAY_OF_WEEK && index <= RTC_YEAR) ||
    index === RTC_CENTURY
  );
}
