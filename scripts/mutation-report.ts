/**
 * Writes docs/mutation.md from Stryker's JSON (`npm run stryker`): the score by file, and every mutant that no test has killed.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface Mutant {
  readonly mutatorName: string;
  readonly replacement?: string;
  readonly status: string;
  readonly location: { readonly start: Position; readonly end: Position };
}
interface Position {
  readonly line: number;
  readonly column: number;
}
interface Report {
  readonly files: Readonly<Record<string, { readonly source: string; readonly mutants: readonly Mutant[] }>>;
}

const ROOT = join(import.meta.dirname, '..');
const REPORT = join(ROOT, 'reports/stryker-incremental.json');
const PAGE = join(ROOT, 'docs/mutation.md');
const ALIVE = new Set(['Survived', 'NoCoverage']);
const COUNTED = new Set(['Killed', 'Timeout', ...ALIVE]);

/** The replaced text of a mutant on one line, as Markdown code. */
function code(text: string): string {
  const flat = text.replace(/\s+/g, ' ').replaceAll('|', '\\|');
  return `\`${flat.length > 60 ? `${flat.slice(0, 57)}…` : flat}\``;
}

function original(source: string, { start, end }: Mutant['location']): string {
  const lines = source.split('\n').slice(start.line - 1, end.line);
  lines[lines.length - 1] = lines[lines.length - 1].slice(0, end.column - 1);
  lines[0] = lines[0].slice(start.column - 1);
  return lines.join('\n');
}

if (!existsSync(REPORT)) throw new Error(`${REPORT}: not there; npm run stryker makes it`);
const { files } = JSON.parse(readFileSync(REPORT, 'utf8')) as Report;
const scores: string[] = [];
const survivors: string[] = [];
for (const [path, { source, mutants }] of Object.entries(files).sort(([a], [b]) => a.localeCompare(b))) {
  const counted = mutants.filter(({ status }) => COUNTED.has(status));
  const alive = counted.filter(({ status }) => ALIVE.has(status));
  if (counted.length === 0) continue;
  const score = ((100 * (counted.length - alive.length)) / counted.length).toFixed(1);
  scores.push(`| ${path} | ${counted.length} | ${alive.length} | ${score} % |`);
  for (const mutant of alive) {
    const before = original(source, mutant.location);
    const after = mutant.replacement ?? '';
    survivors.push(
      `| ${path}:${mutant.location.start.line} | ${code(before)} → ${code(after)} | ${mutant.status} |`,
    );
  }
}
writeFileSync(
  PAGE,
  [
    '# Mutation testing',
    '',
    '<!-- Written by scripts/mutation-report.ts from Stryker’s report. -->',
    '',
    '    npm run stryker -- --mutate src/vmx/io-bitmaps.ts   # a file, or without arguments everything: hours on a busy machine',
    '',
    'Stryker (`stryker.config.json`) changes `src/emulate`, `src/bus` and `src/vmx` in one place at a time and runs the tests of',
    '`vitest.stryker.config.ts` that come there. Left out: strings (messages) and what runs once at load (`ignoreStatic`). What it has',
    'tried is kept in `reports/`, so that it goes on where it was. The planted bugs of [fuzzing](fuzzing.md#does-it-find-bugs) are',
    'another thing: they ask the fuzzer, not the tests. Only files that have been tried are listed.',
    '',
    '| file | mutants | alive | killed |',
    '|---|---|---|---|',
    ...scores,
    '',
    '## Alive',
    '',
    '| where | change | status |',
    '|---|---|---|',
    ...survivors,
    '',
  ].join('\n'),
);
