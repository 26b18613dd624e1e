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

/** Without items `at … at+count−1`; jumps and starts still go where they went. */
function withoutItems(program: EngineProgram, at: number, count: number): EngineProgram {
  const moved = (to: number): number => (to >= at + count ? to - count : Math.min(to, at));
  const left = program.items.filter((_, i) => i < at || i >= at + count);
  const items: EngineItem[] = left.map((item) =>
    item.to === undefined ? item : { ...item, to: moved(item.to) },
  );
  return { ...program, items, starts: program.starts.map(moved) };
}

/** Simpler variants of a program. */
function* simpler(program: EngineProgram): Generator<EngineProgram> {
  const { starts, items } = program;
  for (let i = 0; i < starts.length && starts.length > 1; i++) yield { ...program, starts: [starts[i]] };
  for (let i = 0; i < starts.length && starts.length > 1; i++) {
    yield { ...program, starts: starts.filter((_, n) => n !== i) };
  }
  for (let count = items.length >> 1; count >= 1; count >>= 1) {
    for (let i = 0; i + count <= items.length && items.length > count; i += count)
      yield withoutItems(program, i, count);
  }
  yield* simplerSlices(program);
  yield* simplerState(program);
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

/** The smallest program found that still differs. */
export function shrinkEngineProgram(
  program: EngineProgram,
  twins: () => EngineTwins = () => new EngineTwins(),
  maxTries = MAX_TRIES,
): EngineProgram {
  let best = program;
  let machine = twins();
  let tries = 0;
  for (let found = true; found && tries < maxTries; ) {
    found = false;
    for (const candidate of simpler(best)) {
      if (tries >= maxTries) break;
      if (++tries % TRIES_A_BOARD === 0) machine = twins();
      if (machine.run(candidate) === null) continue;
      best = candidate;
      found = true;
      break;
    }
  }
  return best;
}
