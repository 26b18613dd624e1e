/**
 * `--trace` stands alone or with `=EVENTS`, which commander cannot express.
 */
import { usageError } from './cli-error.ts';

/** Without this a FILE that follows `--trace` would be taken for the events. @throws CliError (usage) for `--trace=` with nothing behind it. */
export function detachTrace(argv: readonly string[]): string[] {
  const end = argv.indexOf('--');
  return argv.map((arg, at) => {
    if (end >= 0 && at > end) return arg;
    if (arg === '--trace=')
      throw usageError('--trace=: no events are named; --trace alone shows the usual ones');
    return arg === '--trace' ? '--trace=' : arg;
  });
}
