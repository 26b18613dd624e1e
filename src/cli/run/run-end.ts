/**
 * Why a run ended, in words and as an exit code.
 */
import type { BoardEnd } from '../../boards/board.ts';
import { unreachable } from '../../errors.ts';
import { EXIT_GUEST_FAULT, EXIT_LIMIT, EXIT_OK, EXIT_SIGINT, EXIT_SIGTERM } from '../exit-codes.ts';

/** What ends a run: the guest, or the host. */
export type RunEnd =
  | Exclude<BoardEnd, { kind: 'slice' }>
  | { readonly kind: 'max-insns' }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'interrupted' }
  /** SIGTERM. */
  | { readonly kind: 'terminated' }
  /** A script that watches the run called exit(). */
  | { readonly kind: 'script-exit' }
  /** Whoever read our output went away. */
  | { readonly kind: 'output-closed' };

/** For people. */
export function endText(end: RunEnd): string {
  switch (end.kind) {
    case 'exit':
      return `the guest wrote ${end.code} to the exit port`;
    case 'halted':
      return 'the guest halted with interrupts off';
    case 'idle':
      return 'the guest waits for input and there is none';
    case 'reset':
      return `the guest reset the machine (${end.source})`;
    case 'shutdown':
      return 'guest fault: triple fault, the processor shut down';
    case 'internal-error':
      return `guest fault: ${end.message}`;
    case 'unclaimed':
      return `guest fault: ${end.message}`;
    case 'max-insns':
      return '--max-insns reached';
    case 'timeout':
      return '--timeout reached';
    case 'interrupted':
      return 'interrupted';
    case 'terminated':
      return 'ended by SIGTERM';
    case 'script-exit':
      return 'the script called exit()';
    case 'output-closed':
      return 'nobody reads the output any more';
    default:
      return unreachable(end);
  }
}

/**
 * Exit code of the process.
 *
 * @param guestExit `--guest-exit`: QEMU's isa-debug-exit, `(v << 1) | 1`.
 */
export function endExitCode(end: RunEnd, guestExit: boolean): number {
  switch (end.kind) {
    case 'exit':
      // A process has eight bits of exit status.
      return guestExit ? ((end.code << 1) | 1) & 0xff : EXIT_OK;
    case 'halted':
    case 'idle':
    case 'reset':
    case 'script-exit':
    case 'output-closed':
      return EXIT_OK;
    case 'shutdown':
    case 'internal-error':
    case 'unclaimed':
      return EXIT_GUEST_FAULT;
    case 'max-insns':
    case 'timeout':
      return EXIT_LIMIT;
    case 'interrupted':
      return EXIT_SIGINT;
    case 'terminated':
      return EXIT_SIGTERM;
    default:
      return unreachable(end);
  }
}

/** Whether somebody wants the process to be gone: by a signal, or by `--timeout`. */
export function isImpatient({ kind }: RunEnd): boolean {
  return kind === 'interrupted' || kind === 'terminated' || kind === 'timeout';
}
