/**
 * One step after another of a devices case, as qtest commands with what pio86 answers to each. pio86 runs first: its state says which
 * rule of rules.ts a step meets, and what of an INTA, which qtest does not have, each chip is polled for.
 */
import type { DeviceStep } from '../devices/device-case.ts';
import type { OwnPc } from './own-pc.ts';
import { isIcw1, qemusCommand, ruleOfCommand } from './pic-writes.ts';
import { PS2_CENTURY } from './power-on.ts';
import { inCommand, irqCommand, outCommand } from './protocol.ts';
import type { QtestRule } from './rules.ts';

/** One command and what is expected of it. */
export interface QtestCheck {
  readonly command: string;
  readonly what: string;
  /** Null: nothing is compared. */
  readonly value: number | null;
  /** Bits that are compared. */
  readonly mask: number;
  /** INTR afterwards; null: not compared. */
  readonly intr: number | null;
}

/** What follows a step: the next one, the probes of the state, nothing. */
export type Next = 'step' | 'probe' | 'end';

const POLL = 0x0c;
const POLL_REQUEST = 0x80;
const POLL_NONE = 7;
const CASCADE = 1 << 2;
const CONTROL = 0x43;
const HIGH_MODE = 0x08;
const SPEAKER = 0x61;
const REFRESH = 0x10;
const PORT92 = 0x92;
const RTC_DATA = 0x71;
const ALL_BITS = 0xffff_ffff;

/** Plans one case; use it once. */
export class Planner {
  readonly checks: QtestCheck[] = [];
  readonly rules = new Map<QtestRule, number>();
  readonly #own: OwnPc;
  readonly #chips: readonly [string, string];
  #isStale = false;
  #what = '';
  /** Of the step under way. */
  #pending: { command: string; value: number | null; mask: number }[] = [];

  constructor(own: OwnPc, chips: readonly [string, string]) {
    this.#own = own;
    this.#chips = chips;
  }

  /** @returns what comes next. */
  run(step: DeviceStep, what: string): Next {
    const { pics } = this.#own.pic.state;
    this.#what = what;
    this.#pending = [];
    const wasWired = this.#own.pending(1) >= 0;
    const wasLatched = (pics[0].irr & CASCADE) !== 0;
    const takes = step.kind === 'inta' && this.#own.pending(0) === 2;
    const next = this.#make(step);
    const isLatched = (pics[0].irr & CASCADE) !== 0;
    if (wasWired && this.#own.pending(1) >= 0 && isLatched && (!wasLatched || takes)) {
      this.#met('cascade');
      return 'end';
    }
    const looksAgain = (step.kind === 'irq' || step.kind === 'inta') && this.#pending.length > 0;
    if (looksAgain || this.#own.pic.output === 0) this.#isStale = false;
    for (const [i, check] of this.#pending.entries()) {
      const isLast = i === this.#pending.length - 1;
      this.checks.push({ ...check, what: this.#what, intr: isLast && next !== 'end' ? this.#intr() : null });
    }
    return next;
  }

  #intr(): number | null {
    if (!this.#isStale) return this.#own.pic.output;
    this.#met('late output');
    return null;
  }

  #met(rule: QtestRule): void {
    this.rules.set(rule, (this.rules.get(rule) ?? 0) + 1);
  }

  #leaveOut(rule: QtestRule): Next {
    this.#met(rule);
    return 'step';
  }

  #send(command: string, value: number | null = null, mask: number = ALL_BITS): Next {
    this.#pending.push({ command, value, mask });
    return 'step';
  }

  #make(step: DeviceStep): Next {
    switch (step.kind) {
      case 'wait':
        return this.#leaveOut('time');
      case 'irq':
        if (step.gsi === 2) return this.#leaveOut('cascade pin');
        this.#own.irqLine(step.gsi, step.level);
        return this.#send(irqCommand(this.#chips, step.gsi, step.level));
      case 'inta':
        return this.#acknowledge();
      default:
        if (step.size !== 1) return this.#leaveOut('wide');
        return step.kind === 'in' ? this.#read(step.port) : this.#write(step.port, step.value);
    }
  }

  /** Polls are QEMU's INTAs: of the slave when the master says 2. */
  #acknowledge(): Next {
    const { pics } = this.#own.pic.state;
    const chips = this.#own.pending(0) === 2 ? ([0, 1] as const) : ([0] as const);
    if (chips.some((chip) => pics[chip].poll !== 0)) {
      this.#met('poll');
      return 'probe';
    }
    for (const chip of chips) {
      const pin = this.#own.pending(chip);
      const port = chip === 0 ? 0x20 : 0xa0;
      this.#send(outCommand(port, POLL));
      this.#send(inCommand(port), pin < 0 ? 0 : POLL_REQUEST | pin);
    }
    this.#own.pic.readIrq();
    return 'step';
  }

  #read(port: number): Next {
    if (port === CONTROL) return this.#leaveOut('control word');
    const polls = isChip(port) && this.#own.pic.state.pics[port >> 7].poll !== 0;
    const value = this.#own.read(port, 1);
    if (polls) {
      this.#met('poll');
      this.#send(inCommand(port), value === POLL_NONE ? 0 : value);
      return 'end';
    }
    if (port === RTC_DATA && this.#own.clock.register === PS2_CENTURY) return this.#leaveOut('century alias');
    if (port === RTC_DATA) this.#what += ` [register ${this.#own.clock.register}]`;
    if (port === RTC_DATA && this.#own.clock.showsWeekday) {
      this.#met('weekday');
      return this.#send(inCommand(port));
    }
    if (port === SPEAKER) this.#met('refresh');
    return this.#send(inCommand(port), value, port === SPEAKER ? ~REFRESH : ALL_BITS);
  }

  #write(port: number, given: number): Next {
    const { clock, pic } = this.#own;
    const left = port === RTC_DATA ? clock.ruleBeforeWrite(given) : null;
    if (left !== null) return this.#leaveOut(left);
    const value = port === PORT92 ? given & ~1 : given;
    if (value !== given) this.#met('reset line');
    let qemus = value;
    if (isChip(port) && port % 2 === 0) {
      const rule = ruleOfCommand(pic.state.pics[port >> 7], value);
      if (rule !== null) {
        this.#met(rule);
        return 'probe';
      }
      if (isIcw1(value) && port < 0x80 && pic.output !== 0) this.#isStale = true;
      qemus = this.#altered(qemusCommand(value));
    } else if (port === CONTROL && isHighMode(value)) {
      qemus = this.#altered({ value: value & ~HIGH_MODE, rule: 'mode bits' });
    }
    clock.beforeWrite();
    this.#own.write(port, 1, value);
    const rule = port === RTC_DATA ? clock.ruleOfWrite() : null;
    if (rule !== null) {
      this.#met(rule);
      return 'end';
    }
    return this.#send(outCommand(port, qemus));
  }

  #altered({ value, rule }: { readonly value: number; readonly rule: QtestRule | null }): number {
    if (rule !== null) this.#met(rule);
    return value;
  }
}

/** A control word, no latch or read-back, with mode 6 or 7. */
function isHighMode(value: number): boolean {
  return value < 0xc0 && (value & 0x30) !== 0 && (value & 0x0c) === 0x0c;
}

/** A command or data port of the pair. */
function isChip(port: number): boolean {
  return (port & ~0x81) === 0x20;
}
