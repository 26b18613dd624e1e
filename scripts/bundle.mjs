/**
 * Build step behind inline-constants.mjs: puts the modules of the command into a few files, `dist/bin/`, because Node takes longer to
 * load three hundred modules than most guests run. The modules themselves stay where they are: the library, workers and tests use
 * them.
 *
 *     node scripts/bundle.mjs
 */
import { chmodSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { requireIced } from './require-iced.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

rmSync(`${root}/dist/bin`, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: ['dist/cli/main.js'],
  outdir: 'dist/bin',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  packages: 'external',
  plugins: [requireIced],
  logLevel: 'warning',
});
chmodSync(`${root}/dist/bin/main.js`, 0o755);
