/** Slots, pages and host accesses. */
import { describe, expect, it } from 'vitest';
import { GuestMemory, PAGE_MMIO, PAGE_READ_ONLY } from '../../../src/cpu/memory.ts';
import { EmulatorError } from '../../../src/errors.ts';

const page = (n: number): Uint8Array => new Uint8Array(n * 4096);

function memory(): GuestMemory {
  const mem = new GuestMemory();
  mem.addSlot(0, 0, page(4), false);
  mem.addSlot(1, 0x10000, page(1), true);
  return mem;
}

/** The code of the EmulatorError that `run` throws. */
function codeOf(run: () => void): string {
  try {
    run();
  } catch (error) {
    if (error instanceof EmulatorError) return error.code;
    throw error;
  }
  return 'none';
}

describe('memory slots', () => {
  it.each<[string, (mem: GuestMemory) => void, string]>([
    ['a misaligned address', (mem) => mem.addSlot(2, 0x20001, page(1), false), 'E_MEMORY'],
    ['a length that is no page', (mem) => mem.addSlot(2, 0x20000, new Uint8Array(100), false), 'E_MEMORY'],
    ['no bytes', (mem) => mem.addSlot(2, 0x20000, page(0), false), 'E_MEMORY'],
    ['a negative address', (mem) => mem.addSlot(2, -4096, page(1), false), 'E_MEMORY'],
    ['an end above 4 GiB', (mem) => mem.addSlot(2, 0xffff_f000, page(2), false), 'E_MEMORY'],
    ['a number in use', (mem) => mem.addSlot(1, 0x20000, page(1), false), 'E_EXISTS'],
    ['an overlap', (mem) => mem.addSlot(2, 0xf000, page(2), false), 'E_EXISTS'],
    ['protecting a hole', (mem) => mem.protectRange(0x8000, 0x1000), 'E_MEMORY'],
    ['protecting half a page', (mem) => mem.protectRange(0, 0x800), 'E_MEMORY'],
    ['a host write into a hole', (mem) => mem.write(0x3fff, new Uint8Array(2)), 'E_MEMORY'],
  ])('refuse %s', (_, run, code) => {
    expect(codeOf(() => run(memory()))).toBe(code);
  });

  it('end right below 4 GiB', () => {
    const mem = memory();
    mem.addSlot(2, 0xffff_f000, page(1), true);
    mem.write(0xffff_ffff, Uint8Array.of(0x5a));
    expect(mem.readByte(0xffff_ffff | 0)).toBe(0x5a);
    expect(mem.readByte(-1)).toBe(0x5a);
  });

  it('become holes when removed, and can be put elsewhere', () => {
    const mem = memory();
    expect(mem.removeSlot(0)).toBe(true);
    expect(mem.removeSlot(0)).toBe(false);
    expect([mem.readByte(0), mem.ram.length, mem.pageFlags[0]]).toEqual([-1, 0, PAGE_MMIO]);
    mem.addSlot(0, 0x4000, page(1), false);
    mem.write(0x4000, Uint8Array.of(1));
    expect([mem.readByte(0x4000), mem.readByte(0)]).toEqual([1, -1]);
  });

  it('take the host’s writes also where the guest’s do not go', () => {
    const mem = memory();
    mem.write(0x10010, Uint8Array.of(1, 2));
    mem.protectRange(0x1000, 0x1000);
    mem.write(0x1000, Uint8Array.of(3));
    expect([...mem.read(0x10010, 2), ...mem.read(0x1000, 1)]).toEqual([1, 2, 3]);
    expect(mem.pageFlags[0x10] & PAGE_READ_ONLY).toBe(PAGE_READ_ONLY);
  });

  it('are written across their borders, or not at all', () => {
    const mem = memory();
    mem.addSlot(2, 0x4000, page(1), false);
    mem.write(0x3fff, Uint8Array.of(1, 2));
    expect([...mem.read(0x3ffe, 4)]).toEqual([0, 1, 2, 0]);
    expect(codeOf(() => mem.write(0x4fff, Uint8Array.of(9, 9)))).toBe('E_MEMORY');
    expect(mem.readByte(0x4fff)).toBe(0);
  });

  it('read as ones where nothing is', () => {
    expect([...memory().read(0x3fff, 3)]).toEqual([0, 0xff, 0xff]);
  });
});
