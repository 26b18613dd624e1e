/** Versions of memory against a model that copies everything. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GuestMemory, PAGE_CLEAN, PAGE_HAS_CODE } from '../../../src/cpu/memory.ts';
import { type MemoryVersion, MemoryVersions } from '../../../src/cpu/memory-versions.ts';

const PAGE = 4096;
/** Where slot 1 lies: it shares the second half of slot 0's memory. */
const ALIAS = 0x10_0000;

function memory(): GuestMemory {
  const mem = new GuestMemory();
  const ram = new Uint8Array(4 * PAGE);
  mem.addSlot(0, 0, ram, false);
  mem.addSlot(1, ALIAS, ram.subarray(2 * PAGE), false);
  mem.addSlot(2, 2 * ALIAS, new Uint8Array(PAGE), true);
  return mem;
}

function contents(mem: GuestMemory): number[][] {
  return mem.slots.map((slot) => [...slot.mem]);
}

type Step =
  | { readonly do: 'guest' | 'host'; readonly at: number; readonly value: number }
  | { readonly do: 'take' }
  | { readonly do: 'restore'; readonly which: number };

const addresses = fc.oneof(
  fc.nat(4 * PAGE - 1),
  fc.nat(2 * PAGE - 1).map((offset) => ALIAS + offset),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom('guest' as const, 'host' as const),
      at: addresses,
      value: fc.nat(255),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'take' as const }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('restore' as const), which: fc.nat(20) }) },
);

describe('versions of memory', () => {
  it('come back whole, whatever was written and restored in between', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const mem = memory();
        const versions = MemoryVersions.of(mem);
        const taken: { version: MemoryVersion; bytes: number[][] }[] = [];
        for (const s of steps) {
          if (s.do === 'take') {
            taken.push({ version: versions.take(), bytes: contents(mem) });
          } else if (s.do === 'restore') {
            if (taken.length === 0) continue;
            const { version, bytes } = taken[s.which % taken.length];
            versions.restore(version);
            expect(contents(mem)).toEqual(bytes);
          } else if (s.do === 'guest') {
            mem.writeByte(s.at, s.value);
          } else {
            mem.write(s.at, Uint8Array.of(s.value));
          }
        }
      }),
      { numRuns: 150 },
    );
  });

  it('can be shown by another memory with the same slots, and both go on', () => {
    const first = memory();
    const versions = MemoryVersions.of(first);
    first.writeByte(0x10, 1);
    const old = versions.take();
    first.writeByte(0x10, 2);
    const young = versions.take();
    first.writeByte(0x10, 3);
    const second = memory();
    const own = MemoryVersions.of(second).take();
    MemoryVersions.of(second).restore(old);
    expect([first.readByte(0x10), second.readByte(0x10)]).toEqual([3, 1]);
    MemoryVersions.of(second).restore(young);
    MemoryVersions.of(second).restore(own);
    versions.restore(old);
    expect([first.readByte(0x10), second.readByte(0x10)]).toEqual([1, 0]);
  });

  it('keep a page once, however often it is written, and tell how many were', () => {
    const mem = memory();
    const versions = MemoryVersions.of(mem);
    expect(versions.dirtyPages).toBe(0);
    versions.take();
    for (let i = 0; i < 10; i++) mem.writeByte(i, i);
    expect([versions.dirtyPages, mem.pageFlags[0] & PAGE_CLEAN]).toEqual([1, 0]);
    mem.write(PAGE, Uint8Array.of(1));
    expect([versions.dirtyPages, mem.pageFlags[1] & PAGE_CLEAN]).toEqual([2, PAGE_CLEAN]);
  });

  it('drop decoded code only where the bytes of a page with code differ', () => {
    const mem = memory();
    const dropped: [number, number][] = [];
    mem.code = { invalidate: (pa, len) => dropped.push([pa, len]), invalidatePages: () => {} };
    const versions = MemoryVersions.of(mem);
    const version = versions.take();
    mem.pageFlags[0] |= PAGE_HAS_CODE;
    mem.pageFlags[2] |= PAGE_HAS_CODE;
    mem.writeByte(0x20, 0);
    mem.writeByte(PAGE, 7);
    mem.writeByte(2 * PAGE + 0x30, 7);
    mem.writeByte(2 * PAGE + 0x32, 7);
    dropped.length = 0;
    versions.restore(version);
    expect(dropped).toEqual([[2 * PAGE + 0x30, 3]]);
  });

  it.each([
    ['a slot that is added', (mem: GuestMemory) => mem.addSlot(3, 0x30_0000, new Uint8Array(PAGE), false)],
    ['a slot that goes', (mem: GuestMemory) => void mem.removeSlot(2)],
  ])('are refused after %s', (_, change) => {
    const mem = memory();
    const version = MemoryVersions.of(mem).take();
    mem.writeByte(0, 1);
    change(mem);
    expect(() => MemoryVersions.of(mem).restore(version)).toThrowError(
      'snapshot: memory slots have come or gone since it was taken',
    );
    expect(mem.readByte(0)).toBe(1);
    const later = MemoryVersions.of(mem).take();
    mem.writeByte(0, 2);
    MemoryVersions.of(mem).restore(later);
    expect(mem.readByte(0)).toBe(1);
  });

  it('are refused by a memory with other slots, which the error names', () => {
    const other = new GuestMemory();
    other.addSlot(0, 0, new Uint8Array(PAGE), false);
    const version = MemoryVersions.of(memory()).take();
    expect(() => MemoryVersions.of(other).restore(version)).toThrowError(
      "snapshot: memory is slot 0 at 0x0+0x4000, slot 1 at 0x100000+0x2000, slot 2 at 0x200000+0x1000, the machine's is slot 0 at 0x0+0x1000",
    );
  });
});
