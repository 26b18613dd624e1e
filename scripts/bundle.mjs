/**
 * Build step behind inline-constants.mjs: puts the modules of the command into one script, `dist/bin/program.cjs`, because Node takes
 * longer to load three hundred modules than most guests run; `dist/bin/main.js` runs it from V8's code cache, `dist/bin/*.cache`, which
 * holds the functions that a first guest needs. Another version of V8 does not use the cache and compiles as ever. The modules themselves
 * stay where they are: the library, workers and tests use them.
 *
 *     node scripts/bundle.mjs
 */
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const { PARAMETERS } = await import('../dist/cli/cached-script.js');

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = `${root}dist/bin`;
const COMMON = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20',
  packages: 'external',
  format: 'cjs',
  logLevel: 'warning',
};

/** What every command needs and is small: its loading would take longer than a guest. Their licences go beside the script. */
const BUNDLED = ['commander', 'picocolors'];
/** Node has these in memory when the script starts; others are loaded at first use. */
const LOADED = ['buffer', 'events', 'fs', 'module', 'path', 'process', 'url'];
const LAZILY = `
const lazily = (id, found) => new Proxy({}, { get: (_none, name) => (found ??= require(id))[name] });
const importMetaUrl = require('node:url').pathToFileURL(__filename).href;`;
const IMPORT_META = { 'import.meta.url': 'importMetaUrl' };

/** The decoder's tables as they come out: to make them takes longer than to read them. */
const finishedTables = {
  name: 'finished-tables',
  setup(plugin) {
    plugin.onLoad({ filter: /\/decoder\/opcode-table-maker\.js$/ }, async ({ path }) => {
      const { OPCODE_TABLES } = await import(path);
      const text = JSON.stringify(JSON.stringify(OPCODE_TABLES));
      return { contents: `export const OPCODE_TABLES = JSON.parse(${text});` };
    });
  },
};

const require = createRequire(import.meta.url);
rmSync(bin, { recursive: true, force: true });
const { outputFiles } = await build({
  ...COMMON,
  entryPoints: ['dist/cli/run-cli.js'],
  outfile: `${bin}/program.cjs`,
  write: false,
  alias: Object.fromEntries(BUNDLED.map((name) => [name, require.resolve(name)])),
  define: IMPORT_META,
  banner: { js: `(function (${PARAMETERS}) {${LAZILY}` },
  footer: { js: '})' },
  plugins: [finishedTables],
});
const program = outputFiles[0].text
  // cached-script.ts hands that in.
  .replaceAll(/\bimport\(/g, 'importModule(')
  .replaceAll(/(?<= = )require\("node:([^"]+)"\)(?=;)/g, (text, name) =>
    LOADED.includes(name) ? text : `lazily("node:${name}")`,
  )
  // Of comments: esbuild has escaped them in strings.
  .replaceAll(/[^\0-\x7f]/g, '?');
mkdirSync(bin);
writeFileSync(`${bin}/program.cjs`, program);
// The package's own modules are ES modules; Node starts a CommonJS script in less time.
writeFileSync(`${bin}/package.json`, '{ "type": "commonjs" }\n');
const licenses = BUNDLED.map(
  (name) => `${name}\n\n${readFileSync(join(dirname(require.resolve(name)), 'LICENSE'), 'utf8')}`,
);
writeFileSync(`${bin}/LICENSES.txt`, licenses.join('\n\n'));
const hash = createHash('sha256').update(program).digest('hex').slice(0, 16);

const cachedProgram = {
  name: 'cached-program',
  setup(plugin) {
    plugin.onResolve({ filter: /\/run-cli\.js$/ }, () => ({ path: `${root}dist/cli/cached-program.js` }));
  },
};
const LAUNCHER = {
  ...COMMON,
  define: { ...IMPORT_META, PROGRAM_HASH: JSON.stringify(hash) },
  banner: { js: LAZILY },
  plugins: [cachedProgram],
};
await build({ ...LAUNCHER, entryPoints: ['dist/cli/main.js'], outfile: `${bin}/main.js` });
chmodSync(`${bin}/main.js`, 0o755);

// One guest is run as main.js would run it, and what V8 has compiled by then is kept.
const recorder = `${bin}/recorder.js`;
await build({ ...LAUNCHER, entryPoints: ['dist/cli/cached-program.js'], outfile: recorder });
const { cacheFile, script, runCli } = require(recorder);
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
