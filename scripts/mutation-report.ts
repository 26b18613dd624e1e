/**
 * Writes docs/mutation.md from what Stryker has found (`npm run stryker`): the figures by folder and file, and every mutant that no
 * test has killed with the reason that test/mutants/stryker-explained.json gives for it.
 *
 * Ends with 1 when a survivor has no reason, or a reason has no survivor.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

interface Position {
  readonly line: number;
  readonly column: number;
}

interface Mutant {
  readonly replacement?: string;
  readonly status: string;
  readonly location: { readonly start: Position; readonly end: Position };
}

interface Report {
  readonly files: Readonly<Record<string, { readonly source: string; readonly mutants: readonly Mutant[] }>>;
}

/** One reason and the mutants it holds for: the line they are on, and what is put in place of what. */
interface Explanation {
  readonly reason: string;
  readonly mutants: readonly Survivor[];
}

interface Survivor {
  readonly file: string;
  readonly line: string;
  readonly from: string;
  readonly to: string;
}

interface Count {
  mutants: number;
  killed: number;
  endless: number;
  survived: number;
}

const ROOT = join(import.meta.dirname, '..');
const REPORTS = join(ROOT, 'reports');
const EXPLAINED = join(ROOT, 'test/mutants/stryker-explained.json');
const PAGE = join(ROOT, 'docs/mutation.md');
const FOLDERS = ['src/bus', 'src/emulate', 'src/vmx'];
const LONGEST = 60;

/** Text on one line, cut where it gets long. */
function flat(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > LONGEST ? `${line.slice(0, LONGEST - 1)}…` : line;
}

function code(text: string): string {
  return `\`${text.replaceAll('|', '\\|')}\``;
}

function original(source: string, { start, end }: Mutant['location']): string {
  const lines = source.split('\n').slice(start.line - 1, end.line);
  lines[lines.length - 1] = lines[lines.length - 1].slice(0, end.column - 1);
  lines[0] = lines[0].slice(start.column - 1);
  return lines.join('\n');
}

function keyOf({ file, line, from, to }: Survivor): string {
  return JSON.stringify([file, line, from, to]);
}

function noCount(): Count {
  return { mutants: 0, killed: 0, endless: 0, survived: 0 };
}

function row(name: string, count: Count, explained: number): string {
  return `| ${name} | ${count.mutants} | ${count.killed} | ${count.endless} | ${count.survived} | ${explained} |`;
}

/** What the runs have left, the oldest first: a later one has the last word on its files. */
const reports = readdirSync(REPORTS)
  .filter((name) => /^stryker-.*\.json$/.test(name))
  .map((name) => join(REPORTS, name))
  .sort((a, b) => statSync(a).mtimeMs - statSync(b).mtimeMs);
const last = reports.at(-1);
if (last === undefined) throw new Error(`${REPORTS}: no stryker-*.json; npm run stryker makes one`);
const files = Object.assign(
  {},
  ...reports.map((path) => (JSON.parse(readFileSync(path, 'utf8')) as Report).files),
) as Report['files'];
const explanations = JSON.parse(readFileSync(EXPLAINED, 'utf8')) as readonly Explanation[];
const reasonOf = new Map(
  explanations.flatMap(({ reason, mutants }) => mutants.map((each) => [keyOf(each), reason])),
);

const counts = new Map<string, Count>();
const survivors: { readonly place: string; readonly survivor: Survivor }[] = [];
for (const [file, { source, mutants }] of Object.entries(files).sort(([a], [b]) => a.localeCompare(b))) {
  const lines = source.split('\n');
  for (const { status, location, replacement } of mutants) {
    // Not counted: what Stryker leaves out by its configuration.
    if (status === 'Ignored') continue;
    for (const name of [dirname(file), file]) {
      const count = counts.get(name) ?? noCount();
      counts.set(name, count);
      count.mutants++;
      if (status === 'Killed') count.killed++;
      else if (status === 'Timeout') count.endless++;
      else count.survived++;
    }
    if (status === 'Killed' || status === 'Timeout') continue;
    const survivor = {
      file,
      line: flat(lines[location.start.line - 1]),
      from: flat(original(source, location)),
      to: flat(replacement ?? ''),
    };
    survivors.push({ place: `${file}:${location.start.line}`, survivor });
  }
}

const found = new Set(survivors.map(({ survivor }) => keyOf(survivor)));
const unexplained = survivors.filter(({ survivor }) => !reasonOf.has(keyOf(survivor)));
const gone = [...reasonOf.keys()].filter((key) => !found.has(key));
const rows = [...counts].map(([name, count]) =>
  row(
    name,
    count,
    survivors.filter(({ survivor }) => survivor.file.startsWith(name) && reasonOf.has(keyOf(survivor)))
      .length,
  ),
);
const untried = FOLDERS.flatMap((folder) =>
  readdirSync(join(ROOT, folder)).map((name) => `${folder}/${name}`),
).filter((file) => files[file] === undefined);
const lists = explanations.flatMap(({ reason, mutants }) => {
  const keys = new Set(mutants.map(keyOf));
  const here = survivors.filter(({ survivor }) => keys.has(keyOf(survivor)));
  return [
    `${reason}`,
    '',
    ...here.map(({ place, survivor }) => `- ${place}: ${code(survivor.from)} → ${code(survivor.to)}`),
    '',
  ];
});

writeFileSync(
  PAGE,
  [
    '# Mutation testing',
    '',
    '<!-- Written by scripts/mutation-report.ts from Stryker’s report and test/mutants/stryker-explained.json. -->',
    '',
    '    npm run stryker -- --mutate "src/bus/**/*.ts"   # a folder or a file; without arguments all three folders',
    '    npm run stryker:report                          # this page; 1 when a survivor has no reason, or a reason no survivor',
    '',
    'Stryker (`stryker.config.mjs`) changes `src/emulate`, `src/bus` and `src/vmx` in one place at a time and runs the tests of',
    '`scripts/stryker/tests.json` that come there, in its own process (`scripts/stryker/test-runner.mjs`), the quickest first, until one',
    'fails. Left out: strings (messages) and what runs once at load. What it has tried is kept in `reports/stryker-*.json`, so that it goes',
    'on where it was; with `--incrementalFile reports/stryker-NAME.json` parts can be run apart. With `--testRunner vitest` the same goes',
    'through Vitest, a few seconds a mutant. The planted bugs of [fuzzing](fuzzing.md#does-it-find-bugs) are another thing: they ask the',
    'fuzzer, not the tests.',
    '',
    `Last run: ${statSync(last).mtime.toISOString().slice(0, 10)}. Endless: the mutant never came to an end where the tests do. Survived: no test fails,`,
    'or none comes there.',
    ...(untried.length === 0
      ? []
      : ['', `Not tried yet, or nothing in them to change: ${untried.join(', ')}.`]),
    '',
    '| | mutants | killed | endless | survived | of these explained |',
    '|---|---|---|---|---|---|',
    ...rows,
    '',
    '## Survivors and why',
    '',
    ...lists,
    ...(unexplained.length === 0
      ? []
      : [
          '## Survivors without a reason yet',
          '',
          ...unexplained.map(
            ({ place, survivor }) => `- ${place}: ${code(survivor.from)} → ${code(survivor.to)}`,
          ),
          '',
        ]),
  ].join('\n'),
);

if (unexplained.length > 0) {
  console.error(
    `mutation-report: ${unexplained.length} survivors without a reason, first ${unexplained[0].place}`,
  );
  process.exitCode = 1;
}
if (gone.length > 0) {
  console.error(`mutation-report: ${gone.length} reasons without a survivor, first ${gone[0]}`);
  process.exitCode = 1;
}
