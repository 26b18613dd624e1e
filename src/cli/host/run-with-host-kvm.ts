/**
 * `pio86 run --engine kvm`, in the parent: options that the host's kernel cannot honour are refused, the rest is the
 * child's work.
 */
import { usageError } from '../cli-error.ts';
import type { CommandContext } from '../command.ts';
import type { RunOptions } from '../run/run-options.ts';
import { superviseChild } from './supervise.ts';

/** Options of `run` that need pio86's own engine, and why. */
const OWN_ENGINE_ONLY: readonly (readonly [keyof RunOptions, string, string])[] = [
  ['maxInsns', '--max-insns', 'the kernel counts no instructions; use --timeout'],
  ['trace', '--trace', "the kernel's tracepoints are in tracefs"],
  ['traceFile', '--trace-file', "the kernel's tracepoints are in tracefs"],
  ['cpu', '--cpu', "the guest's processor is the host's"],
  ['forceEmulation', '--force-emulation', "the host's KVM decides; see pio86 diff --probe"],
];

/** Runs one guest on the host's KVM. @returns the exit code. @throws CliError (usage). */
export async function runWithHostKvm(
  context: CommandContext,
  file: string | undefined,
  options: RunOptions,
): Promise<number> {
  for (const [name, flag, why] of OWN_ENGINE_ONLY) {
    if (options[name] !== undefined) throw usageError(`run: ${flag} does not go with --engine kvm: ${why}`);
  }
  const request = { command: 'run', options, ...(file === undefined ? {} : { file }) } as const;
  return superviseChild(context, request, (options.timeout ?? Number.POSITIVE_INFINITY) * 1000);
}
