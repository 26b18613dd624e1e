/**
 * KVM's edge cases of port I/O are numbered (1 to 78, docs/conformance.md); each that this design has is a test with its
 * number in its name: `31: …` or `edge case 31`.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const TEST = fileURLToPath(new URL('.', import.meta.url));
const LAST = 78;
/** 26, 27 and 28 are about 64-bit code, which pio86 does not run. */
const OUTSIDE = [26, 27, 28];

const TITLE = /['"`](\d{1,2}(?:, \d{1,2})*): /g;
const PHRASE = /edge cases? (\d{1,2}(?:(?:, | and )\d{1,2})*)/g;

function numbered(): Set<number> {
  const found = new Set<number>();
  for (const path of readdirSync(TEST, { recursive: true, encoding: 'utf8' })) {
    if (!path.endsWith('.test.ts') || path === 'edge-cases.test.ts') continue;
    const text = readFileSync(join(TEST, path), 'utf8');
    for (const [, list = ''] of [...text.matchAll(TITLE), ...text.matchAll(PHRASE)]) {
      for (const number of list.match(/\d+/g) ?? []) found.add(Number(number));
    }
  }
  return found;
}

it('every edge case that pio86 has is named by a test', () => {
  const found = numbered();
  const missing = Array.from({ length: LAST }, (_, i) => i + 1).filter((number) => !found.has(number));
  expect(missing).toEqual(OUTSIDE);
});
