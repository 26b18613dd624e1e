/**
 * What the exit code of every `pio86` command means. Part of the promise that semantic versioning covers;
 * `pio86 --help` and the README print this table.
 */

/** Done: for `run`, the guest wrote to the exit port, halted with interrupts off, or stdin ended. */
export const EXIT_OK = 0;
/** A finding: a failed vector, a difference, a failed demo, a slowdown beyond `bench --max-slowdown`. */
export const EXIT_FINDING = 1;
/** The command line is wrong: unknown option, bad number, bad address. */
export const EXIT_USAGE = 2;
/** A file is missing, empty, truncated, too large or malformed. */
export const EXIT_BAD_INPUT = 3;
/** The guest died: triple fault, internal error, an unclaimed port under `--unclaimed error`. */
export const EXIT_GUEST_FAULT = 4;
/** `--timeout` or `--max-insns` was reached. */
export const EXIT_LIMIT = 5;
/** Something the command needs is absent: a program, a package, /dev/kvm, a Redis server. */
export const EXIT_ABSENT = 6;
/** A bug of pio86. */
export const EXIT_BUG = 70;
/** Ctrl-C. */
export const EXIT_SIGINT = 130;
/** SIGTERM, with the summary as at Ctrl-C. */
export const EXIT_SIGTERM = 143;

/** Code and meaning, in the order they are printed. */
export const EXIT_CODE_TABLE: readonly (readonly [number, string])[] = [
  [EXIT_OK, 'ok: port 0xf4 written, HLT with interrupts off, or stdin at its end'],
  [EXIT_FINDING, 'a finding: a failed vector, a difference, a slowdown (bench)'],
  [EXIT_USAGE, 'usage: unknown option, bad number, bad address'],
  [EXIT_BAD_INPUT, 'bad input: file missing, empty, truncated, too large, malformed'],
  [EXIT_GUEST_FAULT, 'guest fault: triple fault, internal error, unclaimed port (error)'],
  [EXIT_LIMIT, '--timeout or --max-insns reached'],
  [EXIT_ABSENT, 'what the command needs is absent (nasm, QEMU, /dev/kvm, koffi, Redis)'],
  [EXIT_BUG, 'a bug of pio86'],
  [EXIT_SIGINT, 'interrupted (Ctrl-C)'],
  [EXIT_SIGTERM, 'ended by SIGTERM'],
];
