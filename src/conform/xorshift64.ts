/**
 * Marsaglia's xorshift64 (shifts 13, 7, 17) in two 32-bit halves: the generator of memory contents and of
 * userspace's answers in the KVM vectors.
 */

/** Where a single step leaves its word. */
const ONE_WORD = new Int32Array(2);

/** A stream of 64-bit words; `lo` and `hi` hold the current one. */
export class Xorshift64 {
  lo: number;
  hi: number;

  /** @param seed 64 bits; bit 0 is set, as the vectors do, so that the state is never zero. */
  constructor(seed: bigint) {
    const start = BigInt.asUintN(64, seed) | 1n;
    this.lo = Number(start & 0xffff_ffffn) | 0;
    this.hi = Number(start >> 32n) | 0;
  }

  /** Moves to the next word. */
  step(): void {
    this.fill(ONE_WORD);
  }

  /** Fills `words` with successive 64-bit words, low half first. */
  fill(words: Int32Array): void {
    let { lo, hi } = this;
    for (let i = 0; i < words.length; i += 2) {
      hi ^= (hi << 13) | (lo >>> 19);
      lo ^= lo << 13;
      lo ^= (lo >>> 7) | (hi << 25);
      hi ^= hi >>> 7;
      hi ^= (hi << 17) | (lo >>> 15);
      lo ^= lo << 17;
      words[i] = lo;
      words[i + 1] = hi;
    }
    this.lo = lo;
    this.hi = hi;
  }

  /** One step, then bits 31:24 of the word. */
  byte(): number {
    this.step();
    return this.lo >>> 24;
  }
}
