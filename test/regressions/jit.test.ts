/** What `pio86 fuzz jit` has found, made small: each file is a reproducer. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { JitTarget } from '../../src/fuzz/targets/jit.ts';

const files = readdirSync(import.meta.dirname).filter((name) => /^jit-.*\.txt$/.test(name));

it.each(files)('%s does the same in both engines', (name) => {
  const text = readFileSync(join(import.meta.dirname, name), 'utf8');
  expect(new JitTarget().replay(text)).toEqual({ isJudged: true, differences: [] });
});
