/**
 * Devices cases on a host's in-kernel 8259A pair and 8254 against pio86's: every value read, every vector, what the lines
 * answered, accesses that nobody took, and at the end both chips' whole state.
 *
 * The host's 8254 counts real time. What depends on it is left out and counted:
 *
 * | left out                                        | compared all the same                            |
 * | ----------------------------------------------- | ------------------------------------------------ |
 * | a count read at 0x40–0x42, live or latched      | its upper bytes, and which byte comes next       |
 * | OUT (bit 7) of a status byte                    | the other bits                                   |
 * | refresh and OUT (bits 4, 5) of port 0x61        | the other bits                                   |
 * | a read of 0x43 behind one of these, or before   | a read of 0x43 behind another read               |
 * | any: it gives what KVM's buffer held            |                                                  |
 * | `latched_count`, bit 7 of `status`, the load time | all other fields of `kvm_pit_state2`           |
 */
import { type DeviceStep, stepToText } from '../devices/device-case.ts';
import { DeviceBench, type DeviceBenchEnd } from './device-bench.ts';
import { type OracleHost, ownHost } from './oracle-host.ts';

const COMMAND = 0x43;
const SPEAKER = 0x61;
const READ_BACK = 0xc0;
/** Of a read-back command: set, it latches no status. */
const NO_STATUS = 0x10;
const OUT_BIT = 0x80;
const SPEAKER_TIMED = 0x30;
const MAX_DIFFERENCES = 8;
/** Of `kvm_pit_channel_state`. */
const CHANNEL_TIMED = new Set(['latched_count', 'status', 'count_load_time']);
const CHIP_NAMES = ['slave', 'master'] as const;

/** Bits of what a step reads that follow the host's time; follows the writes before it. */
export function timedBits(steps: readonly DeviceStep[]): number[] {
  const hasStatus = [false, false, false];
  // What an earlier case has left there.
  let buffer = 0xff;
  return steps.map((step) => {
    if (step.kind === 'out' && step.port === COMMAND && step.size === 1) latchStatus(step.value, hasStatus);
    if (step.kind !== 'in') return 0;
    const isPit = step.port >= 0x40 && step.port + step.size <= COMMAND + 1;
    if (step.port === COMMAND && isPit) return buffer;
    buffer = step.port === SPEAKER ? SPEAKER_TIMED : 0;
    if (!isPit) return buffer;
    const channel = step.port - 0x40;
    buffer = hasStatus[channel] === true ? OUT_BIT : 0xff;
    hasStatus[channel] = false;
    return buffer;
  });
}

function latchStatus(command: number, hasStatus: boolean[]): void {
  if ((command & READ_BACK) !== READ_BACK || (command & NO_STATUS) !== 0) return;
  for (const channel of hasStatus.keys()) {
    if ((command & (2 << channel)) !== 0) hasStatus[channel] = true;
  }
}

/** See the opening comment. */
export class DeviceOracle {
  /** Cases compared, and values of which something was left out. */
  compared = 0;
  timedValues = 0;
  /** Cases that the host could not run. */
  skipped = 0;
  readonly #host: DeviceBench;
  readonly #own: DeviceBench;

  /** @param own for tests: another than pio86 as it is. */
  constructor(host: OracleHost, own: OracleHost = ownHost(host.emulatesIo)) {
    this.#host = new DeviceBench(host);
    this.#own = new DeviceBench(own);
  }

  /** @returns what the two have otherwise. */
  judge(steps: readonly DeviceStep[]): readonly string[] {
    const host = this.#host.run(steps);
    if (host.isInternalError) {
      this.skipped++;
      return [];
    }
    this.compared++;
    return this.#compare(steps, host, this.#own.run(steps));
  }

  #compare(steps: readonly DeviceStep[], host: DeviceBenchEnd, own: DeviceBenchEnd): readonly string[] {
    const found: string[] = [];
    const check = (what: string, a: number | string, b: number | string): void => {
      if (a !== b && found.length < MAX_DIFFERENCES) found.push(`${what}: host ${text(a)}, pio86 ${text(b)}`);
    };
    check('end', host.end, own.end);
    const timed = timedBits(steps);
    for (const [i, step] of steps.entries()) {
      if (timed[i] !== 0) this.timedValues++;
      const value = ({ values }: DeviceBenchEnd): number => (values[i] & ~timed[i]) >>> 0;
      check(`step ${i + 1}, ${stepToText(step)}`, value(host), value(own));
    }
    check('line statuses', host.lineStatuses.join(' '), own.lineStatuses.join(' '));
    check('exits', host.exits.join(', '), own.exits.join(', '));
    for (const [i, name] of CHIP_NAMES.entries()) {
      const theirs = numbers(own.chips[i]);
      for (const [field, value] of Object.entries(numbers(host.chips[i])))
        check(`${name} ${field}`, value, theirs[field] ?? 0);
    }
    for (const [i, channel] of host.pit.channels.entries()) {
      const theirs = numbers(own.pit.channels[i]);
      for (const [field, value] of Object.entries(numbers(channel)))
        if (!CHANNEL_TIMED.has(field)) check(`channel ${i} ${field}`, value, theirs[field] ?? 0);
      check(`channel ${i} status`, channel.status & ~OUT_BIT, own.pit.channels[i].status & ~OUT_BIT);
    }
    check('pit flags', host.pit.flags, own.pit.flags);
    return found;
  }
}

/** The fields of a state that are numbers. */
function numbers(state: object): Record<string, number> {
  return Object.fromEntries(Object.entries(state).filter(([, value]) => typeof value === 'number'));
}

function text(value: number | string): string {
  return typeof value === 'string' ? value : `0x${value.toString(16)}`;
}
