/**
 * `--jit`, for every command that runs a guest on a board.
 */
import type { OptionSpec } from './command.ts';

/** What `--jit` leaves in a command's options. */
export interface JitOption {
  readonly jit: 'on' | 'off' | 'verify';
}

export const JIT_OPTION: OptionSpec = {
  flags: '--jit <how>',
  description:
    'on: hot code becomes generated functions; off: everything is interpreted; verify: both in lock step, ending with exit code 1 ' +
    'where they differ',
  choices: ['on', 'off', 'verify'],
  default: 'on',
};
