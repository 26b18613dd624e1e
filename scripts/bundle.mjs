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

const root = fileURLToPath(new URL('..', import.meta.url));

/** iced-x86 is CommonJS: by `require` Node need not search its text for names to export. */
const requireIced = {
  name: 'require-iced',
  setup(plugin) {
    plugin.onResolve({ filter: /^iced-x86$/ }, ({ path }) => ({ path, namespace: 'required' }));
    plugin.onLoad({ filter: /.*/, namespace: 'required' }, () => ({
      contents: `import { createRequire } from 'node:module';
const iced = createRequire(import.meta.url)('iced-x86');
export const { Code, CodeExt, Decoder, DecoderError, DecoderOptions, Formatter, FormatterSyntax, Instruction, MemorySizeExt, OpKind, Register } = iced;`,
      loader: 'js',
    }));
  },
};

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
