import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MUTANTS } from './mutants.ts';

const SRC = join(import.meta.dirname, '../../src');

describe('the bugs to plant', () => {
  it.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))(
    '%s still fits the source',
    (_name, mutant) => {
      const text = readFileSync(join(SRC, mutant.file), 'utf8');
      expect(text.split(mutant.find)).toHaveLength(2);
      expect(mutant.replace).not.toBe(mutant.find);
    },
  );

  it('are at least 25, each with a name of its own', () => {
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
    expect(MUTANTS.length).toBeGreaterThanOrEqual(25);
  });
});
