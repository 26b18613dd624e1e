/**
 * Build step behind bundle.mjs: bundles of the fuzzer's targets whose code under test counts its edges (scripts/edge-counters.mjs), for
 * `pio86 fuzz --coverage`: `dist/instrumented/edges/`, and `dist/instrumented/values/` where comparisons report their distance, too.
 *
 *     node scripts/instrument.mjs
 */
import { readFileSync, rmSync } from 'node:fs';
import { relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { withEdgeCounters } from './edge-counters.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = `${root}dist`;
/** What is under test: not the oracles, not the engine. */
const FOLDERS = [
  'boards',
  'bus',
  'cpu',
  'decoder',
  'devices',
  'emulate',
  'introspect',
  'jit',
  'kvm',
  'loaders',
  'vmx',
];

let edges = 0;
const countEdges = (hasValues) => ({
  name: 'count-edges',
  setup(plugin) {
    plugin.onLoad({ filter: /\.js$/ }, ({ path }) => {
      const [folder] = relative(dist, path).split(sep);
      if (!FOLDERS.includes(folder)) return null;
      const runtime = `${dist}/fuzz/engine/edge-counters.js`;
      const made = withEdgeCounters(readFileSync(path, 'utf8'), { runtime, hasValues });
      edges += made.edges;
      return { contents: made.code, loader: 'js' };
    });
  },
});

rmSync(`${dist}/instrumented`, { recursive: true, force: true });
for (const kind of ['edges', 'values']) {
  edges = 0;
  await build({
    absWorkingDir: root,
    entryPoints: { targets: 'dist/cli/fuzz/instrumented.js' },
    outdir: `dist/instrumented/${kind}`,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    minifyWhitespace: true,
    plugins: [countEdges(kind === 'values')],
    logLevel: 'warning',
  });
}
if (edges === 0) throw new Error('instrument: no edges; is the build there?');
process.stderr.write(`instrument: ${edges} edges\n`);
