/**
 * The MC146818 real-time clock and CMOS memory at ports 0x70 and 0x71 (Motorola MC146818A data sheet; where that
 * leaves room, QEMU's hw/rtc/mc146818rtc.c).
 *
 * Time is not counted but derived: `epochS` is what the clock showed at its divider's edge `edgeNs`, and every
 * register is worked out when it is looked at. An alarm of the machine's clock is set only for an interrupt that
 * is enabled and not pending, so that an idle machine stays idle.
 *
 * - An update takes place once a second. UIP is 1 during the 244 + 1984 µs before it ends; the new time, UF and AF
 *   appear at its end.
 * - Divider codes 0, 1 and 2 run (as one speed: QEMU), the others hold the divider in reset; the first update comes half a second
 *   after the release.
 * - SET = 1 holds the time registers and UIP, clears UIE and lets the periodic interrupt go on. A time register
 *   that is written while the clock runs sets the clock at once.
 * - DSE and SQWE are stored and do nothing. Register D reads 0x80: the battery is good.
 *
 * Honours one-byte accesses; declines the others without effect. Port 0x70 reads as 0xff. Bit 7 of port 0x70 masks
 * NMI; it is kept in the state.
 */
import type { Alarm, Clock } from '../bus/clock.ts';
import { IO_NOT_HANDLED, type IoDevice, type IoSize } from '../bus/io-device.ts';
import type { IrqLine } from '../bus/irq-line.ts';
import { nextAlarmSecond } from './mc146818-alarm.ts';
import { decodeTime, decodeWeekdayShift, encodeTime } from './mc146818-calendar.ts';
import { NS_PER_S, periodAt, periodStartNs, periodTicks } from './mc146818-divider.ts';
import {
  CMOS_LEN,
  isTimeRegister,
  RTC_24H,
  RTC_AF,
  RTC_AIE,
  RTC_DIV_CTL,
  RTC_IRQF,
  RTC_IRQMASK,
  RTC_PF,
  RTC_PIE,
  RTC_REF_CLCK_32KHZ,
  RTC_REG_A,
  RTC_REG_B,
  RTC_REG_C,
  RTC_REG_D,
  RTC_SET,
  RTC_SQWE,
  RTC_UF,
  RTC_UIE,
  RTC_UIP,
  RTC_VRT,
} from './mc146818-reg.ts';

/** Port of the register index; the data port follows it. */
export const RTC_PORT = 0x70;
/** Ports that the clock claims. */
export const RTC_LEN = 2;
/** ISA interrupt of the clock. */
export const RTC_IRQ = 8;

const INDEX_MASK = 0x7f;
const NMI_DISABLE = 0x80;
/** UIP leads the update cycle by 244 µs; the cycle takes 1984 µs (data sheet, “Update Cycle Times”). */
const UIP_NS = 244_000 + 1_984_000;
/** Rate select 6: 1,024 Hz; 32,768 Hz divider. What a BIOS leaves in register A. */
const REG_A_DEFAULT = RTC_REF_CLCK_32KHZ | 6;

/** Everything the chip remembers. */
export interface Mc146818State {
  /** Register that port 0x71 shows, 0 … 127. */
  index: number;
  /** Bit 7 of the last write to port 0x70. */
  isNmiMasked: boolean;
  /** All registers; A without UIP, C without IRQF; the time registers hold only while the clock stands. */
  regs: Uint8Array;
  /** The time shown at {@link edgeNs}, seconds since 1970. */
  epochS: number;
  /** An instant at which the divider's seconds began; whole nanoseconds, at most now. */
  edgeNs: number;
  /** Days the weekday register is ahead of the calendar, 0 … 6. */
  weekdayShift: number;
  /** Up to here flags have been worked out. */
  syncedNs: number;
}

/** How a clock is built. */
export interface Mc146818Options {
  readonly clock: Clock;
  readonly irq: IrqLine;
  /** What it shows at power-on, whole seconds since 1970-01-01T00:00:00Z. */
  readonly seconds: number;
  /** Writes the firmware's bytes into CMOS memory at power-on. */
  fillCmos?(regs: Uint8Array): void;
}

/** The real-time clock. */
export class Mc146818 implements IoDevice {
  readonly name = 'mc146818';
  readonly state: Mc146818State;
  readonly #clock: Clock;
  readonly #irq: IrqLine;
  readonly #alarm: Alarm;

  constructor(options: Mc146818Options) {
    this.#clock = options.clock;
    this.#irq = options.irq;
    this.#alarm = options.clock.createAlarm(() => this.#sync());
    const now = options.clock.nowNs;
    this.state = {
      index: 0,
      isNmiMasked: false,
      regs: new Uint8Array(CMOS_LEN),
      epochS: options.seconds,
      edgeNs: now,
      weekdayShift: 0,
      syncedNs: now,
    };
    const { regs } = this.state;
    options.fillCmos?.(regs);
    regs[RTC_REG_A] = REG_A_DEFAULT;
    regs[RTC_REG_B] = RTC_24H;
    regs[RTC_REG_C] = 0;
    regs[RTC_REG_D] = RTC_VRT;
  }

  /** Whether bit 7 of port 0x70 keeps NMI from the processor. */
  get isNmiMasked(): boolean {
    return this.state.isNmiMasked;
  }

  read(addr: number, size: IoSize): number {
    if (size !== 1) return IO_NOT_HANDLED;
    return (addr & 1) === 0 ? 0xff : this.#readRegister(this.state.index);
  }

  write(addr: number, size: IoSize, value: number): boolean {
    if (size !== 1) return false;
    if ((addr & 1) === 0) {
      this.state.index = value & INDEX_MASK;
      this.state.isNmiMasked = (value & NMI_DISABLE) !== 0;
    } else {
      this.#writeRegister(this.state.index, value);
    }
    return true;
  }

  /** The RESET pin: interrupts off, flags clear; time and memory stay. */
  reset(): void {
    this.#sync();
    const { regs } = this.state;
    regs[RTC_REG_B] &= ~(RTC_PIE | RTC_AIE | RTC_UIE | RTC_SQWE);
    regs[RTC_REG_C] = 0;
    this.state.isNmiMasked = false;
    this.#update();
  }

  saveState(): Mc146818State {
    return { ...this.state, regs: this.state.regs.slice() };
  }

  loadState(state: unknown): void {
    const from = state as Mc146818State;
    Object.assign(this.state, from, { regs: from.regs.slice() });
    this.#update();
  }

  #readRegister(index: number): number {
    const { regs } = this.state;
    if (index === RTC_REG_A) return regs[RTC_REG_A] | (this.#isUpdateInProgress() ? RTC_UIP : 0);
    if (index === RTC_REG_C) return this.#readFlags();
    if (isTimeRegister(index)) this.#showTime();
    return regs[index];
  }

  #readFlags(): number {
    const { regs } = this.state;
    this.#sync();
    const flags = regs[RTC_REG_C] | (this.#isInterrupting() ? RTC_IRQF : 0);
    regs[RTC_REG_C] = 0;
    this.#update();
    return flags;
  }

  #writeRegister(index: number, value: number): void {
    const { regs } = this.state;
    this.#sync();
    if (index === RTC_REG_C || index === RTC_REG_D) return;
    if (index === RTC_REG_A || index === RTC_REG_B) {
      this.#writeControl(index, value);
    } else if (isTimeRegister(index) && this.#isRunning()) {
      this.#showTime();
      regs[index] = value;
      this.#takeTime();
    } else {
      regs[index] = value;
    }
    this.#update();
  }

  /** Registers A and B: the clock may stop or start. */
  #writeControl(index: number, value: number): void {
    const s = this.state;
    const { regs } = s;
    const wasRunning = this.#isRunning();
    const wasDividing = this.#isDividing();
    if (wasRunning) this.#showTime();
    if (index === RTC_REG_A) regs[RTC_REG_A] = value & ~RTC_UIP;
    else regs[RTC_REG_B] = (value & RTC_SET) !== 0 ? value & ~RTC_UIE : value;
    if (!wasDividing && this.#isDividing()) s.edgeNs = this.#clock.nowNs - NS_PER_S / 2;
    if (!wasRunning && this.#isRunning()) this.#takeTime();
  }

  /** Works out which flags have been set since the last time, and drives the line and the alarm. */
  #sync(): void {
    const s = this.state;
    const now = this.#clock.nowNs;
    if (this.#isDividing()) {
      const period = periodTicks(s.regs[RTC_REG_A]);
      if (period > 0 && periodAt(now - s.edgeNs, period) > periodAt(s.syncedNs - s.edgeNs, period))
        s.regs[RTC_REG_C] |= RTC_PF;
      const shown = this.#secondAt(s.syncedNs);
      const current = this.#secondAt(now);
      if (this.#isRunning() && current > shown) {
        s.regs[RTC_REG_C] |= RTC_UF;
        if (nextAlarmSecond(s.regs, shown) <= current) s.regs[RTC_REG_C] |= RTC_AF;
      }
    }
    s.syncedNs = now;
    this.#update();
  }

  #update(): void {
    const isInterrupting = this.#isInterrupting();
    this.#irq.set(isInterrupting ? 1 : 0);
    // Until register C is read nothing can change on the line.
    const deadline = isInterrupting ? Number.POSITIVE_INFINITY : this.#nextInterruptNs();
    if (deadline === Number.POSITIVE_INFINITY) this.#alarm.cancel();
    else if (deadline !== this.#alarm.deadlineNs) this.#alarm.set(deadline);
  }

  #nextInterruptNs(): number {
    const s = this.state;
    const regB = s.regs[RTC_REG_B];
    let next = Number.POSITIVE_INFINITY;
    if ((regB & RTC_IRQMASK) === 0 || !this.#isDividing()) return next;
    const period = periodTicks(s.regs[RTC_REG_A]);
    if ((regB & RTC_PIE) !== 0 && period > 0)
      next = s.edgeNs + periodStartNs(periodAt(s.syncedNs - s.edgeNs, period) + 1, period);
    if (!this.#isRunning()) return next;
    const shown = this.#secondAt(s.syncedNs);
    if ((regB & RTC_UIE) !== 0) next = Math.min(next, this.#secondStartNs(shown + 1));
    if ((regB & RTC_AIE) !== 0) next = Math.min(next, this.#secondStartNs(nextAlarmSecond(s.regs, shown)));
    return next;
  }

  #isInterrupting(): boolean {
    const { regs } = this.state;
    return (regs[RTC_REG_B] & regs[RTC_REG_C] & RTC_IRQMASK) !== 0;
  }

  /** The divider chain is not held in reset. */
  #isDividing(): boolean {
    return (this.state.regs[RTC_REG_A] & RTC_DIV_CTL) <= RTC_REF_CLCK_32KHZ;
  }

  /** The time goes on. */
  #isRunning(): boolean {
    return this.#isDividing() && (this.state.regs[RTC_REG_B] & RTC_SET) === 0;
  }

  #isUpdateInProgress(): boolean {
    const sinceEdge = (this.#clock.nowNs - this.state.edgeNs) % NS_PER_S;
    return this.#isRunning() && sinceEdge >= NS_PER_S - UIP_NS;
  }

  /** Puts the current time into the time registers of a running clock. */
  #showTime(): void {
    const s = this.state;
    if (this.#isRunning()) encodeTime(s.regs, this.#secondAt(this.#clock.nowNs), s.weekdayShift);
  }

  /** Sets the clock by the time registers; the phase of the second stays. */
  #takeTime(): void {
    const s = this.state;
    const now = this.#clock.nowNs;
    s.edgeNs = now - ((now - s.edgeNs) % NS_PER_S);
    s.epochS = decodeTime(s.regs);
    s.weekdayShift = decodeWeekdayShift(s.regs, s.epochS);
  }

  /** The time shown at `ns`, seconds since 1970. */
  #secondAt(ns: number): number {
    return this.state.epochS + Math.floor((ns - this.state.edgeNs) / NS_PER_S);
  }

  #secondStartNs(epochS: number): number {
    return this.state.edgeNs + (epochS - this.state.epochS) * NS_PER_S;
  }
}
