/**
 * Heads that rest: where generated code never gets far, the interpreter does its work for a while.
 *
 * Entering generated code and leaving it again costs about as much as {@link WORTH_TICKS} instructions cost the interpreter. A loop with
 * a port access that somebody observes leaves it at each of them, and would take twice the time that the interpreter alone takes.
 */
import type { CodePage } from '../decoder/decode-cache.ts';
import type { GeneratedFunction } from './generated-function.ts';

const WORTH_TICKS = 64;
/** What long calls may weigh against short ones. */
const MAX_CREDIT = 8192;
/** What each `runGuest` counts of a nap beside its ticks. */
const PASS_TICKS = 256;

/** Where a head is. */
interface Place {
  readonly page: CodePage;
  readonly is32: 0 | 1;
  readonly at: number;
}

/** Who rests, and for how long. */
export class Naps {
  readonly #maxDebt: number;
  readonly #ticks: number;
  readonly #resting: Place[] = [];
  /** Of the decode cache: when it has started over, nobody rests any more. */
  #epoch = 0;
  /** Ticks until all of them wake. */
  #left = 0;

  /** @param maxDebt ticks by which calls of a function may fall short in all. @param ticks of a nap. */
  constructor(maxDebt: number, ticks: number) {
    this.#maxDebt = maxDebt;
    this.#ticks = ticks;
  }

  /**
   * The interpreter has come to a function's head and has it back after `ticks` (0: the function did not fit).
   *
   * @returns whether the head had better rest.
   */
  account(code: GeneratedFunction, ticks: number): boolean {
    const worth = code.worth + ticks - WORTH_TICKS;
    code.worth = Math.min(worth, MAX_CREDIT);
    if (worth >= -this.#maxDebt) return false;
    code.worth = 0;
    return true;
  }

  /** The head at an offset rests until the nap is over, which is one for all. */
  rest(epoch: number, page: CodePage, is32: 0 | 1, at: number): void {
    if (epoch !== this.#epoch) this.#resting.length = 0;
    this.#epoch = epoch;
    if (!page.rest(is32, at)) return;
    this.#resting.push({ page, is32, at });
    if (this.#left <= 0) this.#left = this.#ticks;
  }

  /** A `runGuest` of so many ticks has passed. */
  timePasses(ticks: number): void {
    if (this.#left <= 0) return;
    this.#left -= ticks + PASS_TICKS;
    if (this.#left > 0) return;
    for (const { page, is32, at } of this.#resting) page.wake(is32, at);
    this.#resting.length = 0;
  }
}
