/**
 * The rule that says from where on a guest depends on the host's time: the PIT in a host's kernel counts real
 * nanoseconds, pio86's counts instructions.
 *
 * | the guest                          | what depends on time from there on              |
 * | ---------------------------------- | ----------------------------------------------- |
 * | reads port 0x40, 0x41 or 0x42      | a live or latched count, or a status byte (OUT) |
 * | reads port 0x61                    | the refresh bit and OUT of channel 2            |
 * | writes port 0x40                   | the instruction at which IRQ 0 arrives          |
 * | loops without an exit, awake, while | the instruction at which a userspace device's  |
 * | a userspace device's alarm is set  | interrupt arrives                               |
 *
 * and everything that follows from it. From there on only the order of exits by port and direction, the text on the
 * serial line and the devices' fields that do not count are compared. What is masked is counted and never called
 * agreement.
 */
import { SilentTracepoints } from '../trace/silent-tracepoints.ts';

const PIT_CHANNEL_0 = 0x40;
const PIT_CHANNEL_2 = 0x42;
const SPEAKER = 0x61;
/** Registers of the local APIC: initial and current count. */
const APIC_TMICT = 0x380;
const APIC_TMCCT = 0x390;

/** Watches pio86's side. */
export class TimeMask extends SilentTracepoints {
  #reason: string | null = null;

  /** Why time counts, or null as long as it does not. */
  get reason(): string | null {
    return this.#reason;
  }

  /** Time counts for a reason that is no port access. */
  start(reason: string): void {
    this.#reason ??= reason;
  }

  override kvm_pio(write: boolean, port: number): void {
    if (this.#reason !== null) return;
    if (write) {
      if (port === PIT_CHANNEL_0) this.#reason = 'port 0x40 written: the timer of IRQ 0 runs';
    } else if (port >= PIT_CHANNEL_0 && port <= PIT_CHANNEL_2) {
      this.#reason = `port 0x${port.toString(16)} read: a live or latched count`;
    } else if (port === SPEAKER) {
      this.#reason = 'port 0x61 read: refresh and OUT bits';
    }
  }

  override kvm_apic(isWrite: boolean, reg: number): void {
    if (isWrite && reg === APIC_TMICT) this.start('the timer of the local APIC runs');
    else if (!isWrite && reg === APIC_TMCCT) this.start('the current count of the local APIC read');
  }
}
