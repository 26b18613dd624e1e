/**
 * A copy of the build with a bug of test/mutants/ in it.
 */
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import type { Mutant } from '../test/mutants/mutants.ts';

const ROOT = join(import.meta.dirname, '..');

/** Copies what was built, with a way to the packages. */
export function copyBuild(folder: string): void {
  for (const file of ['package.json', 'dist'])
    cpSync(join(ROOT, file), join(folder, file), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
}

/** Plants a bug into a copy. @returns what pulls it out again. @throws Error unless its place is there once. */
export function plant(folder: string, mutant: Mutant): () => void {
  const built = join(folder, 'dist', mutant.file.replace(/\.ts$/, '.js'));
  const original = readFileSync(built, 'utf8');
  writeFileSync(built, compiled(planted(mutant)));
  return () => writeFileSync(built, original);
}

/** The source with the bug in it. */
function planted({ name, file, find, replace }: Mutant): string {
  const text = readFileSync(join(ROOT, 'src', file), 'utf8');
  if (text.split(find).length !== 2) throw new Error(`${name}: not exactly once in src/${file}: ${find}`);
  return text.replace(find, () => replace);
}

/** One file to JavaScript, as the build does it but for the inlined constants. */
function compiled(text: string): string {
  return ts.transpileModule(text, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.ESNext,
      rewriteRelativeImportExtensions: true,
      verbatimModuleSyntax: true,
    },
  }).outputText;
}
