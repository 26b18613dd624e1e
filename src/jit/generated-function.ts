/**
 * One generated function: what it was made under, whether that still holds, how it has fared, and which functions come after it.
 */
import type { Cpu } from '../cpu/cpu.ts';
import { portAccessIsFree } from '../cpu/io-permission.ts';
import { AR_DB } from '../cpu/registers.ts';
import type { GeneratedCode } from '../decoder/decode-cache.ts';
import { SEG_CS, SEG_SS } from '../decoder/insn.ts';
import type { Generated } from './generate.ts';

/**
 * Ticks of one call of a function. V8 replaces a function that is called again by better code; one that stays in its loop gets code
 * that begins in the middle (on-stack replacement), which knows no constants and no types, and is several times slower.
 */
const CALL_TICKS = 20_000;
/**
 * Its first calls are shorter: a call in which V8 finds it hot and then finds it hot again is one whose loop it replaces, and then it may
 * never come to the function.
 */
const FIRST_CALL_TICKS = 256;
const FIRST_CALLS = 4096;

/** How many of the functions that come after it are remembered; a power of two. */
const FOLLOWERS = 4;

const SIGN = 1 << 31;

/** Whether port I/O needs neither an exit nor a look at the bit map. */
export function portIoIsInline(cpu: Cpu): boolean {
  return cpu.inlineIo !== null && cpu.ioIntercept === null && portAccessIsFree(cpu);
}

/** `left` → `left`. */
export type Run = (left: number) => number;

/** One generated function. */
export class GeneratedFunction implements GeneratedCode {
  readonly from: number;
  readonly to: number;
  isDead = false;
  readonly minTicks: number;
  readonly #eipBase: number;
  readonly #maxEip: number;
  readonly #stackIs32: number;
  /** Whether it has port I/O, which needs to be inline. */
  readonly hasPortIo: boolean;
  /** Whether it ends before port I/O that was not inline. */
  readonly lacksPortIo: boolean;
  readonly #tlb: Int32Array;
  readonly #ram: Uint8Array;
  /** Segments and their bases, indices of `Cpu.segBound` and their values: what the text relies on. */
  readonly #segments: Int32Array;
  readonly #bases: Int32Array;
  readonly #indices: Int32Array;
  readonly #bounds: Int32Array;
  /** How often it has met other ones. */
  misfits = 0;
  /** Ticks by which the interpreter's calls of it were worth more than they cost (naps.ts). */
  worth = 0;
  #calls = 0;
  /** Functions that have followed it, in the slot of the last bits of the offset where they begin; and that offset. */
  readonly #followers = new Array<GeneratedFunction | null>(FOLLOWERS).fill(null);
  readonly #followersAt = new Int32Array(FOLLOWERS);
  run: Run = (left) => left;

  constructor(cpu: Cpu, generated: Generated, eipBase: number, stackIs32: number, lacksPortIo: boolean) {
    this.lacksPortIo = lacksPortIo;
    this.#tlb = cpu.tlb;
    this.#ram = cpu.mem.ram;
    this.from = generated.from;
    this.to = generated.to;
    this.minTicks = generated.minTicks;
    this.#eipBase = eipBase;
    this.#maxEip = generated.maxEip | 0;
    this.#stackIs32 = stackIs32;
    this.hasPortIo = generated.hasPortIo;
    this.#segments = Int32Array.from([0, 1, 2, 3, 4, 5].filter((n) => (generated.assumedSegments >> n) & 1));
    this.#bases = this.#segments.map((seg) => cpu.segBase[seg]);
    this.#indices = Int32Array.from(generated.assumedBounds);
    this.#bounds = this.#indices.map((index) => cpu.segBound[index]);
  }

  /** What followed it at this offset the last time, or null. */
  follower(at: number): GeneratedFunction | null {
    const slot = at & (FOLLOWERS - 1);
    const found = this.#followersAt[slot] === at ? this.#followers[slot] : null;
    if (found?.isDead !== true) return found;
    this.#followers[slot] = null;
    return null;
  }

  rememberFollower(next: GeneratedFunction, at: number): void {
    const slot = at & (FOLLOWERS - 1);
    this.#followers[slot] = next;
    this.#followersAt[slot] = at;
  }

  /** Ticks of its next call. */
  nextCallTicks(): number {
    if (this.#calls === FIRST_CALLS) return CALL_TICKS;
    this.#calls++;
    return FIRST_CALL_TICKS + this.minTicks;
  }

  #hasItsSegments({ segBase, segBound }: Cpu): boolean {
    for (let i = 0; i < this.#segments.length; i++) {
      if (segBase[this.#segments[i]] !== this.#bases[i]) return false;
    }
    for (let i = 0; i < this.#indices.length; i++) {
      if (segBound[this.#indices[i]] !== this.#bounds[i]) return false;
    }
    return true;
  }

  /** Whether it may run now with `left` ticks, its page's offset 0 being at EIP `eipBase`. */
  fits(cpu: Cpu, eipBase: number, left: number): boolean {
    return (
      !this.isDead &&
      left >= this.minTicks &&
      this.#eipBase === eipBase &&
      this.#tlb === cpu.tlb &&
      this.#ram === cpu.mem.ram &&
      (this.#maxEip ^ SIGN) < cpu.segBound[(SEG_CS << 3) | 3] &&
      (cpu.segAttr[SEG_SS] & AR_DB) === this.#stackIs32 &&
      (!(this.hasPortIo || this.lacksPortIo) || this.hasPortIo === portIoIsInline(cpu)) &&
      this.#hasItsSegments(cpu)
    );
  }

  /** It did not fit: counted when other segments are why. */
  noteMisfit(cpu: Cpu): void {
    if (!this.#hasItsSegments(cpu)) this.misfits++;
  }
}
