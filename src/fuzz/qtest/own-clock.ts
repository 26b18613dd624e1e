/**
 * What the qtest oracle has to know of pio86's real-time clock to tell which steps QEMU's takes otherwise.
 */

import { Mc146818 } from '../../devices/mc146818.ts';
import { encodeTime } from '../../devices/mc146818-calendar.ts';
import {
  isTimeRegister,
  RTC_24H,
  RTC_DAY_OF_WEEK,
  RTC_DIV_CTL,
  RTC_DM_BINARY,
  RTC_REF_CLCK_32KHZ,
  RTC_REG_A,
  RTC_REG_B,
  RTC_SET,
} from '../../devices/mc146818-reg.ts';
import { EmulatorError } from '../../errors.ts';
import { PS2_CENTURY } from './power-on.ts';
import type { QtestRule } from './rules.ts';

/** From here on the divider is held in reset: codes 6 and 7. */
const DIVIDER_RESET = 0x60;
const FORMAT = RTC_DM_BINARY | RTC_24H;
/** 2^63 nanoseconds, in seconds. */
const LAST_SECOND = 9_223_372_036;

/** See the opening comment. */
export class OwnClock {
  readonly #clock: Mc146818;
  #ran = false;

  constructor(device: unknown) {
    if (!(device instanceof Mc146818)) throw new EmulatorError('E_STATE', 'the board has no clock');
    this.#clock = device;
  }

  /** Whether port 0x71 shows the day of the week. */
  get showsWeekday(): boolean {
    return this.#clock.state.index === RTC_DAY_OF_WEEK;
  }

  /** What a check that reads port 0x71 is about. */
  get register(): number {
    return this.#clock.state.index;
  }

  /** @returns the rule that keeps a write to port 0x71 from being made, null for none. */
  ruleBeforeWrite(value: number): QtestRule | null {
    const { index, regs } = this.#clock.state;
    if (index === PS2_CENTURY) return 'century alias';
    if (index === RTC_REG_A) {
      const divider = value & RTC_DIV_CTL;
      return divider > RTC_REF_CLCK_32KHZ && divider < DIVIDER_RESET ? 'test divider' : null;
    }
    const starts = index === RTC_REG_B && (regs[RTC_REG_B] & ~value & RTC_SET) !== 0;
    return starts && ((regs[RTC_REG_B] ^ value) & FORMAT) !== 0 ? 'format change' : null;
  }

  /** Call it before a write to port 0x71. */
  beforeWrite(): void {
    this.#ran = this.#isRunning();
  }

  /** @returns the rule that the time set by the write meets, null for none. */
  ruleOfWrite(): QtestRule | null {
    const { index, regs, epochS, weekdayShift } = this.#clock.state;
    // The time is taken when a register of it is written to a clock that runs, and when the clock starts.
    if (!this.#isRunning() || (this.#ran && !isTimeRegister(index))) return null;
    if (epochS < 0 || epochS >= LAST_SECOND) return 'year';
    const shown = regs.slice();
    encodeTime(shown, epochS, weekdayShift);
    return shown.every((value, i) => value === regs[i] || i === RTC_DAY_OF_WEEK) ? null : 'no such time';
  }

  #isRunning(): boolean {
    const { regs } = this.#clock.state;
    return (regs[RTC_REG_A] & RTC_DIV_CTL) <= RTC_REF_CLCK_32KHZ && (regs[RTC_REG_B] & RTC_SET) === 0;
  }
}
