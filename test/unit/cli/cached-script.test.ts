import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { Script } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ROOT } from '../../../scripts/kvm-tags.ts';
import { runCachedScript } from '../../../src/cli/cached-script.ts';

let folder = '';
let file = '';
let cacheFile = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pio86-'));
  file = join(folder, 'program.cjs');
  cacheFile = join(folder, 'program.cache');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('a script with a code cache', () => {
  it('exports what it would as a module, with its own file name and require', () => {
    writeFileSync(
      file,
      "exports.all = [__filename, __dirname, require('node:path').sep, typeof module, '×'];",
    );
    expect(runCachedScript(file, cacheFile).exports).toEqual({
      all: [file, folder, sep, 'object', '×'],
    });
  });

  it('gets what it is to be given instead of a package', () => {
    writeFileSync(file, "exports.iced = require('iced-x86');");
    const replaced = runCachedScript(file, cacheFile, (own) => (id) => (id === 'iced-x86' ? 86 : own(id)));
    expect(replaced.exports).toEqual({ iced: 86 });
  });

  it('imports modules, from a cache too', async () => {
    writeFileSync(file, "exports.sep = importModule('node:path').then(({ sep }) => sep); // imports");
    const first = runCachedScript(file, cacheFile);
    writeFileSync(cacheFile, first.script.createCachedData());
    for (const { exports } of [first, runCachedScript(file, cacheFile)]) {
      expect(await (exports as { sep: Promise<string> }).sep).toBe(sep);
    }
  });

  it('uses a cache that fits, and compiles without one or with one that is broken', () => {
    writeFileSync(
      file,
      'exports.sum = (() => { let s = 0; for (let i = 0; i < 10; i++) s += i; return s; })();',
    );
    const first = runCachedScript(file, cacheFile);
    expect(first.script.cachedDataRejected).toBeUndefined();
    writeFileSync(cacheFile, first.script.createCachedData());
    const second = runCachedScript(file, cacheFile);
    expect([second.script.cachedDataRejected, second.exports]).toEqual([false, { sum: 45 }]);
    for (const broken of [
      readFileSync(cacheFile).subarray(0, 40),
      Buffer.alloc(0),
      Buffer.from('no cache'),
    ]) {
      writeFileSync(cacheFile, broken);
      // V8 remembers scripts by their text.
      writeFileSync(file, `exports.sum = 45; // ${broken.length}`);
      const third = runCachedScript(file, cacheFile);
      expect([third.script.cachedDataRejected, third.exports]).toEqual([true, { sum: 45 }]);
    }
  });
});

describe('the built program', () => {
  it('has caches that this Node takes', () => {
    const bin = join(ROOT, 'dist', 'bin');
    const caches = readdirSync(bin).filter((name) => name.endsWith('.cache'));
    expect(caches.map((name) => name.replace(/-[^-]*$/, '')).toSorted()).toEqual(['iced-x86', 'program']);
    for (const name of caches) {
      const source = name.startsWith('iced')
        ? join(ROOT, 'node_modules', 'iced-x86', 'iced_x86.js')
        : join(bin, 'program.cjs');
      const text = `(function (exports, require, module, __filename, __dirname, importModule) {${readFileSync(source, 'utf8')}\n})`;
      const script = new Script(text, { filename: source, cachedData: readFileSync(join(bin, name)) });
      expect([name, script.cachedDataRejected]).toEqual([name, false]);
    }
  });
});
