/** What a board's device is wired to in its tests: a nanosecond clock, a recording line, a recording sink. */
import { VirtualClock } from '../../../src/bus/clock.ts';
import type { ByteSink, IrqLine } from '../../../src/bus/irq-line.ts';

/** One tick is one nanosecond. */
const NS_IPS = 1_000_000_000;

export class TestClock extends VirtualClock {
  constructor() {
    super(NS_IPS);
  }

  /** Lets `ns` pass, running each alarm at its time. */
  elapse(ns: number): void {
    const end = this.ticks + ns;
    while (this.nextDeadlineTick <= end) {
      this.skipToDeadline();
      this.runDueAlarms();
    }
    this.ticks = end;
  }
}

export class TestLine implements IrqLine {
  level: 0 | 1 = 0;
  /** Changes from 0 to 1. */
  risingEdges = 0;

  set(level: 0 | 1): void {
    if (level > this.level) this.risingEdges++;
    this.level = level;
  }
}

export class TestSink implements ByteSink {
  readonly bytes: number[] = [];

  write(byte: number): void {
    this.bytes.push(byte);
  }

  get text(): string {
    return String.fromCharCode(...this.bytes);
  }
}
