import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { findVectorFiles, readVectorLines } from '../../../src/conform/vector-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'vectors-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, bytes: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

/** Lines that do not compress to nothing, so that half a gzip holds some of them. */
const lines = Array.from({ length: 400 }, (_, i) => JSON.stringify({ i, x: Math.imul(i, 0x9e3779b1) }));

describe('findVectorFiles', () => {
  it('finds .jsonl and .jsonl.gz below a folder, sorted, and nothing else', () => {
    const set = join(folder, 'set');
    mkdirSync(join(set, 'deep'), { recursive: true });
    for (const name of ['b.jsonl.gz', 'a.jsonl', 'deep/c.jsonl', 'flags.json', 'FORMAT.md'])
      file(`set/${name}`, 'x');
    const found = findVectorFiles(set);
    expect(found.map(({ name }) => name)).toEqual(['set/a', 'set/b', 'set/deep/c']);
    expect(found[1]).toMatchObject({ path: join(set, 'b.jsonl.gz'), folder: set });
  });

  it('takes a file of any name at its word', () => {
    expect(findVectorFiles(file('odd.name', 'x'))).toMatchObject([{ name: 'odd.name' }]);
  });

  it('throws when there is nothing', () => {
    expect(() => findVectorFiles(join(folder, 'absent'))).toThrow(/ENOENT/);
  });
});

describe('readVectorLines', () => {
  it('reads plain text and gzip alike, told apart by content', () => {
    const text = `${lines.join('\n')}\n`;
    const plain = readVectorLines(file('plain.jsonl.gz', text));
    const packed = readVectorLines(file('packed.jsonl', gzipSync(text)));
    expect(plain).toEqual({ lines, damage: null });
    expect(packed).toEqual(plain);
  });

  it('keeps the whole lines of a gzip that ends early, and says so', () => {
    const packed = gzipSync(lines.join('\n'));
    const { lines: got, damage } = readVectorLines(
      file('short.jsonl.gz', packed.subarray(0, packed.length / 2)),
    );
    expect(damage).toMatch(/^broken gzip/);
    expect(got.length).toBeGreaterThan(0);
    expect(got).toEqual(lines.slice(0, got.length));
  });

  it('calls a gzip of nonsense broken', () => {
    const bytes = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xff, 0xff, 0xff);
    expect(readVectorLines(file('bad.gz', bytes))).toMatchObject({
      lines: [],
      damage: expect.stringContaining('broken gzip'),
    });
  });

  it('calls an empty file empty and an absent one unreadable', () => {
    expect(readVectorLines(file('empty.jsonl', '\n\n')).damage).toBe('holds no vectors');
    expect(readVectorLines(join(folder, 'absent')).damage).toMatch(/cannot be read/);
  });
});
