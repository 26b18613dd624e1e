/** The cache alone: what a store drops, what it leaves, and that it stays bounded. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DecodeCache, MAX_INSNS, MAX_PAGES } from '../../../src/decoder/decode-cache.ts';
import { Insn } from '../../../src/decoder/insn.ts';
import { lower } from '../../../src/decoder/lower.ts';
import { Op } from '../../../src/decoder/op.ts';

const insn = (len: number, page2 = -1): Insn => {
  const made = new Insn(Op.Nop, len, 0);
  made.page2 = page2;
  return made;
};

const at = (cache: DecodeCache, page: number, is32: 0 | 1, offset: number): Insn | null =>
  cache.find(page)?.insns[is32][offset] ?? null;

describe('the decode cache', () => {
  it('finds what was entered, by page, mode and offset', () => {
    const cache = new DecodeCache();
    const [a, b] = [insn(3), insn(2)];
    cache.add(5, 0, 0x10, a);
    cache.add(5, 1, 0x10, b);
    expect(at(cache, 5, 0, 0x10)).toBe(a);
    expect(at(cache, 5, 1, 0x10)).toBe(b);
    expect([at(cache, 5, 0, 0x11), at(cache, 4, 0, 0x10)]).toEqual([null, null]);
    expect(cache.decoded).toBe(2);
  });

  it('drops a head whose tail in the next page has changed', () => {
    const cache = new DecodeCache();
    for (const [is32, offset] of [
      [0, 0xffe],
      [1, 0xfff],
    ] as const) {
      cache.add(5, is32, offset, insn(4, 6));
      cache.obtain(5).want(is32, offset);
      expect(cache.find(5)?.heads[is32].size).toBe(1);
      cache.invalidate(6 * 4096 + 1, 1);
      expect(cache.find(5)?.heads[is32].size).toBe(0);
      expect(at(cache, 5, is32, offset)).toBeNull();
    }
    expect(cache.dropped).toBe(2);
  });

  it('drops exactly the instructions that contain a changed byte', () => {
    const entry = fc.record({
      page: fc.integer({ min: 2, max: 3 }),
      is32: fc.constantFrom<0 | 1>(0, 1),
      offset: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 4060, max: 4095 })),
      len: fc.integer({ min: 1, max: 15 }),
    });
    const store = fc.record({
      pa: fc
        .integer({ min: 2 * 4096 - 4, max: 4 * 4096 + 20 })
        .filter((pa) => pa % 4096 < 60 || pa % 4096 > 4040),
      len: fc.constantFrom(1, 2, 4, 64, 4096),
    });
    fc.assert(
      fc.property(
        fc.array(entry, { maxLength: 40 }),
        fc.array(store, { maxLength: 4 }),
        (entries, stores) => {
          const cache = new DecodeCache();
          const model = new Map<string, { pa: number; len: number }>();
          const key = (page: number, is32: number, offset: number): string => `${page}/${is32}/${offset}`;
          for (const { page, is32, offset, len } of entries) {
            cache.add(page, is32, offset, insn(len, offset + len > 4096 ? page + 1 : -1));
            model.set(key(page, is32, offset), { pa: page * 4096 + offset, len });
          }
          const live = model.size;
          for (const { pa, len } of stores) {
            cache.invalidate(pa, len);
            for (const [name, code] of model) {
              if (code.pa < pa + len && pa < code.pa + code.len) model.delete(name);
            }
          }
          for (const { page, is32, offset } of entries) {
            const isThere = at(cache, page, is32, offset) !== null;
            expect([page, is32, offset, isThere]).toEqual([
              page,
              is32,
              offset,
              model.has(key(page, is32, offset)),
            ]);
          }
          expect(cache.dropped).toBe(live - model.size);
          expect(cache.generation).toBe(live - model.size);
        },
      ),
      { numRuns: Number(process.env.FUZZ_RUNS ?? 500) },
    );
  });

  it('drops an instruction of 15 bytes by its last one', () => {
    const cache = new DecodeCache();
    for (const offset of [0, 0x100, 4081]) cache.add(1, 0, offset, insn(15));
    for (const pa of [0x100e, 0x110e, 0x1fff]) cache.invalidate(pa, 1);
    expect(cache.dropped).toBe(3);
    cache.add(1, 0, 4082, insn(15, 2));
    cache.add(1, 0, 4095, insn(15, 2));
    cache.invalidate(0x2000, 1);
    expect(cache.dropped).toBe(5);
    cache.add(1, 0, 4095, insn(15, 2));
    cache.invalidate(0x200d, 1);
    expect(cache.dropped).toBe(6);
  });

  it('leaves the generation alone when a store hits no instruction', () => {
    const cache = new DecodeCache();
    cache.add(1, 0, 0x100, insn(2));
    cache.invalidate(0x1102, 4);
    cache.invalidate(0x10fc, 4);
    cache.invalidate(0x9100, 4);
    expect([cache.generation, cache.dropped]).toEqual([0, 0]);
    cache.invalidate(0x1101, 1);
    expect([cache.generation, cache.dropped]).toEqual([1, 1]);
    cache.invalidate(0x1101, 1);
    expect([cache.generation, cache.dropped]).toEqual([1, 1]);
  });

  it('reaches the last byte below 4 GiB, with addresses of either sign', () => {
    const cache = new DecodeCache();
    cache.add(0xfffff, 0, 0xfff, insn(1));
    cache.invalidate(-1, 1);
    cache.add(0xfffff, 0, 0xffe, insn(1));
    cache.invalidate(0xffff_fffe, 1);
    expect(cache.dropped).toBe(2);
  });

  it('drops the head by its tail’s page, whichever page that is', () => {
    const cache = new DecodeCache();
    // With A20 shut the page behind 0xff is page 0.
    const crossing = insn(4, 0);
    cache.add(0xff, 0, 0xffe, crossing);
    cache.invalidate(2, 1);
    expect(at(cache, 0xff, 0, 0xffe)).toBe(crossing);
    cache.invalidate(1, 1);
    expect(at(cache, 0xff, 0, 0xffe)).toBeNull();
  });

  it('starts over rather than keep more than its number of pages', () => {
    const cache = new DecodeCache();
    const seen = cache.obtain(0);
    cache.add(0, 0, 0, insn(1));
    const array = seen.insns[0];
    for (let page = 1; page < MAX_PAGES; page++) cache.add(page, 0, 0, insn(1));
    expect(at(cache, 0, 0, 0)).not.toBeNull();
    cache.add(MAX_PAGES, 0, 0, insn(1));
    expect(at(cache, 0, 0, 0)).toBeNull();
    expect(at(cache, MAX_PAGES, 0, 0)).not.toBeNull();
    // Whoever still holds a page's array finds nothing in it.
    expect(array.every((entry) => entry === null)).toBe(true);
  });

  it('gives a resting head its slot, and makes it a head again with what was generated', () => {
    const cache = new DecodeCache();
    const nop = insn(2);
    cache.add(5, 0, 0x10, nop);
    const page = cache.obtain(5);
    page.want(0, 0x10);
    const head = page.heads[0].get(0x10);
    page.rest(0, 0x10);
    expect(at(cache, 5, 0, 0x10)).toBe(nop);
    page.want(0, 0x10);
    expect([page.heads[0].size, page.resting.size]).toEqual([0, 1]);
    page.wake(0, 0x10);
    expect(page.heads[0].get(0x10)).toBe(head);
    expect(at(cache, 5, 0, 0x10)).toBeNull();
    page.wake(0, 0x10);
    expect([page.heads[0].size, page.resting.size]).toEqual([1, 0]);
  });

  it('keeps a head resting when another instruction of its page has changed', () => {
    const cache = new DecodeCache();
    cache.add(5, 0, 0x10, insn(2));
    cache.add(5, 0, 0x40, insn(1));
    const page = cache.obtain(5);
    page.want(0, 0x10);
    expect(page.rest(0, 0x10)).toBe(true);
    expect(page.rest(0, 0x10)).toBe(false);
    cache.invalidate(0x5040, 1);
    page.wake(0, 0x10);
    expect(page.heads[0].size).toBe(1);
  });

  it.each([
    ['it has changed', 0x10, insn(2), (cache: DecodeCache) => cache.invalidate(0x5011, 1)],
    [
      'its tail in the next page has changed',
      0xfff,
      insn(2, 6),
      (cache: DecodeCache) => cache.invalidate(0x6000, 1),
    ],
    ['the cache has started over', 0x10, insn(2), (cache: DecodeCache) => cache.clear()],
  ])('wakes no head when %s', (_, offset, resting, change) => {
    const cache = new DecodeCache();
    cache.add(5, 0, offset, resting);
    const page = cache.obtain(5);
    page.want(0, offset);
    page.rest(0, offset);
    change(cache);
    page.wake(0, offset);
    expect(page.heads[0].size).toBe(0);
    const other = insn(1);
    cache.add(5, 0, offset, other);
    page.wake(0, offset);
    cache.obtain(5).wake(0, offset);
    expect(at(cache, 5, 0, offset)).toBe(other);
    cache.obtain(5).want(0, offset);
    expect(cache.obtain(5).heads[0].get(offset)?.insn).toBe(other);
  });

  it('keeps no stale instruction when the tail’s page makes it start over', () => {
    const cache = new DecodeCache();
    for (let page = 0; page < MAX_PAGES - 1; page++) cache.add(page, 0, 0, insn(1));
    cache.add(5000, 0, 0xffe, insn(4, 5001));
    cache.invalidate(5001 * 4096, 4096);
    cache.invalidate(5000 * 4096, 4096);
    expect(at(cache, 5000, 0, 0xffe)).toBeNull();
  });

  it('starts over rather than keep more than its number of instructions', () => {
    const cache = new DecodeCache();
    const nop = insn(1);
    for (let i = 0; i < MAX_INSNS; i++) cache.add(i >> 12, 0, i & 0xfff, nop);
    expect(at(cache, 0, 0, 0)).toBe(nop);
    cache.add(0, 0, 0, nop);
    expect(at(cache, 1, 0, 0)).toBeNull();
    expect(at(cache, 0, 0, 0)).toBe(nop);
  });
});

describe('decoding', () => {
  it('does not leak: a million decodes cost less than 50 MB', () => {
    const bytes = new Uint8Array(15);
    const decode = (n: number): void => {
      for (let i = 0; i < n; i++) {
        bytes[0] = i;
        bytes[1] = i >> 8;
        lower(bytes, 15, i & 1);
      }
    };
    decode(100_000);
    const before = process.memoryUsage();
    decode(1_000_000);
    const after = process.memoryUsage();
    const outside = (use: NodeJS.MemoryUsage): number => use.rss - use.heapTotal;
    expect(outside(after) - outside(before)).toBeLessThan(50 * 2 ** 20);
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(50 * 2 ** 20);
  });
});
