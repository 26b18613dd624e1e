/**
 * The 8254 of a PC with port 0x61, naively: written from the data sheet in whole numbers of any size, for the fuzzer to hold
 * against devices/. Where KVM is known to differ from the data sheet, it follows KVM and says so.
 *
 * Intel 8254 data sheet, “Programming the 8254”, “Mode Definitions”, “Read-Back Command”.
 */

/** KVM: rounded down; the crystal of a PC gives 1193181.67. */
const HZ = 1_193_181n;
const SECOND = 1_000_000_000n;
/** KVM: min_timer_period_us, the shortest period of channel 0's interrupt. */
const SHORTEST_PERIOD = 200_000n;
const UNPROGRAMMED = 0xff;

type Half = 'low' | 'high';

/** One counter. */
class NaiveCounter {
  mode = UNPROGRAMMED;
  isBcd = false;
  /** Access bits of the control word: 1 low, 2 high, 3 both. 0 until the first one: KVM then takes the low byte. */
  access = 0;
  gate = true;
  initial = 65_536n;
  /** When counting began. */
  begun = 0n;
  nextWrite: Half = 'low';
  nextRead: Half = 'low';
  pendingLow = 0;
  /** Latched bytes that are still to be read. */
  latched: number[] = [];
  status: number | null = null;

  program(access: number, mode: number, isBcd: boolean): void {
    this.access = access;
    this.mode = mode > 5 ? mode - 4 : mode;
    this.isBcd = isBcd;
    this.nextWrite = access === 2 ? 'high' : 'low';
    this.nextRead = this.nextWrite;
  }

  /** The count after so many clocks. KVM: binary, whatever BCD says; mode 3 in steps of two. */
  count(clocks: bigint): number {
    const { initial } = this;
    switch (this.mode) {
      case 0:
      case 1:
      case 4:
      case 5:
        return Number(BigInt.asUintN(16, initial - clocks));
      case 3:
        return Number(BigInt.asUintN(16, initial - ((clocks * 2n) % initial)));
      default:
        return Number(BigInt.asUintN(16, initial - (clocks % initial)));
    }
  }

  /** OUT after so many clocks. KVM: the pulses of modes 2, 4 and 5 are high, the data sheet's are low. */
  out(clocks: bigint): boolean {
    const { initial } = this;
    switch (this.mode) {
      case 1:
        return clocks < initial;
      case 2:
        return clocks !== 0n && clocks % initial === 0n;
      case 3:
        return clocks % initial < initial - initial / 2n;
      case 4:
      case 5:
        return clocks === initial;
      default:
        return clocks >= initial;
    }
  }
}

/** Channel 0's interrupt: ticks that the guest has not taken yet are kept. */
interface NaiveTimer {
  period: bigint;
  /** When it is due next, or was due last. */
  due: bigint;
  isActive: boolean;
  isPeriodic: boolean;
  waiting: bigint;
  isTaken: boolean;
}

/** See the opening comment. */
export class NaivePit {
  readonly counters = [new NaiveCounter(), new NaiveCounter(), new NaiveCounter()];
  readonly timer: NaiveTimer = {
    period: 0n,
    due: 0n,
    isActive: false,
    isPeriodic: false,
    waiting: 0n,
    isTaken: true,
  };
  speakerData = false;
  /** Now, in nanoseconds. */
  now = 0n;
  /** Gives the guest a tick: a pulse on its line. */
  onTick: () => void = () => {};

  constructor() {
    this.counters[2].gate = false;
  }

  /** Time has come to `ns`. */
  advance(ns: number): void {
    this.now = BigInt(ns);
    const { timer } = this;
    if (!timer.isActive || timer.due > this.now) return;
    let passed = 1n;
    if (timer.isPeriodic) {
      passed += (this.now - timer.due) / timer.period;
      timer.due += passed * timer.period;
    } else {
      timer.isActive = false;
    }
    timer.waiting += passed;
    this.#give();
  }

  /** The guest has ended the interrupt. */
  ended(): void {
    const { timer } = this;
    timer.isTaken = true;
    if (timer.waiting === 0n) return;
    timer.waiting--;
    if (timer.waiting > 0n) this.#give();
  }

  /** The interrupt was masked or unmasked: what waits is forgotten when it is unmasked. */
  maskChanged(isMasked: boolean): void {
    if (!isMasked) this.#forget();
  }

  write(port: number, value: number): void {
    if (port === 0x61) this.#writeSpeaker(value);
    else if (port === 0x43) this.#control(value);
    else this.#writeCount(port - 0x40, value);
  }

  /** @returns the byte; null: KVM stores nothing for the control word. */
  read(port: number): number | null {
    if (port === 0x61) return this.#readSpeaker();
    if (port === 0x43) return null;
    const counter = this.counters[port - 0x40];
    if (counter.status !== null) {
      const { status } = counter;
      counter.status = null;
      return status;
    }
    const latched = counter.latched.shift();
    if (latched !== undefined) return latched;
    const count = counter.count(this.#clocks(port - 0x40));
    const half = counter.nextRead;
    if (counter.access === 3) counter.nextRead = half === 'low' ? 'high' : 'low';
    return half === 'low' ? count % 256 : Math.floor(count / 256);
  }

  /** Clocks since a counter began. Channel 0 counts within the period of its timer. */
  #clocks(channel: number): bigint {
    const { timer } = this;
    const begun = channel === 0 ? timer.due - timer.period : this.counters[channel].begun;
    const elapsed = channel === 0 && timer.period === 0n ? 0n : this.now - begun;
    return (elapsed * HZ) / SECOND;
  }

  #give(): void {
    if (!this.timer.isTaken) return;
    this.timer.isTaken = false;
    this.onTick();
  }

  #forget(): void {
    this.timer.waiting = 0n;
    this.timer.isTaken = true;
  }

  #control(value: number): void {
    const select = value >> 6;
    const access = (value >> 4) & 3;
    if (select === 3) {
      for (let channel = 0; channel < 3; channel++) {
        if ((value & (2 << channel)) === 0) continue;
        if ((value & 0x20) === 0) this.#latch(channel);
        if ((value & 0x10) === 0) this.#latchStatus(channel);
      }
    } else if (access === 0) this.#latch(select);
    else this.counters[select].program(access, (value >> 1) & 7, (value & 1) === 1);
  }

  #latch(channel: number): void {
    const counter = this.counters[channel];
    if (counter.latched.length > 0) return;
    const count = counter.count(this.#clocks(channel));
    if ((counter.access & 1) !== 0) counter.latched.push(count % 256);
    if ((counter.access & 2) !== 0) counter.latched.push(Math.floor(count / 256));
  }

  /** KVM: NULL COUNT, bit 6, is always 0. */
  #latchStatus(channel: number): void {
    const counter = this.counters[channel];
    if (counter.status !== null) return;
    const out = counter.out(this.#clocks(channel)) ? 0x80 : 0;
    counter.status = (out | (counter.access << 4) | (counter.mode << 1) | (counter.isBcd ? 1 : 0)) & 0xff;
  }

  #writeCount(channel: number, value: number): void {
    const counter = this.counters[channel];
    if (counter.access !== 3) {
      this.#load(channel, counter.access === 2 ? value * 256 : value);
    } else if (counter.nextWrite === 'low') {
      counter.pendingLow = value;
      counter.nextWrite = 'high';
    } else {
      counter.nextWrite = 'low';
      this.#load(channel, counter.pendingLow + value * 256);
    }
  }

  #load(channel: number, count: number): void {
    const counter = this.counters[channel];
    counter.initial = BigInt(count === 0 ? 65_536 : count);
    counter.begun = this.now;
    if (channel !== 0) return;
    const { timer } = this;
    if (counter.mode > 4) {
      timer.isActive = false;
      return;
    }
    const interval = (counter.initial * SECOND) / HZ;
    timer.isPeriodic = counter.mode === 2 || counter.mode === 3;
    timer.period = timer.isPeriodic && interval < SHORTEST_PERIOD ? SHORTEST_PERIOD : interval;
    timer.due = this.now + interval;
    timer.isActive = true;
    this.#forget();
  }

  #writeSpeaker(value: number): void {
    this.speakerData = (value & 2) !== 0;
    const counter = this.counters[2];
    const gate = (value & 1) !== 0;
    if (gate && !counter.gate && [1, 2, 3, 5].includes(counter.mode)) counter.begun = this.now;
    counter.gate = gate;
  }

  #readSpeaker(): number {
    const counter = this.counters[2];
    const refresh = (this.now / 16_384n) % 2n === 1n;
    return (
      (counter.gate ? 1 : 0) +
      (this.speakerData ? 2 : 0) +
      (refresh ? 16 : 0) +
      (counter.out(this.#clocks(2)) ? 32 : 0)
    );
  }
}
