/**
 * Counts what generated code has really run: a block counts when its function was generated and control has come to it, and once a
 * program, however many functions it is part of.
 */
import type { BlockWitness } from '../../jit/block-witness.ts';

/** Blocks that a program may have, with all those that it makes by changing itself; the rest is not counted. */
const CAPACITY = 4096;
const PAGE_SHIFT = 12;

/** The blocks of one program. */
export class EnteredBlocks implements BlockWitness {
  readonly entered = new Uint8Array(CAPACITY);
  /** Physical address → number. */
  readonly #numbers = new Map<number, number>();

  add(page: number, at: number): number {
    const address = (page << PAGE_SHIFT) | at;
    const known = this.#numbers.get(address);
    if (known !== undefined) return known;
    const number = Math.min(this.#numbers.size, CAPACITY - 1);
    this.#numbers.set(address, number);
    return number;
  }

  /** Whether the block at a physical address has been entered. */
  has(address: number): boolean {
    const number = this.#numbers.get(address);
    return number !== undefined && this.entered[number] !== 0;
  }

  /** Blocks entered since the last call. A function that was made before it must not run again. */
  take(): number {
    let count = 0;
    const used = Math.min(this.#numbers.size, CAPACITY);
    for (let i = 0; i < used; i++) count += this.entered[i];
    this.entered.fill(0, 0, used);
    this.#numbers.clear();
    return count;
  }
}
