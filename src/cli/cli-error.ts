/**
 * How a command ends early with one line for the user.
 */
import { EmulatorError, type EmulatorErrorCode } from '../errors.ts';
import { EXIT_ABSENT, EXIT_BAD_INPUT, EXIT_BUG, EXIT_FINDING, EXIT_USAGE } from './exit-codes.ts';

/** Ends the command with `exitCode` after printing `pio86: message` (what, where, what to do). */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** The command line is wrong. */
export function usageError(message: string): CliError {
  return new CliError(EXIT_USAGE, message);
}

/** A file is wrong. */
export function inputError(message: string): CliError {
  return new CliError(EXIT_BAD_INPUT, message);
}

/** A program or device that the command needs is not there. */
export function absentError(message: string): CliError {
  return new CliError(EXIT_ABSENT, message);
}

const EXIT_OF_EMULATOR_ERROR: Readonly<Record<EmulatorErrorCode, number>> = {
  E_ARGUMENT: EXIT_USAGE,
  E_IMAGE: EXIT_BAD_INPUT,
  E_IMAGE_SIZE: EXIT_BAD_INPUT,
  E_INPUT: EXIT_BAD_INPUT,
  E_VECTOR: EXIT_BAD_INPUT,
  E_MEMORY: EXIT_BUG,
  // A program that is asked has ended or does not answer.
  E_ORACLE: EXIT_ABSENT,
  E_BUS_RANGE: EXIT_BUG,
  E_BUS_FULL: EXIT_BUG,
  E_DIFFERENCE: EXIT_FINDING,
  E_EXISTS: EXIT_BUG,
  E_IOCTL: EXIT_BUG,
  E_STATE: EXIT_BUG,
};

/** Exit code of anything that was thrown: {@link EXIT_BUG} unless the user caused it. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CliError) return error.exitCode;
  if (error instanceof EmulatorError) return EXIT_OF_EMULATOR_ERROR[error.code];
  return EXIT_BUG;
}
