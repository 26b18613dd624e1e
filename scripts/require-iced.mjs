/** How the bundles of the build (bundle.mjs, instrument.mjs) get iced-x86. */

/** iced-x86 is CommonJS: by `require` Node need not search its text for names to export. */
export const requireIced = {
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
