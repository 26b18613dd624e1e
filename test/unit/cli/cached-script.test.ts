import { isAscii } from 'node:buffer';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { Script } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ROOT } from '../../../scripts/kvm-tags.ts';
import { PARAMETERS, runCachedScript } from '../../../src/cli/cached-script.ts';
import { OPCODE_TABLES } from '../../../src/decoder/opcode-table-maker.ts';

let folder = '';
let file = '';
let cacheFile = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pio86-'));
  file = join(folder, 'program.cjs');
  cacheFile = join(folder, 'program.cache');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const writeScript = (body: string): void => writeFileSync(file, `(function (${PARAMETERS}) {${body}\n})`);

describe('a script with a code cache', () => {
  it('exports what it would as a module, with its own file name and require', () => {
    writeScript("exports.all = [__filename, __dirname, require('node:path').sep, typeof module];");
    expect(runCachedScript(file, cacheFile).exports).toEqual({
      all: [file, folder, sep, 'object'],
    });
  });

  it('imports modules, from a cache too', async () => {
    writeScript("exports.sep = importModule('node:path').then(({ sep }) => sep); // imports");
    const first = runCachedScript(file, cacheFile);
    writeFileSync(cacheFile, first.script.createCachedData());
    for (const { exports } of [first, runCachedScript(file, cacheFile)]) {
      expect(await (exports as { sep: Promise<string> }).sep).toBe(sep);
    }
  });

  it('uses a cache that fits, and compiles without one or with one that is broken', () => {
    writeScript('exports.sum = (() => { let s = 0; for (let i = 0; i < 10; i++) s += i; return s; })();');
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
      writeScript(`exports.sum = 45; // ${broken.length}`);
      const third = runCachedScript(file, cacheFile);
      expect([third.script.cachedDataRejected, third.exports]).toEqual([true, { sum: 45 }]);
    }
  });
});

describe('the built program', () => {
  it('has a cache that this Node takes', () => {
    const bin = join(ROOT, 'dist', 'bin');
    const caches = readdirSync(bin).filter((name) => name.endsWith('.cache'));
    expect(caches.map((name) => name.replace(/-[^-]*$/, ''))).toEqual(['program']);
    const source = join(bin, 'program.cjs');
    const text = readFileSync(source, 'latin1');
    const cachedData = readFileSync(join(bin, caches[0] ?? ''));
    expect(new Script(text, { filename: source, cachedData }).cachedDataRejected).toBe(false);
  });

  it('is ASCII, and has the decoder’s tables as the opcode maps make them', () => {
    const bytes = readFileSync(join(ROOT, 'dist', 'bin', 'program.cjs'));
    expect(isAscii(bytes)).toBe(true);
    expect(bytes.includes(JSON.stringify(OPCODE_TABLES))).toBe(true);
  });

  it('loads no more of Node than a guest needs', () => {
    const loaded = "process.on('exit', () => console.error(process.moduleLoadList.join()))";
    const hook = join(folder, 'hook.cjs');
    writeFileSync(hook, loaded);
    const main = join(ROOT, 'dist', 'bin', 'main.js');
    const { stderr } = spawnSync(process.execPath, ['-r', hook, main, 'run', 'examples/hello.bin'], {
      encoding: 'utf8',
      cwd: ROOT,
    });
    const modules = stderr.split(',').map((name) => name.replace(/^NativeModule /, ''));
    expect(modules).toContain('stream');
    for (const name of ['child_process', 'crypto', 'http', 'perf_hooks', 'worker_threads']) {
      expect(modules).not.toContain(name);
    }
  });

  it('grows no wasm memory while a guest runs: V8’s code for typed arrays would be slower from then on', () => {
    const flags = ['--trace-protector-invalidation', join(ROOT, 'dist', 'bin', 'main.js')];
    const program = (...args: string[]): string =>
      spawnSync(process.execPath, [...flags, ...args], { encoding: 'utf8', cwd: ROOT }).stdout;
    const guest = program('run', join('examples', 'hello.bin'));
    expect(guest).toContain('Test OK');
    expect(guest).not.toContain('ArrayBufferDetaching');
    // Text comes from wasm.
    expect(program('explain', 'e643')).toContain('ArrayBufferDetaching');
  });
});
