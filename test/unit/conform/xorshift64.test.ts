import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Xorshift64 } from '../../../src/conform/xorshift64.ts';

/** The generator as its author wrote it, on 64-bit words. */
function plain(seed: bigint, steps: number): bigint {
  const mask = (1n << 64n) - 1n;
  let x = (seed & mask) | 1n;
  for (let i = 0; i < steps; i++) {
    x ^= (x << 13n) & mask;
    x ^= x >> 7n;
    x ^= (x << 17n) & mask;
  }
  return x;
}

describe('Xorshift64', () => {
  it('in two halves is the generator on 64-bit words', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
        fc.integer({ min: 1, max: 40 }),
        (seed, steps) => {
          const words = new Int32Array(2 * steps);
          new Xorshift64(seed).fill(words);
          const last = new BigUint64Array(words.buffer)[steps - 1];
          expect(last).toBe(plain(seed, steps));
        },
      ),
    );
  });

  it('takes bits 31:24 of each word as a byte', () => {
    const random = new Xorshift64(0x1234n);
    expect(random.byte()).toBe(Number((plain(0x1234n, 1) >> 24n) & 0xffn));
    expect(random.byte()).toBe(Number((plain(0x1234n, 2) >> 24n) & 0xffn));
  });
});
