/**
 * A devices case as qtest commands with what pio86 answers to each. pio86 runs first: its state says which rule of rules.ts a step
 * meets, and what of an INTA, which qtest does not have, each chip is polled for.
 */
import { type DeviceStep, stepToText } from '../devices/device-case.ts';
import type { OwnPc } from './own-pc.ts';
import { PS2_CENTURY, probeSteps, type Touched } from './power-on.ts';
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

/** See the opening comment. */
export interface QtestPlan {
  readonly checks: readonly QtestCheck[];
  /** How often each rule was met. */
  readonly rules: ReadonlyMap<QtestRule, number>;
}

/** What follows a step: the next one, the probes of the state, nothing. */
type Next = 'step' | 'probe' | 'end';

const POLL = 0x0c;
const POLL_REQUEST = 0x80;
const POLL_NONE = 7;
const CASCADE = 1 << 2;
const ICW1 = 0x10;
const OCW3 = 0x08;
const SINGLE = 0x02;
const IC4 = 0x01;
const SPECIAL_MASK = 0x60;
const CONTROL = 0x43;
const HIGH_MODE = 0x08;
const SPEAKER = 0x61;
const REFRESH = 0x10;
const PORT92 = 0x92;
const KBD_COMMAND = 0x64;
const KBD_DATA = 0x60;
const KBD_PULSE = 0xf0;
const RTC_DATA = 0x71;
const ALL_BITS = 0xffff_ffff;

/** Plans one case; use it once. */
class Planner {
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
    if (step.kind === 'irq' || step.kind === 'inta' || this.#own.pic.output === 0) this.#isStale = false;
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
        if (step.port === RTC_DATA && this.#own.clock.register === PS2_CENTURY)
          return this.#leaveOut('century alias');
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
    if (port === RTC_DATA) this.#what += ` [${this.#own.clock.register}]`;
    if (port === RTC_DATA && this.#own.clock.showsWeekday) {
      this.#met('weekday');
      return this.#send(inCommand(port));
    }
    if (port === SPEAKER) this.#met('refresh');
    return this.#send(inCommand(port), value, port === SPEAKER ? ~REFRESH : ALL_BITS);
  }

  #write(port: number, given: number): Next {
    if (port === RTC_DATA && this.#own.clock.isTestDivider(given)) return this.#leaveOut('test divider');
    const value = this.#harmless(port, given);
    if (value === null) return this.#leaveOut('reset line');
    if (value !== given) this.#met('reset line');
    let qemus = value;
    if (isChip(port) && port % 2 === 0) {
      const next = this.#command(port >> 7 === 0 ? 0 : 1, value);
      if (next !== 'step') return next;
      qemus = this.#forQemusPic(value);
    } else if (port === CONTROL && value < 0xc0 && (value & 0x30) !== 0 && (value & 0x0c) === 0x0c) {
      this.#met('mode bits');
      qemus = value & ~HIGH_MODE;
    }
    const rule = this.#writeOwn(port, value);
    if (rule !== null) {
      this.#met(rule);
      return 'end';
    }
    return this.#send(outCommand(port, qemus));
  }

  /** @returns the rule that ends the case behind the write. */
  #writeOwn(port: number, value: number): QtestRule | null {
    const { clock } = this.#own;
    clock.beforeWrite();
    this.#own.write(port, 1, value);
    return port === RTC_DATA ? clock.ruleOfWrite() : null;
  }

  /** Looks at ICW1 before the chip gets it. */
  #command(chip: 0 | 1, value: number): Next {
    if ((value & ICW1) === 0) return 'step';
    const { pics, output } = this.#own.pic.state;
    const s = pics[chip];
    const keepsMode = (value & IC4) !== 0 && (s.auto_eoi !== 0 || s.special_fully_nested_mode !== 0);
    if (s.isr !== 0 || s.rotate_on_auto_eoi !== 0 || s.poll !== 0 || keepsMode) {
      this.#met('state kept');
      return 'probe';
    }
    if ((s.irr & s.elcr) !== 0) {
      this.#met('level request');
      return 'probe';
    }
    if (chip === 0 && output !== 0) this.#isStale = true;
    return 'step';
  }

  #forQemusPic(value: number): number {
    if ((value & ICW1) !== 0) {
      if ((value & SINGLE) !== 0) this.#met('single mode');
      return value & ~SINGLE;
    }
    if ((value & OCW3) === 0 || (value & SPECIAL_MASK) !== SPECIAL_MASK) return value;
    this.#met('special mask');
    return value & ~SPECIAL_MASK;
  }

  /** The value without what would reset QEMU; null when nothing of it is left. */
  #harmless(port: number, value: number): number | null {
    if (port === PORT92) return value & ~1;
    if (port === KBD_COMMAND && value >= KBD_PULSE && (value & 1) === 0) return null;
    return port === KBD_DATA && this.#own.awaitsOutputPort() ? value | 1 : value;
  }
}

/** A command or data port of the pair. */
function isChip(port: number): boolean {
  return (port & ~0x81) === 0x20;
}

/** Runs a case on pio86, which is as its power-on made it. */
export function planCase(
  own: OwnPc,
  chips: readonly [string, string],
  steps: readonly DeviceStep[],
  touched: Touched,
): QtestPlan {
  const planner = new Planner(own, chips);
  let next: Next = 'step';
  for (const [i, step] of steps.entries()) {
    next = planner.run(step, `step ${i + 1}, ${stepToText(step)}`);
    if (next !== 'step') break;
  }
  if (next !== 'end') {
    for (const step of probeSteps(touched))
      if (planner.run(step, `at the end, ${stepToText(step)}`) !== 'step') break;
  }
  return planner;
}
