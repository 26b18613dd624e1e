/**
 * The fuzzer's random numbers: sfc32 (Chris Doty-Humphrey's small fast counting generator), 128 bits of state from
 * one seed. The same seed gives the same cases on every machine.
 */

const TWO_TO_MINUS_32 = 2 ** -32;
/** Numbers thrown away: by then all state depends on all of the seed. */
const WARM_UP = 12;

/** A seeded stream of 32-bit numbers. */
export class Prng {
  #a = 0;
  #b = 0;
  #c = 0;
  #counter = 1;

  /** @param seed 32 bits. @param stream numbers streams of one seed apart, for example the run. */
  constructor(seed: number, stream: number) {
    this.reseed(seed, stream);
  }

  /** Starts over, as a new stream would. */
  reseed(seed: number, stream: number): void {
    let a = seed | 0;
    let b = stream | 0;
    let c = 0x9e3779b9 | 0;
    // As next() does it, without going through memory.
    for (let counter = 1; counter <= WARM_UP; counter++) {
      const sum = (a + b + counter) | 0;
      a = b ^ (b >>> 9);
      b = (c + (c << 3)) | 0;
      c = (((c << 21) | (c >>> 11)) + sum) | 0;
    }
    this.#a = a;
    this.#b = b;
    this.#c = c;
    this.#counter = WARM_UP + 1;
  }

  /** 0 … 2^32−1. */
  next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** 0 … n−1. */
  below(n: number): number {
    // By multiplication: V8 divides unsigned numbers slowly. The bias is below n / 2^32.
    return (this.next() * n * TWO_TO_MINUS_32) >>> 0;
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  /** One of the elements. */
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)];
  }
}
