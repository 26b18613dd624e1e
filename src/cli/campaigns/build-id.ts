/**
 * Which code this is: the version and a hash of the built files. A campaign counts cases of one program; a worker with another one
 * would run other cases under the same numbers.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { usageError } from '../cli-error.ts';
import { PACKAGE_FOLDER } from '../package-files.ts';
import { packageVersion } from '../version.ts';

const HASH_DIGITS = 12;

/** For example `0.1.0+3f29c1d0a8b7`. @throws CliError (usage) when the sources run instead of what was built. */
export function buildId(): string {
  if (import.meta.url.endsWith('.ts')) throw usageError('--queue needs the built program, not its sources');
  const root = fileURLToPath(new URL('dist', PACKAGE_FOLDER));
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' });
  const hash = createHash('sha256');
  // The bundles are made of the others.
  const isModule = (name: string): boolean => name.endsWith('.js') && !/^(bin|instrumented)\b/.test(name);
  const modules = files.filter(isModule);
  for (const file of modules.toSorted()) {
    hash.update(file).update(readFileSync(join(root, file)));
  }
  return `${packageVersion()}+${hash.digest('hex').slice(0, HASH_DIGITS)}`;
}
