import { beforeEach, describe, expect, it } from 'vitest';
import { IO_NOT_HANDLED } from '../../../src/bus/io-device.ts';
import { Mc146818, RTC_PORT } from '../../../src/devices/mc146818.ts';
import {
  RTC_24H,
  RTC_AF,
  RTC_AIE,
  RTC_CENTURY,
  RTC_DAY_OF_MONTH,
  RTC_DAY_OF_WEEK,
  RTC_DM_BINARY,
  RTC_HOURS,
  RTC_HOURS_ALARM,
  RTC_IRQF,
  RTC_MINUTES,
  RTC_MINUTES_ALARM,
  RTC_MONTH,
  RTC_PF,
  RTC_PIE,
  RTC_REG_A,
  RTC_REG_B,
  RTC_REG_C,
  RTC_REG_D,
  RTC_SECONDS,
  RTC_SECONDS_ALARM,
  RTC_SET,
  RTC_SQWE,
  RTC_UF,
  RTC_UIE,
  RTC_UIP,
  RTC_YEAR,
} from '../../../src/devices/mc146818-reg.ts';
import { TestClock, TestLine } from './board-device-fakes.ts';

const SECOND = 1_000_000_000;
/** 2026-01-01T00:00:00Z. */
const NEW_YEAR = 1_767_225_600;

let clock: TestClock;
let irq: TestLine;
let rtc: Mc146818;
function read(register: number): number {
  rtc.write(RTC_PORT, 1, register);
  return rtc.read(RTC_PORT + 1, 1);
}
function write(register: number, value: number): void {
  rtc.write(RTC_PORT, 1, register);
  rtc.write(RTC_PORT + 1, 1, value);
}
/** Hours, minutes, seconds as they read. */
const time = () => [RTC_HOURS, RTC_MINUTES, RTC_SECONDS].map(read);
/** Century, year, month, day. */
const date = () => [RTC_CENTURY, RTC_YEAR, RTC_MONTH, RTC_DAY_OF_MONTH].map(read);

beforeEach(() => {
  clock = new TestClock();
  irq = new TestLine();
  rtc = new Mc146818({ clock, irq, seconds: NEW_YEAR });
});

describe('ports', () => {
  it('select a register with bits 6:0 and mask NMI with bit 7', () => {
    write(0x40, 0x5a);
    rtc.write(RTC_PORT, 1, 0xc0);
    expect([rtc.isNmiMasked, rtc.read(RTC_PORT + 1, 1), rtc.read(RTC_PORT, 1)]).toEqual([true, 0x5a, 0xff]);
    rtc.write(RTC_PORT, 1, 0x40);
    expect([rtc.isNmiMasked, rtc.read(RTC_PORT + 1, 1)]).toEqual([false, 0x5a]);
  });

  it('decline wide accesses without effect', () => {
    rtc.write(RTC_PORT, 1, 0x40);
    expect([rtc.write(RTC_PORT, 2, 0x5a41), rtc.read(RTC_PORT, 2)]).toEqual([false, IO_NOT_HANDLED]);
    expect([rtc.state.index, read(0x40)]).toEqual([0x40, 0]);
  });

  it('keep 128 bytes apart', () => {
    for (let i = 0x0e; i < 0x80; i++) if (i !== RTC_CENTURY) write(i, i ^ 0xa5);
    for (let i = 0x0e; i < 0x80; i++) if (i !== RTC_CENTURY) expect(read(i)).toBe(i ^ 0xa5);
  });
});

describe('time', () => {
  it('starts at the given second, in BCD and 24 hours', () => {
    expect([...date(), ...time(), read(RTC_DAY_OF_WEEK)]).toEqual([0x20, 0x26, 1, 1, 0, 0, 0, 5]);
  });

  it('advances with the clock', () => {
    clock.elapse(12 * 3600 * SECOND + 34 * 60 * SECOND + 56 * SECOND);
    expect(time()).toEqual([0x12, 0x34, 0x56]);
    clock.elapse(SECOND - 1);
    expect(time()).toEqual([0x12, 0x34, 0x56]);
    clock.elapse(1);
    expect(time()).toEqual([0x12, 0x34, 0x57]);
  });

  it('reads in binary and in 12 hours', () => {
    clock.elapse((23 * 3600 + 45 * 60 + 59) * SECOND);
    write(RTC_REG_B, RTC_24H | RTC_DM_BINARY);
    expect(time()).toEqual([23, 45, 59]);
    write(RTC_REG_B, RTC_DM_BINARY);
    expect(time()).toEqual([0x80 | 11, 45, 59]);
    write(RTC_REG_B, 0);
    expect(time()).toEqual([0x91, 0x45, 0x59]);
  });

  it('goes over a leap day and the end of a century', () => {
    write(RTC_REG_B, RTC_SET | RTC_24H);
    for (const [register, value] of [
      [RTC_CENTURY, 0x19],
      [RTC_YEAR, 0x96],
      [RTC_MONTH, 0x02],
      [RTC_DAY_OF_MONTH, 0x28],
      [RTC_HOURS, 0x23],
      [RTC_MINUTES, 0x59],
      [RTC_SECONDS, 0x59],
    ]) {
      write(register, value);
    }
    write(RTC_REG_B, RTC_24H);
    clock.elapse(SECOND);
    expect([...date(), ...time()]).toEqual([0x19, 0x96, 0x02, 0x29, 0, 0, 0]);
    write(RTC_YEAR, 0x99);
    write(RTC_MONTH, 0x12);
    write(RTC_DAY_OF_MONTH, 0x31);
    write(RTC_HOURS, 0x23);
    write(RTC_MINUTES, 0x59);
    write(RTC_SECONDS, 0x59);
    clock.elapse(SECOND);
    expect([...date(), ...time()]).toEqual([0x20, 0x00, 0x01, 0x01, 0, 0, 0]);
  });

  it('counts weekdays on their own', () => {
    write(RTC_DAY_OF_WEEK, 1);
    clock.elapse(6 * 86_400 * SECOND);
    expect(read(RTC_DAY_OF_WEEK)).toBe(7);
    clock.elapse(86_400 * SECOND);
    expect(read(RTC_DAY_OF_WEEK)).toBe(1);
  });
});

describe('SET', () => {
  it('holds the registers, takes them over when it is cleared and keeps the phase of the second', () => {
    clock.elapse(0.75 * SECOND);
    write(RTC_REG_B, RTC_SET | RTC_24H);
    clock.elapse(5 * SECOND);
    expect(time()).toEqual([0, 0, 0]);
    write(RTC_HOURS, 0x08);
    write(RTC_REG_B, RTC_24H);
    expect(time()).toEqual([0x08, 0, 0]);
    clock.elapse(0.25 * SECOND);
    expect(time()).toEqual([0x08, 0, 1]);
  });

  it('clears UIE and stops updates but not the periodic interrupt', () => {
    write(RTC_REG_B, RTC_SET | RTC_UIE | RTC_PIE | RTC_24H);
    expect(read(RTC_REG_B)).toBe(RTC_SET | RTC_PIE | RTC_24H);
    clock.elapse(2 * SECOND);
    expect(read(RTC_REG_C)).toBe(RTC_IRQF | RTC_PF);
  });
});

describe('divider', () => {
  it('in reset stops the time; half a second after the release comes the first update', () => {
    clock.elapse(10.3 * SECOND);
    write(RTC_REG_A, 0x76);
    clock.elapse(20 * SECOND);
    expect(time()).toEqual([0, 0, 0x10]);
    write(RTC_REG_A, 0x26);
    clock.elapse(SECOND / 2 - 1);
    expect(time()).toEqual([0, 0, 0x10]);
    clock.elapse(1);
    expect(time()).toEqual([0, 0, 0x11]);
  });

  it('in reset gives no periodic interrupt', () => {
    write(RTC_REG_A, 0x66);
    write(RTC_REG_B, RTC_PIE | RTC_24H);
    clock.elapse(SECOND);
    expect([irq.level, read(RTC_REG_C)]).toEqual([0, 0]);
  });
});

describe('update in progress', () => {
  it('is 1 from 2,228 µs before the update to its end', () => {
    clock.elapse(SECOND - 2_228_001);
    expect(read(RTC_REG_A) & RTC_UIP).toBe(0);
    clock.elapse(1);
    expect(read(RTC_REG_A)).toBe(RTC_UIP | 0x26);
    clock.elapse(2_227_999);
    expect(read(RTC_REG_A) & RTC_UIP).toBe(RTC_UIP);
    clock.elapse(1);
    expect(read(RTC_REG_A) & RTC_UIP).toBe(0);
  });

  it('stays 0 while SET is 1, and cannot be written', () => {
    write(RTC_REG_A, 0xa6);
    expect(read(RTC_REG_A)).toBe(0x26);
    write(RTC_REG_B, RTC_SET | RTC_24H);
    clock.elapse(SECOND - 1);
    expect(read(RTC_REG_A) & RTC_UIP).toBe(0);
  });
});

describe('register C', () => {
  it('collects flags without interrupts and forgets them when read', () => {
    write(RTC_SECONDS_ALARM, 0x03);
    clock.elapse(3 * SECOND);
    expect([irq.level, read(RTC_REG_C)]).toEqual([0, RTC_PF | RTC_AF | RTC_UF]);
    expect(read(RTC_REG_C)).toBe(0);
  });

  it('and D ignore writes; D says that the battery is good', () => {
    write(RTC_REG_C, 0xff);
    write(RTC_REG_D, 0);
    expect([read(RTC_REG_C), read(RTC_REG_D)]).toEqual([0, 0x80]);
  });

  it('raises the line at once when a flag that is set is enabled', () => {
    clock.elapse(SECOND);
    write(RTC_REG_B, RTC_UIE | RTC_24H);
    expect(irq.level).toBe(1);
  });
});

describe('update-ended interrupt', () => {
  it('comes every second, once until C is read', () => {
    write(RTC_REG_B, RTC_UIE | RTC_24H);
    clock.elapse(SECOND - 1);
    expect(irq.level).toBe(0);
    clock.elapse(1);
    expect(irq.level).toBe(1);
    clock.elapse(5 * SECOND);
    expect(irq.risingEdges).toBe(1);
    expect(read(RTC_REG_C)).toBe(RTC_IRQF | RTC_UF | RTC_PF);
    expect(irq.level).toBe(0);
    clock.elapse(SECOND);
    expect(irq.risingEdges).toBe(2);
  });
});

describe('periodic interrupt', () => {
  it.each([
    [1, 256],
    [2, 128],
    [3, 8192],
    [6, 1024],
    [9, 128],
    [15, 2],
  ])('at rate %i comes %i times a second, without drift', (rate, hz) => {
    write(RTC_REG_A, 0x20 | rate);
    write(RTC_REG_B, RTC_PIE | RTC_24H);
    let count = 0;
    const end = clock.ticks + 2 * SECOND;
    while (clock.nextDeadlineTick <= end) {
      clock.skipToDeadline();
      clock.runDueAlarms();
      expect(read(RTC_REG_C) & (RTC_IRQF | RTC_PF)).toBe(RTC_IRQF | RTC_PF);
      count++;
    }
    expect(count).toBe(2 * hz);
  });

  it('is off at rate 0 and leaves an idle machine idle', () => {
    write(RTC_REG_A, 0x20);
    write(RTC_REG_B, RTC_PIE | RTC_24H);
    expect(clock.skipToDeadline()).toBe(false);
  });
});

describe('alarm interrupt', () => {
  it('comes when seconds, minutes and hours match', () => {
    write(RTC_HOURS_ALARM, 0x06);
    write(RTC_MINUTES_ALARM, 0x30);
    write(RTC_SECONDS_ALARM, 0x15);
    write(RTC_REG_B, RTC_AIE | RTC_24H);
    clock.elapse((6 * 3600 + 30 * 60 + 15) * SECOND - 1);
    expect(irq.level).toBe(0);
    clock.elapse(1);
    expect([irq.level, time()]).toEqual([1, [0x06, 0x30, 0x15]]);
  });

  it('repeats every minute when hour and minute are don’t-care', () => {
    write(RTC_HOURS_ALARM, 0xff);
    write(RTC_MINUTES_ALARM, 0xc0);
    write(RTC_SECONDS_ALARM, 0x30);
    write(RTC_REG_B, RTC_AIE | RTC_24H);
    const seconds: number[] = [];
    for (let i = 0; i < 3; i++) {
      clock.skipToDeadline();
      clock.runDueAlarms();
      read(RTC_REG_C);
      seconds.push(clock.nowNs / SECOND);
    }
    expect(seconds).toEqual([30, 90, 150]);
  });
});

describe('reset', () => {
  it('disables interrupts, clears flags and keeps time and memory', () => {
    write(0x40, 0x77);
    write(RTC_REG_B, RTC_PIE | RTC_AIE | RTC_UIE | RTC_SQWE | RTC_24H);
    clock.elapse(7 * SECOND);
    expect(irq.level).toBe(1);
    rtc.reset();
    expect([irq.level, read(RTC_REG_B), read(RTC_REG_C), read(0x40)]).toEqual([0, RTC_24H, 0, 0x77]);
    expect(time()).toEqual([0, 0, 7]);
  });
});
