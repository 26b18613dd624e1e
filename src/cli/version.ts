/** The version, from the package's own package.json. */
import { readFileSync } from 'node:fs';
import { PACKAGE_FOLDER } from './package-files.ts';

/** For example `0.1.0`. */
export function packageVersion(): string {
  const text = readFileSync(new URL('package.json', PACKAGE_FOLDER), 'utf8');
  const { version } = JSON.parse(text) as { version: string };
  return version;
}
