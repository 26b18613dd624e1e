/**
 * Cases that `pio86 fuzz string-io` has found, kept: each agrees with the reference model.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { StringIoTarget } from '../../src/fuzz/targets/string-io.ts';

const CASES = readdirSync(import.meta.dirname).filter((name) => /^(?!jit-).*\.txt$/.test(name));

describe('cases that the fuzzer has found', () => {
  it.each(CASES)('%s agrees with the reference model', (name) => {
    const text = readFileSync(join(import.meta.dirname, name), 'utf8');
    expect(new StringIoTarget().replay(text)).toMatchObject({ isJudged: true, differences: [] });
  });
});
