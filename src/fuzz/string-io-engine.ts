/**
 * How a machine of target `string-io` runs a case: the three ways that one port access can take in pio86, which no guest and no
 * userspace may tell apart.
 *
 * | engine | instructions | port accesses |
 * |---|---|---|
 * | `exits` | interpreted | each leaves as a VM exit and goes KVM's way |
 * | `inline` | interpreted | made in one step where nobody observes the exit (src/kvm/inline-pio.ts), strings in blocks |
 * | `generated` | each a function, made at its first visit | IN and OUT in that function, the rest as `inline` |
 */

/** See the opening comment. */
export type StringIoEngine = 'exits' | 'inline' | 'generated';

/** `pio86 fuzz string-io --jit`: who is held against the reference model. */
export const STRING_IO_JIT = ['off', 'on', 'verify'] as const;
/** One of {@link STRING_IO_JIT}. */
export type StringIoJit = (typeof STRING_IO_JIT)[number];

/** The engines of `--jit`: `verify` runs each case on all, and compares them with one another too. */
export const STRING_IO_ENGINES: Readonly<
  Record<StringIoJit, readonly [StringIoEngine, ...StringIoEngine[]]>
> = {
  off: ['exits'],
  on: ['generated'],
  verify: ['exits', 'inline', 'generated'],
};
