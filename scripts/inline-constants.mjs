/**
 * Build step after tsc: in the built hot files, replaces `Op.Name` and integer constants (SCREAMING_CASE) by their numbers, so
 * that V8 sees literals: a `case` must be a small-integer literal to become a jump table, and a constant of the module or of
 * another one is a load and a check or two at each use, wherever V8 does not know the function's context (its interpreter, code
 * made in the middle of a loop).
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

const NAMES = /(?<![\w.$'"])(Op\.[A-Za-z0-9]+|[A-Z][A-Z0-9_]+)(?![\w$'"])(?!:(?!\s*(?:\{|$)))/g;
/** Numbers, operators and parentheses, nothing else. */
const ARITHMETIC = /^(?:0x[\da-f]+|\d+|<<|>>>?|[-+*|&~() ])+$/;

/** What a module's own constant of the line is worth, as far as it is written in numbers. */
function ownConstant(line) {
  const [, name, value] = /^const ([A-Z][A-Z0-9_]*) = (.*);$/.exec(line) ?? [];
  if (name === undefined || !ARITHMETIC.test(value)) return null;
  const number = new Function(`return ${value}`)();
  return Number.isSafeInteger(number) ? [name, String(number)] : null;
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
    const inline = (code) =>
      code.replace(NAMES, (name) => {
        const value = values.get(name);
        if (value === undefined) return name;
        replaced++;
        return value.startsWith('-') ? `(${value})` : value;
      });
    const lines = text.split('\n').map((line) => {
      if (/^(import|export) \{|^export (const|let)\b/.test(line) || line.startsWith('//')) return line;
      const [declaration] = /^(?:const|let) \w+ = /.exec(line) ?? [''];
      const inlined = declaration + inline(line.slice(declaration.length));
      const own = ownConstant(inlined);
      if (own !== null) values.set(...own);
      return inlined;
    });
    writeFileSync(path, lines.join('\n'));
  }
}
if (replaced === 0) throw new Error('inline-constants: nothing replaced; is the build there?');
process.stderr.write(`inline-constants: ${replaced} constants\n`);
