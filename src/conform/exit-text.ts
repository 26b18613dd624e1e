/**
 * What a KVM_RUN came back with, in words for a report.
 */
import { KVM_EXIT_NAMES } from '../uapi/kvm.ts';

/** `KVM_EXIT_IO`, or the errno that `kvmRun` returned. */
export function exitText(result: number, run: { readonly exit_reason: number }): string {
  if (result !== 0) return `kvmRun returned ${result}`;
  return KVM_EXIT_NAMES[run.exit_reason] ?? `exit reason ${run.exit_reason}`;
}
