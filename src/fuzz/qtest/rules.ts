/**
 * Where QEMU's devices differ from KVM's, which pio86 follows, or where time, which stands still in that QEMU, would decide: each rule
 * says what is done about a step. docs/fuzzing.md has the same table for users.
 */

/** Names of the rules, with their reasons. */
export const QTEST_RULES = {
  time: 'left out: no clock_step without -accel qtest, which Debian leaves out',
  wide: 'left out: qtest hands an access whole to the device at its first port, which splits it; KVM’s chips swallow it or take the low byte',
  'control word': 'left out: KVM stores nothing for a read of 0x43, QEMU 0',
  refresh: 'bit 4 of port 0x61 is not compared: QEMU turns it at every read, KVM by time',
  'mode bits': 'QEMU gets 2, 3: it keeps the bit that the data sheet ignores, KVM does not',
  'cascade pin': 'left out: there the slave hangs; userspace can drive it, a PC has no wire',
  'single mode': 'QEMU gets it without the bit: KVM knows cascaded chips only and waits for ICW3',
  'state kept':
    'ends the case: KVM keeps ISR, rotation, a poll and, until ICW4, automatic EOI and nesting; QEMU clears them',
  'level request':
    'ends the case: level requests outlast ICW1, QEMU looks at them at once, KVM at the next command',
  'late output': 'INTR is not compared until KVM looks at it again: ICW1 lowers it in QEMU at once',
  'special mask': 'QEMU gets OCW3 without the bits: KVM stores the mode and never looks at it',
  poll: 'ends the case; the answer is compared (none: KVM 7, QEMU 0): in KVM a poll drops the request, in QEMU it is an INTA',
  cascade:
    'ends the case: KVM latches the slave’s request in the master at every command, QEMU when the wire rises',
  weekday:
    'register 6 of the clock is not compared: the MC146818 counts it apart, QEMU works it out from the date',
  year: 'ends the case: a clock before 1970 or after 2262 overflows QEMU’s nanoseconds',
  'no such time':
    'ends the case: fields that no time has are carried over by QEMU; pio86 takes them modulo their range or clamps them',
  'format change':
    'left out: register B that starts the clock in another format; QEMU reads the time in the old one, pio86 in the new one',
  'test divider':
    'left out: register A with divider 3, 4 or 5, which the data sheet keeps for tests; QEMU’s clock stands and shows the old time after some writes',
  'century alias': 'left out: QEMU shows the century at 0x37 too, as an IBM PS/2 does',
  'reset line': 'bit 0 of port 0x92 is not set: it would reset QEMU',
} as const;

/** Name of a rule. */
export type QtestRule = keyof typeof QTEST_RULES;
