/**
 * Build step behind inline-constants.mjs: puts the modules of the command into one script, `dist/bin/program.cjs`, because Node takes
 * longer to load three hundred modules than most guests run; `dist/bin/main.js` runs it from V8's code cache, `dist/bin/*.cache`, which
 * holds the functions that a first guest needs. Another version of V8 does not use the cache and compiles as ever. The modules themselves
 * stay where they are: the library, workers and tests use them.
 *
 *     node scripts/bundle.mjs
 */
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = `${root}dist/bin`;
const COMMON = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20',
  packages: 'external',
  logLevel: 'warning',
};

rmSync(bin, { recursive: true, force: true });
const { outputFiles } = await build({
  ...COMMON,
  entryPoints: ['dist/cli/run-cli.js'],
  outfile: `${bin}/program.cjs`,
  write: false,
  format: 'cjs',
  define: { 'import.meta.url': 'importMetaUrl' },
  banner: { js: "const importMetaUrl = require('node:url').pathToFileURL(__filename).href;" },
});
// cached-script.ts hands that in.
const program = outputFiles[0].text.replaceAll(/\bimport\(/g, 'importModule(');
mkdirSync(bin);
writeFileSync(`${bin}/program.cjs`, program);
const hash = createHash('sha256').update(program).digest('hex').slice(0, 16);

const cachedProgram = {
  name: 'cached-program',
  setup(plugin) {
    plugin.onResolve({ filter: /\/run-cli\.js$/ }, () => ({ path: `${root}dist/cli/cached-program.js` }));
  },
};
const LAUNCHER = {
  ...COMMON,
  format: 'esm',
  define: { PROGRAM_HASH: JSON.stringify(hash) },
  plugins: [cachedProgram],
};
await build({ ...LAUNCHER, entryPoints: ['dist/cli/main.js'], outfile: `${bin}/main.js` });
chmodSync(`${bin}/main.js`, 0o755);

// One guest is run as main.js would run it, and what V8 has compiled by then is kept.
const recorder = `${bin}/recorder.js`;
await build({ ...LAUNCHER, entryPoints: ['dist/cli/cached-program.js'], outfile: recorder });
const { cacheFile, script, runCli } = await import(recorder);
const { processIo } = await import(`${root}dist/cli/io.js`);
rmSync(recorder);
const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
const status = await runCli(['run', `${root}examples/hello.bin`], {
  ...processIo(),
  stdout: silent,
  stderr: silent,
});
if (status !== 0) throw new Error(`the guest whose functions are to be kept ended with ${status}`);
writeFileSync(cacheFile, script.createCachedData());
