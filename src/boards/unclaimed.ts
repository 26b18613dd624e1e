/**
 * What happens when a guest touches a port or address that nobody claims: an ISA bus that nobody drives reads as
 * ones, and a write goes nowhere. The policy says whether the host hears of it.
 */
import type { IoSize } from '../bus/io-device.ts';
import { MAX_WARNINGS, type UnclaimedPolicy } from './board.ts';

/** `port` or `address`: told apart in messages and in what counts as one place. */
export type UnclaimedSpace = 'port' | 'address';

/** How a {@link Unclaimed} is built. */
export interface UnclaimedOptions {
  readonly policy: UnclaimedPolicy;
  /** Policy `warn`: told each line. */
  onWarning(line: string): void;
  /** Policy `error`: told the first line; the machine should stop. */
  onError(line: string): void;
  /** Where the guest is, for the line: CS:IP. */
  where(): string;
}

const WRITE = 1;
/** Addresses are told apart by page: a guest that clears a frame buffer is one warning. */
const PAGE_SHIFT = 12;
/** Keys of ports are below this, keys of addresses from it on. */
const ADDRESS_KEYS = 0x2_0000;

/** What has been reported, so that it is not reported again. */
export interface UnclaimedState {
  readonly seen: readonly number[];
  readonly isSummed: boolean;
  readonly isStopped: boolean;
}

/** All ones of a width. */
export function openBus(size: IoSize): number {
  return size === 1 ? 0xff : size === 2 ? 0xffff : 0xffff_ffff;
}

/** The end of the line for accesses. */
export class Unclaimed {
  readonly #options: UnclaimedOptions;
  /** Whether nobody hears of an access. */
  readonly isSilent: boolean;
  /** Places warned of; never more than {@link MAX_WARNINGS}. */
  readonly #seen = new Set<number>();
  #isSummed = false;
  #isStopped = false;

  constructor(options: UnclaimedOptions) {
    this.#options = options;
    this.isSilent = options.policy === 'open-bus';
  }

  /** @returns all ones. */
  read(space: UnclaimedSpace, addr: number, size: IoSize): number {
    if (!this.isSilent) this.#report(space, addr, size, -1);
    return openBus(size);
  }

  write(space: UnclaimedSpace, addr: number, size: IoSize, value: number): void {
    if (!this.isSilent) this.#report(space, addr, size, value);
  }

  /** The next unclaimed access is an error again (the machine goes on after it was told of one). */
  rearm(): void {
    this.#isStopped = false;
  }

  saveState(): UnclaimedState {
    return { seen: [...this.#seen], isSummed: this.#isSummed, isStopped: this.#isStopped };
  }

  loadState(state: UnclaimedState): void {
    if (state.seen.length !== this.#seen.size || state.seen.some((key) => !this.#seen.has(key))) {
      this.#seen.clear();
      for (const key of state.seen) this.#seen.add(key);
    }
    this.#isSummed = state.isSummed;
    this.#isStopped = state.isStopped;
  }

  #report(space: UnclaimedSpace, addr: number, size: IoSize, value: number): void {
    if (this.#options.policy === 'error') {
      if (this.#isStopped) return;
      this.#isStopped = true;
      this.#options.onError(this.#line(space, addr, size, value));
    } else {
      this.#warn(space, addr, size, value);
    }
  }

  #warn(space: UnclaimedSpace, addr: number, size: IoSize, value: number): void {
    const place = space === 'port' ? addr * 2 : ADDRESS_KEYS + (addr >>> PAGE_SHIFT) * 2;
    const key = place + (value < 0 ? 0 : WRITE);
    if (this.#seen.has(key)) return;
    if (this.#seen.size < MAX_WARNINGS) {
      this.#seen.add(key);
      this.#options.onWarning(this.#line(space, addr, size, value));
    } else if (!this.#isSummed) {
      this.#isSummed = true;
      this.#options.onWarning(`more unclaimed ports or addresses: only the first ${MAX_WARNINGS} are shown`);
    }
  }

  #line(space: UnclaimedSpace, addr: number, size: IoSize, value: number): string {
    const bytes = size === 1 ? '1 byte' : `${size} bytes`;
    const at = addr.toString(16).padStart(space === 'port' ? 4 : 8, '0');
    const what = value < 0 ? `read of ${bytes}` : `write of ${bytes}, value 0x${value.toString(16)},`;
    return `no device at ${space} 0x${at}: ${what} at ${this.#options.where()}`;
  }
}
