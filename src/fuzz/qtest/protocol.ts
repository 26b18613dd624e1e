/**
 * QEMU's qtest protocol, as far as the oracle speaks it: a command a line, a reply a line, lines about interrupts between them.
 *
 * QEMU: softmmu/qtest.c, “QTest Protocol”.
 */
import { EmulatorError } from '../../errors.ts';

/** A QEMU that answers qtest commands. */
export interface QtestLink {
  /** What its interrupt controllers are called: master, slave (QOM paths). */
  readonly chips: readonly [string, string];
  /**
   * Sends commands and waits for as many replies.
   *
   * @returns all lines that came, those about interrupts in their places.
   * @throws EmulatorError `E_ORACLE` when QEMU has ended, does not answer, or refuses a command.
   */
  exchange(commands: readonly string[]): readonly string[];
}

/** What came back for one command. */
export interface QtestReply {
  /** The value of a read, null for other commands. */
  readonly value: number | null;
  /** The intercepted output after the command. */
  readonly level: 0 | 1;
}

/** Whether a line answers a command; the others say that an interrupt line has changed. */
export function isReply(line: string): boolean {
  return !line.startsWith('IRQ ');
}

/**
 * Sorts lines into replies.
 *
 * @param level of the intercepted output before the first.
 * @throws EmulatorError `E_ORACLE` for a line that is none of the protocol's.
 */
export function parseReplies(lines: readonly string[], level: 0 | 1): QtestReply[] {
  const replies: QtestReply[] = [];
  let now = level;
  for (const line of lines) {
    if (line === 'IRQ raise 0') now = 1;
    else if (line === 'IRQ lower 0') now = 0;
    else replies.push({ value: replyValue(line), level: now });
  }
  return replies;
}

function replyValue(line: string): number | null {
  if (line === 'OK') return null;
  const match = /^OK (0x[0-9a-f]{1,8})$/.exec(line);
  if (match !== null) return Number(match[1]);
  throw new EmulatorError('E_ORACLE', `QEMU answers qtest with "${line.slice(0, 80)}"`);
}

/** `outb 0x20 0x11` */
export function outCommand(port: number, value: number, size: 1 | 2 | 4 = 1): string {
  return `out${LETTERS[size]} 0x${port.toString(16)} 0x${value.toString(16)}`;
}

/** `inb 0x21` */
export function inCommand(port: number, size: 1 | 2 | 4 = 1): string {
  return `in${LETTERS[size]} 0x${port.toString(16)}`;
}

/** Drives pin `gsi` (0–15) of the pair. */
export function irqCommand(chips: readonly [string, string], gsi: number, level: 0 | 1): string {
  return `set_irq_in ${chips[gsi >> 3]} unnamed-gpio-in ${gsi & 7} ${level}`;
}

const LETTERS = { 1: 'b', 2: 'w', 4: 'l' } as const;
