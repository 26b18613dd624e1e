/**
 * A script of Node's CommonJS kind, compiled from V8's code cache where there is one that fits: reading bytecode takes a fraction of
 * compiling a megabyte of text. A cache of another Node, of other flags or of another text is not used, and nothing is written here
 * (scripts/bundle.mjs does, in the build).
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { Script } from 'node:vm';

/**
 * What a script sees of its module: Node's five, and `importModule`, an `import()` that works in scripts from a cache, too (Node's own
 * then has no loader).
 */
export const PARAMETERS = 'exports, require, module, __filename, __dirname, importModule';

/** A script that has run. */
export interface CachedScript {
  /** What it exports. */
  readonly exports: unknown;
  /** The script, whose `createCachedData` holds the functions that have run so far. */
  readonly script: Script;
}

/**
 * Runs a file whose text is one function of {@link PARAMETERS}, in ASCII: text that is read as it stands, and copied once, is what V8
 * needs beside a cache.
 *
 * @param cacheFile may be missing. Its name has to change with the text: V8 compares no more than the length.
 */
export function runCachedScript(file: string, cacheFile: string): CachedScript {
  const script = new Script(readFileSync(file, 'latin1'), {
    filename: file,
    cachedData: existsSync(cacheFile) ? readFileSync(cacheFile) : undefined,
  });
  const module = { exports: {} };
  const wrapper = script.runInThisContext() as (...args: unknown[]) => void;
  wrapper.call(
    module.exports,
    module.exports,
    createRequire(file),
    module,
    file,
    dirname(file),
    (id: string) => import(id),
  );
  return { exports: module.exports, script };
}
