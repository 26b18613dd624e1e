/**
 * `--cpu`, for every command that runs a guest on a board.
 */
import type { CpuModelName } from '../boards/board.ts';
import type { OptionSpec } from './command.ts';

/** What `--cpu` leaves in a command's options. */
export interface CpuOption {
  readonly cpu?: CpuModelName;
}

const NAMES: readonly CpuModelName[] = ['486', 'p6', 'max'];

export const CPU_OPTION: OptionSpec = {
  flags: '--cpu <model>',
  description:
    'processor: 486 (i486SX), p6 (Pentium II), or max (all that there is); integer instructions only (default: max)',
  choices: NAMES,
};

/** The board option that `--cpu` asks for. */
export function cpuOf({ cpu }: CpuOption): CpuOption {
  return cpu === undefined ? {} : { cpu };
}
