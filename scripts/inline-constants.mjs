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
import ts from 'typescript';

const dist = resolve(process.argv[2] ?? 'dist');
const HOT_FOLDERS = ['uapi', 'cpu', 'decoder', 'emulate', 'vmx', 'bus', 'kvm', 'devices', 'jit', 'boards'];

const CONSTANT_NAME = /^[A-Z][A-Z0-9_]*$/;
/** Numbers, operators and parentheses, nothing else. */
const ARITHMETIC = /^(?:0x[\da-f_]+|\d[\d_]*|<<|>>>?|[-+*|&~() ])+$/;

/** Integer constants that a built module exports, `Op` members included. */
async function constantsOf(path) {
  const found = new Map();
  for (const [name, value] of Object.entries(await import(pathToFileURL(path).href))) {
    if (Number.isSafeInteger(value) && CONSTANT_NAME.test(name)) found.set(name, String(value));
    if (name === 'Op')
      for (const [op, number] of Object.entries(value)) found.set(`Op.${op}`, String(number));
  }
  return found;
}

/** What is known in the module `path`: its own exports, and what it imports. */
async function valuesIn(path, source) {
  const values = new Map();
  for (const statement of source.statements) {
    const names = ts.isImportDeclaration(statement)
      ? statement.importClause?.namedBindings?.elements
      : undefined;
    if (names === undefined || !statement.moduleSpecifier.text.startsWith('.')) continue;
    const constants = await constantsOf(resolve(dirname(path), statement.moduleSpecifier.text));
    for (const { name, propertyName } of names) {
      const exported = (propertyName ?? name).text;
      if (constants.has(exported)) values.set(name.text, constants.get(exported));
      if (exported === 'Op' && name.text === 'Op')
        for (const [key, value] of constants) if (key.startsWith('Op.')) values.set(key, value);
    }
  }
  for (const [name, value] of await constantsOf(path)) if (!name.includes('.')) values.set(name, value);
  return values;
}

/** Whether an identifier is read there, and not declared, a key, a label or a shorthand. */
function isRead(node) {
  const { parent } = node;
  return parent.name !== node && parent.propertyName !== node && parent.label !== node;
}

/** The text of `node` with the numbers in it. */
function inlined(node, source, values) {
  const edits = [];
  const visit = (at) => {
    if (ts.isPropertyAccessExpression(at) && values.has(at.getText(source))) edits.push(at);
    else if (ts.isIdentifier(at) && values.has(at.text) && isRead(at)) edits.push(at);
    else ts.forEachChild(at, visit);
  };
  visit(node);
  let text = '';
  let end = node.getFullStart();
  for (const at of edits) {
    const value = values.get(at.getText(source));
    text += source.text.slice(end, at.getStart(source)) + (value.startsWith('-') ? `(${value})` : value);
    end = at.getEnd();
  }
  replaced += edits.length;
  return text + source.text.slice(end, node.getEnd());
}

/** What a constant is worth that the text of a statement declares for the module alone, as far as it is written in numbers. */
function learn(statement, values) {
  const [, name, value] = /^const ([A-Z][A-Z0-9_]*) = (.*);$/m.exec(statement) ?? [];
  if (name === undefined || !ARITHMETIC.test(value)) return;
  const number = new Function(`return ${value}`)();
  if (Number.isSafeInteger(number)) values.set(name, String(number));
}

let replaced = 0;
for (const folder of HOT_FOLDERS) {
  const files = existsSync(join(dist, folder)) ? readdirSync(join(dist, folder)) : [];
  for (const file of files.filter((f) => f.endsWith('.js'))) {
    const path = join(dist, folder, file);
    const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.ESNext, true);
    const values = await valuesIn(path, source);
    let text = '';
    for (const statement of source.statements) {
      const isList = ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement);
      const code = isList ? statement.getFullText(source) : inlined(statement, source, values);
      if (ts.isVariableStatement(statement)) learn(code, values);
      text += code;
    }
    const rest = source.statements.at(-1)?.getEnd() ?? 0;
    writeFileSync(path, text + source.text.slice(rest));
  }
}
if (replaced === 0) throw new Error('inline-constants: nothing replaced; is the build there?');
process.stderr.write(`inline-constants: ${replaced} constants\n`);
