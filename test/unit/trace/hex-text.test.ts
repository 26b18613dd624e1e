import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hexPlain } from '../../../src/trace/hex-text.ts';

describe('hexPlain', () => {
  it('is printf’s %x of any 32-bit value', () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 32 - 1 }), (value) => {
        expect(hexPlain(value)).toBe((value >>> 0).toString(16));
      }),
    );
  });

  it.each([0, 0xf, 0x10, 0xff, 0x100, 0xffff, 0x10000, 0x100000, 0xffffffff])(
    'has no leading zeros: %d',
    (value) => {
      expect(hexPlain(value)).toBe(value.toString(16));
    },
  );
});
