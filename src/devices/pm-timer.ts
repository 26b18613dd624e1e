/**
 * The ACPI power management timer: a free-running 24-bit counter (ACPI specification, “Power Management Timer”;
 * Intel 82371AB (PIIX4) data sheet, “PMTMR”: power management base + 8).
 *
 * Honours reads of 1, 2 and 4 bytes that lie inside its four ports; bits 31:24 read as 0. Writes are taken and
 * have no effect. Keeps no state: the count is the clock's.
 */
import type { Clock } from '../bus/clock.ts';
import { IO_NOT_HANDLED, type IoDevice, type IoSize } from '../bus/io-device.ts';

/** First port: PIIX4's power management base as SeaBIOS and QEMU set it, plus 8. */
export const PM_TIMER_PORT = 0x608;
/** Ports that the timer claims. */
export const PM_TIMER_LEN = 4;
/** `PM_TIMER_FREQUENCY` of the ACPI specification: three times the PIT's. */
export const PM_TIMER_FREQUENCY_HZ = 3_579_545;

const NS_PER_S = 1_000_000_000;
const COUNTER_MODULUS = 1 << 24;

/**
 * floor(ns · 3,579,545 / 10^9), exact for whole `ns` below 2^53.
 *
 * Whole seconds and the rest are taken apart, so that each product stays below 2^53. The last division is exact
 * under floor: a quotient below 3.6·10^6 that is no whole number is at least 10^-9 away from the next one, four
 * times the rounding error there.
 */
export function nsToPmTicks(ns: number): number {
  const seconds = Math.floor(ns / NS_PER_S);
  const rest = ns - seconds * NS_PER_S;
  return seconds * PM_TIMER_FREQUENCY_HZ + Math.floor((rest * PM_TIMER_FREQUENCY_HZ) / NS_PER_S);
}

/** The ACPI timer. */
export class AcpiPmTimer implements IoDevice {
  readonly name = 'acpi-pm-timer';
  readonly #clock: Clock;
  readonly #base: number;

  constructor(clock: Clock, base: number = PM_TIMER_PORT) {
    this.#clock = clock;
    this.#base = base;
  }

  read(addr: number, size: IoSize): number {
    const at = addr - this.#base;
    if (at < 0 || at + size > PM_TIMER_LEN) return IO_NOT_HANDLED;
    const count = nsToPmTicks(this.#clock.nowNs) % COUNTER_MODULUS;
    const shifted = count >>> (8 * at);
    return size === 1 ? shifted & 0xff : size === 2 ? shifted & 0xffff : shifted;
  }

  write(addr: number, size: IoSize, _value: number): boolean {
    const at = addr - this.#base;
    return at >= 0 && at + size <= PM_TIMER_LEN;
  }
}
