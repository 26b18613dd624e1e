/**
 * `--name`: part of Redis keys, of job names and of messages, so it is plain.
 */
import { usageError } from '../cli-error.ts';

/** @throws CliError (usage). */
export function requireName(name: string): string {
  if (/^[\w.-]{1,64}$/.test(name)) return name;
  throw usageError(`--name: '${name.slice(0, 80)}' is not 1 to 64 letters, digits, '.', '-', '_'`);
}
