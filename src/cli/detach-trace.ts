/**
 * `--trace` stands alone or with `=EVENTS`, which commander cannot express.
 */

/** Without this a FILE that follows `--trace` would be taken for the events. */
export function detachTrace(argv: readonly string[]): string[] {
  const end = argv.indexOf('--');
  return argv.map((arg, at) => (arg === '--trace' && (end < 0 || at < end) ? '--trace=' : arg));
}
