/**
 * Virtual time, as devices see it: integer nanoseconds below 2^53, and alarms.
 *
 * Time is counted in ticks: one retired instruction, or one REP iteration, is one tick of `ips` a second.
 * Nanoseconds are derived from the tick count exactly (no accumulated rounding), so a run is the same on
 * every machine. See docs/architecture.md, “Time”.
 */
import { EmulatorError } from '../errors.ts';

/** A deadline that a device sets for itself. One alarm holds one deadline; setting it again moves it. */
export interface Alarm {
  /** Due time in nanoseconds, or {@link NEVER}. */
  readonly deadlineNs: number;
  /** The handler runs once, when the clock first stands at or after `atNs`. Setting again moves the deadline. */
  set(atNs: number): void;
  cancel(): void;
}

/** What a device may ask of time. */
export interface Clock {
  /** Now, integer nanoseconds since the machine was created. */
  readonly nowNs: number;
  /** Makes an alarm (at construction time; not on the I/O path). `handler` may set the alarm again. */
  createAlarm(handler: () => void): Alarm;
}

/** The deadline of an alarm that is not set. */
export const NEVER = Number.POSITIVE_INFINITY;

const NS_PER_S = 1_000_000_000;

/** Default guest speed: 100 M instructions a second, 10 ns each. */
export const DEFAULT_IPS = 100_000_000;

/** Largest accepted `ips`; keeps every product in {@link ticksToNs} below 2^53. */
export const MAX_IPS = 10_000_000_000;

/** Whether a clock can have so many ticks a second. */
export function isTickRate(ips: unknown): boolean {
  return Number.isInteger(ips) && (ips as number) >= 1 && (ips as number) <= MAX_IPS;
}

/** Time as a snapshot keeps it. */
export interface ClockState {
  readonly ticks: number;
  /** Due time of each alarm, nanoseconds, in the order in which they were created; null for one that is not set. */
  readonly deadlines: readonly (number | null)[];
}

class VirtualAlarm implements Alarm {
  deadlineNs = NEVER;
  readonly handler: () => void;
  readonly #clock: VirtualClock;

  constructor(clock: VirtualClock, handler: () => void) {
    this.#clock = clock;
    this.handler = handler;
  }

  set(atNs: number): void {
    this.deadlineNs = atNs;
    this.#clock.rescan();
  }

  cancel(): void {
    if (this.deadlineNs === NEVER) return;
    this.deadlineNs = NEVER;
    this.#clock.rescan();
  }
}

/** floor(ticks · 10^9 / ips), exact for ticks·10^9/ips < 2^53 (long division in two digits). */
export function ticksToNs(ticks: number, ips: number): number {
  const seconds = Math.floor(ticks / ips);
  const rest = ticks - seconds * ips;
  const high = rest * 1e5;
  const q = Math.floor(high / ips);
  const r = high - q * ips;
  return seconds * NS_PER_S + q * 1e4 + Math.floor((r * 1e4) / ips);
}

/** Smallest tick count whose {@link ticksToNs} is at least `ns`, a whole number; {@link NEVER} for more ticks than there can be. */
export function nsToTicks(ns: number, ips: number): number {
  const seconds = Math.floor(ns / NS_PER_S);
  const rest = ns - seconds * NS_PER_S;
  // `rest` times `ips` in two digits of 10^5: exact.
  const high = Math.floor(ips / 1e5);
  const q = Math.floor((rest * high) / 1e4);
  const r = rest * high - q * 1e4;
  const low = Math.ceil((r * 1e5 + rest * (ips - high * 1e5)) / NS_PER_S);
  const ticks = seconds * ips + q + low;
  return ticks > Number.MAX_SAFE_INTEGER ? NEVER : ticks;
}

/** The machine's clock: advanced by the run loop, read by devices. */
export class VirtualClock implements Clock {
  readonly ips: number;
  /** Ticks since creation: retired instructions, REP iterations and skipped idle time. */
  ticks = 0;
  /** Due time of the earliest alarm, {@link NEVER} without one. */
  nextDeadlineNs = NEVER;
  /** Tick at which {@link nextDeadlineNs} falls due; Infinity without one. */
  nextDeadlineTick = NEVER;
  /** Told when the earliest alarm falls due earlier than it did. */
  onEarlier: (() => void) | null = null;
  /** Nanoseconds of a tick where that is a whole number, else 0. */
  readonly #nsPerTick: number;
  readonly #alarms: VirtualAlarm[] = [];

  constructor(ips: number = DEFAULT_IPS) {
    if (!isTickRate(ips)) {
      throw new EmulatorError('E_ARGUMENT', `clock: ips ${ips} is not a whole number from 1 to ${MAX_IPS}`);
    }
    this.ips = ips;
    this.#nsPerTick = NS_PER_S % ips === 0 ? NS_PER_S / ips : 0;
  }

  get nowNs(): number {
    return this.#nsPerTick === 0 ? ticksToNs(this.ticks, this.ips) : this.ticks * this.#nsPerTick;
  }

  createAlarm(handler: () => void): Alarm {
    const alarm = new VirtualAlarm(this, handler);
    this.#alarms.push(alarm);
    return alarm;
  }

  /** Ticks that may pass before the earliest alarm is due: 0 when one is due now. */
  ticksToDeadline(): number {
    return Math.max(0, this.nextDeadlineTick - this.ticks);
  }

  /** Lets `ticks` pass. Alarms run only in {@link runDueAlarms}. */
  advance(ticks: number): void {
    this.ticks += ticks;
  }

  /** Moves time forward to the earliest alarm (the CPU is idle). @returns whether there was one. */
  skipToDeadline(): boolean {
    if (this.nextDeadlineTick === NEVER) return false;
    this.ticks = Math.max(this.ticks, this.nextDeadlineTick);
    return true;
  }

  /** Runs the handlers of all alarms that are due, earliest first, ties in order of creation. */
  runDueAlarms(): void {
    while (this.nextDeadlineTick <= this.ticks) {
      const due = this.nextDeadlineNs;
      for (const alarm of this.#alarms) {
        if (alarm.deadlineNs === due) {
          alarm.cancel();
          alarm.handler();
          break;
        }
      }
    }
  }

  /** @internal An alarm changed. */
  rescan(): void {
    let earliest = NEVER;
    for (const alarm of this.#alarms) earliest = Math.min(earliest, alarm.deadlineNs);
    if (earliest === this.nextDeadlineNs) return;
    const before = this.nextDeadlineTick;
    this.nextDeadlineNs = earliest;
    this.nextDeadlineTick =
      earliest === NEVER ? NEVER : nsToTicks(Math.max(0, Math.ceil(earliest)), this.ips);
    if (this.nextDeadlineTick < before) this.onEarlier?.();
  }

  /** Ticks and alarms. */
  saveState(): ClockState {
    return {
      ticks: this.ticks,
      deadlines: this.#alarms.map(({ deadlineNs }) => (deadlineNs === NEVER ? null : deadlineNs)),
    };
  }

  /**
   * Restores what {@link saveState} returned, of this clock or of one whose alarms were created in the same order. Alarms
   * created since then keep what they are set to; ties still go by the order of creation.
   */
  loadState(state: ClockState): void {
    this.ticks = state.ticks;
    const count = Math.min(this.#alarms.length, state.deadlines.length);
    for (let i = 0; i < count; i++) this.#alarms[i].deadlineNs = state.deadlines[i] ?? NEVER;
    this.rescan();
  }
}
