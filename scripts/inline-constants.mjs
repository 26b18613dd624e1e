/**
 * Build step after tsc: in the built hot files, replaces `Op.Name` and integer constants (SCREAMING_CASE) that are imported or
 * exported by their numbers, so that V8 sees literals: a `case` must be a small-integer literal to become a jump table, and an
 * imported constant is a load and two checks at each use.
 *
 *     node scripts/inline-constants.mjs [dist]
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const dist = resolve(process.argv[2] ?? 'dist');
const HOT_FOLDERS = ['uapi', 'cpu', 'decoder', 'emulate', 'vmx', 'bus', 'kvm', 'devices', 'jit', 'boards'];

/** Integer constants that a built module exports, `Op` members included. */
async function constantsOf(path) {
  const found = new Map();
  for (const [name, value] of Object.entries(await import(pathToFileURL(path).href))) {
    if (Number.isSafeInteger(value) && /^[A-Z][A-Z0-9_]*$/.test(name)) found.set(name, String(value));
    if (name === 'Op')
      for (const [op, number] of Object.entries(value)) found.set(`Op.${op}`, String(number));
  }
  return found;
}

let replaced = 0;
for (const folder of HOT_FOLDERS) {
  for (const file of (existsSync(join(dist, folder)) ? readdirSync(join(dist, folder)) : []).filter((f) =>
    f.endsWith('.js'),
  )) {
    const path = join(dist, folder, file);
    const text = readFileSync(path, 'utf8');
    const values = new Map();
    for (const [, names, from] of text.matchAll(/^import \{([^}]*)\} from ['"](\.[^'"]*)['"];$/gm)) {
      const constants = await constantsOf(resolve(dirname(path), from));
      for (const name of names.split(',').map((n) => n.trim())) {
        if (name === 'Op')
          for (const [key, value] of constants) if (key.startsWith('Op.')) values.set(key, value);
        if (constants.has(name)) values.set(name, constants.get(name));
      }
    }
    for (const [name, value] of await constantsOf(path)) if (!name.includes('.')) values.set(name, value);
    if (values.size === 0) continue;
    const lines = text.split('\n').map((line) => {
      if (/^(import|export) \{|^export (const|let)\b/.test(line) || line.startsWith('//')) return line;
      return line.replace(
        /(?<![\w.$'"])(Op\.[A-Za-z0-9]+|[A-Z][A-Z0-9_]+)(?![\w$'"])(?!:(?!\s*(?:\{|$)))/g,
        (name) => {
          const value = values.get(name);
          if (value === undefined) return name;
          replaced++;
          return value.startsWith('-') ? `(${value})` : value;
        },
      );
    });
    writeFileSync(path, lines.join('\n'));
  }
}
if (replaced === 0) throw new Error('inline-constants: nothing replaced; is the build there?');
process.stderr.write(`inline-constants: ${replaced} constants\n`);
