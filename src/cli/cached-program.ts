/**
 * The whole program behind `main`, as the build puts it beside it: one script, from V8's code cache. scripts/bundle.mjs puts this in
 * the place of `run-cli`.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCachedScript } from './cached-script.ts';
import type * as program from './run-cli.ts';

/** Put there by the build: a hash of the program's text. */
declare const PROGRAM_HASH: string;

const FOLDER = fileURLToPath(new URL('.', import.meta.url));

/** Where the script's cache belongs. */
export const cacheFile = join(FOLDER, `program-${PROGRAM_HASH}.cache`);

/** The script as it has run: scripts/bundle.mjs asks. */
export const { script, exports } = runCachedScript(join(FOLDER, 'program.cjs'), cacheFile);

/** As in run-cli.ts. */
export const { runCli } = exports as typeof program;
