/**
 * Devices cases on QEMU's models of a PC against pio86's board `pc`: every value read, INTR after every step, what an INTA takes,
 * and at the end the registers of both 8259As, of the 8254 and of what else the case has touched.
 *
 * QEMU's processor never runs and its clock stands still, so does pio86's: what is left of time is that counts begin when they are
 * loaded. Channel 0 leads to no pin (the HPET has taken its place).
 */
import type { DeviceStep } from '../devices/device-case.ts';
import { OwnPc } from './own-pc.ts';
import { planCase } from './plan.ts';
import type { QtestCheck } from './planner.ts';
import { boardWrites, CHIP_WRITES, DRAIN_PORTS, touchedBy } from './power-on.ts';
import { inCommand, irqCommand, outCommand, parseReplies, type QtestLink } from './protocol.ts';
import type { QtestRule } from './rules.ts';

const MAX_DIFFERENCES = 4;
/** HPET, “General Configuration Register”: LEG_RT_CNF. */
const HPET_LEGACY = 'writeq 0xfed00010 0x2';

/** See the opening comment. */
export class QtestOracle {
  /** Cases, and commands that were compared. */
  compared = 0;
  commands = 0;
  readonly rules = new Map<QtestRule, number>();
  readonly #link: QtestLink;
  readonly #own = new OwnPc(CHIP_WRITES);
  readonly #raised = new Set<number>();
  #intr: 0 | 1 = 0;

  /** @throws EmulatorError `E_ORACLE`. */
  constructor(link: QtestLink) {
    this.#link = link;
    this.#send([`irq_intercept_out ${link.chips[0]}`, HPET_LEGACY]);
  }

  /** @returns what the two have otherwise. @throws EmulatorError `E_ORACLE`. */
  judge(steps: readonly DeviceStep[]): readonly string[] {
    const { chips } = this.#link;
    const touched = touchedBy(steps);
    const writes = boardWrites(touched);
    this.#own.reset();
    for (const [port, value] of writes) this.#own.write(port, 1, value);
    const { checks, rules } = planCase(this.#own, chips, steps, touched);
    for (const [rule, count] of rules) this.rules.set(rule, (this.rules.get(rule) ?? 0) + count);
    const before = [
      ...[...this.#raised].map((gsi) => irqCommand(chips, gsi, 0)),
      ...DRAIN_PORTS.map((port) => inCommand(port)),
      ...[...writes, ...CHIP_WRITES].map(([port, value]) => outCommand(port, value)),
    ];
    this.#raised.clear();
    for (const step of steps) if (step.kind === 'irq' && step.level === 1) this.#raised.add(step.gsi);
    const replies = this.#send([...before, ...checks.map(({ command }) => command)]).slice(before.length);
    this.compared++;
    this.commands += checks.length;
    return differences(checks, replies);
  }

  #send(commands: readonly string[]) {
    const replies = parseReplies(this.#link.exchange(commands), this.#intr);
    this.#intr = replies.at(-1)?.level ?? this.#intr;
    return replies;
  }
}

function differences(
  checks: readonly QtestCheck[],
  replies: readonly { readonly value: number | null; readonly level: number }[],
): string[] {
  const found: string[] = [];
  for (const [i, { what, command, value, mask, intr }] of checks.entries()) {
    const qemu = replies[i];
    if (value !== null && (((qemu.value ?? 0) ^ value) & mask) !== 0)
      found.push(`${what} (${command}): QEMU ${hex(qemu.value ?? 0)}, pio86 ${hex(value)}`);
    if (intr !== null && qemu.level !== intr) found.push(`${what}, INTR: QEMU ${qemu.level}, pio86 ${intr}`);
    if (found.length >= MAX_DIFFERENCES) break;
  }
  return found;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
