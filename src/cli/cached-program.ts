/**
 * The whole program behind `main`, as the build puts it beside it: one script, and iced-x86's, from V8's code cache.
 * scripts/bundle.mjs puts this in the place of `run-cli`.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CachedScript, runCachedScript } from './cached-script.ts';
import type * as program from './run-cli.ts';

/** Put there by the build: a hash of the program's text. */
declare const PROGRAM_HASH: string;

const FOLDER = fileURLToPath(new URL('.', import.meta.url));

/** A script and where its cache belongs. */
interface CachedFile {
  readonly file: string;
  readonly cacheFile: string;
}

function icedFile(): CachedFile {
  const file = createRequire(import.meta.url).resolve('iced-x86');
  const { version } = JSON.parse(readFileSync(join(dirname(file), 'package.json'), 'utf8')) as {
    version: string;
  };
  return { file, cacheFile: join(FOLDER, `iced-x86-${version}.cache`) };
}

/** Scripts that have run, by the file of their cache: scripts/bundle.mjs asks. */
export const cachedScripts = new Map<string, CachedScript>();

function run({ file, cacheFile }: CachedFile, require?: Parameters<typeof runCachedScript>[2]): unknown {
  let found = cachedScripts.get(cacheFile);
  if (found === undefined) {
    found = runCachedScript(file, cacheFile, require);
    cachedScripts.set(cacheFile, found);
  }
  return found.exports;
}

const { runCli: runProgram } = run(
  { file: join(FOLDER, 'program.cjs'), cacheFile: join(FOLDER, `program-${PROGRAM_HASH}.cache`) },
  (own) => (id) => (id === 'iced-x86' ? run(icedFile()) : own(id)),
) as typeof program;

/** As in run-cli.ts. */
export const runCli = runProgram;
