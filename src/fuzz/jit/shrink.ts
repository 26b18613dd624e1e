/**
 * Makes a program on which the two engines differ small (twins.ts): fewer items, starts and slices, plainer state.
 */
import type { EngineItem } from './items.ts';
import type { EngineProgram } from './program.ts';
import { EngineTwins } from './twins.ts';

/** Ends a shrinking that goes on and on. */
const MAX_TRIES = 4_000;
/** New boards after so many tries: what earlier programs left must not matter. */
const TRIES_A_BOARD = 500;
const NOP = 0x90;

/** Without items `at … at+count−1`; jumps and starts still go where they went. */
function withoutItems(program: EngineProgram, at: number, count: number): EngineProgram {
  const moved = (to: number): number => (to >= at + count ? to - count : Math.min(to, at));
  const left = program.items.filter((_, i) => i < at || i >= at + count);
  const items: EngineItem[] = left.map((item) =>
    item.to === undefined ? item : { ...item, to: moved(item.to) },
  );
  return { ...program, items, starts: program.starts.map(moved) };
}

function* simplerSlices(program: EngineProgram): Generator<EngineProgram> {
  const { slices } = program;
  for (let i = 0; i < slices.length && slices.length > 1; i++) {
    yield { ...program, slices: slices.filter((_, n) => n !== i) };
  }
  if (slices.length > 1) yield { ...program, slices: [slices.reduce((a, b) => a + b)] };
  for (const [i, slice] of slices.entries()) {
    for (const by of [slice >> 1, 8, 1]) {
      if (by > 0 && slice > by) yield { ...program, slices: slices.with(i, slice - by) };
    }
  }
}

function* simplerState(program: EngineProgram): Generator<EngineProgram> {
  if (program.pitCount !== 0) yield { ...program, pitCount: 0 };
  if (program.isPaged) yield { ...program, isPaged: false };
  if (program.aliasesCode) yield { ...program, aliasesCode: false };
  if (program.cr4 !== 0) yield { ...program, cr4: 0 };
  if (program.deniedPorts.length !== 0) yield { ...program, deniedPorts: [] };
  if (program.offset !== 0) yield { ...program, offset: 0 };
  if (program.maxInsns > 1) yield { ...program, maxInsns: 1 };
  if (program.heads !== 'none') yield { ...program, heads: 'none' };
  for (const bit of [0x4_0000, 0x3000, 0x400, 0x200, 0x100, 0x8d5]) {
    if ((program.eflags & bit) !== 0) yield { ...program, eflags: program.eflags & ~bit };
  }
  for (const [i, value] of program.gpr.entries()) {
    if (value !== 0 && i !== 4) yield { ...program, gpr: program.gpr.with(i, 0) };
  }
}

/** Tries candidates until there have been too many. */
class Shrinker {
  best: EngineProgram;
  readonly #twins: () => EngineTwins;
  readonly #maxTries: number;
  #machine: EngineTwins;
  #tries = 0;

  constructor(program: EngineProgram, twins: () => EngineTwins, maxTries: number) {
    this.best = program;
    this.#twins = twins;
    this.#maxTries = maxTries;
    this.#machine = twins();
  }

  get isOver(): boolean {
    return this.#tries >= this.#maxTries;
  }

  /** @returns whether the candidate still differs; then it is the best. */
  accepts(candidate: EngineProgram): boolean {
    if (this.isOver) return false;
    if (++this.#tries % TRIES_A_BOARD === 0) this.#machine = this.#twins();
    if (this.#machine.run(candidate) === null) return false;
    this.best = candidate;
    return true;
  }

  /** Takes out runs, half of all first. @returns whether one could be. */
  takeOut(length: () => number, without: (at: number, count: number) => EngineProgram): boolean {
    let found = false;
    for (let count = length() >> 1; count >= 1; count >>= 1) {
      for (let at = 0; at + count <= length() && length() > count && !this.isOver; ) {
        if (this.accepts(without(at, count))) found = true;
        else at += count;
      }
    }
    return found;
  }

  /** Items whose absence moves others too much become as many NOPs. */
  blankOut(): boolean {
    let found = false;
    for (const [i, { bytes, to }] of this.best.items.entries()) {
      if (bytes.every((byte) => byte === NOP)) continue;
      const nops = Array.from({ length: bytes.length + (to === undefined ? 0 : 1) }, () => NOP);
      if (this.accepts({ ...this.best, items: this.best.items.with(i, { bytes: nops }) })) found = true;
    }
    return found;
  }

  /** Takes the first of the variants that differs, again and again. */
  simplify(variants: (program: EngineProgram) => Iterable<EngineProgram>): boolean {
    let found = false;
    for (let goesOn = true; goesOn && !this.isOver; ) {
      goesOn = false;
      for (const candidate of variants(this.best)) {
        if (!this.accepts(candidate)) continue;
        found = true;
        goesOn = true;
        break;
      }
    }
    return found;
  }
}

/** The smallest program found that still differs. */
export function shrinkEngineProgram(
  program: EngineProgram,
  twins: () => EngineTwins = () => new EngineTwins(),
  maxTries = MAX_TRIES,
): EngineProgram {
  const shrinker = new Shrinker(program, twins, maxTries);
  for (let found = true; found && !shrinker.isOver; ) {
    found = shrinker.takeOut(
      () => shrinker.best.starts.length,
      (at, count) => ({ ...shrinker.best, starts: shrinker.best.starts.toSpliced(at, count) }),
    );
    found =
      shrinker.takeOut(
        () => shrinker.best.items.length,
        (at, count) => withoutItems(shrinker.best, at, count),
      ) || found;
    found = shrinker.blankOut() || found;
    found = shrinker.simplify(simplerSlices) || found;
    found = shrinker.simplify(simplerState) || found;
  }
  return shrinker.best;
}
