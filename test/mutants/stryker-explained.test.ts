/** The reasons for mutants that no test kills (docs/mutation.md) are about lines that are still there. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const LONGEST = 60;

interface Explanation {
  readonly reason: string;
  readonly mutants: readonly { readonly file: string; readonly line: string }[];
}

const explanations = JSON.parse(
  readFileSync(join(import.meta.dirname, 'stryker-explained.json'), 'utf8'),
) as Explanation[];

/** As scripts/mutation-report.ts writes lines down. */
function flatLines(file: string): Set<string> {
  const lines = readFileSync(join(ROOT, file), 'utf8').split('\n');
  return new Set(
    lines.map((line) => {
      const text = line.replace(/\s+/g, ' ').trim();
      return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text;
    }),
  );
}

it.each(explanations)('still there: $reason', ({ reason, mutants }) => {
  expect(reason).toMatch(/^[A-Z].*[.]$/s);
  expect(mutants).not.toEqual([]);
  for (const { file, line } of mutants) expect(flatLines(file), file).toContain(line);
});
