/**
 * Changed numbers: neighbours, single bits, and the values where guests and devices have their corners.
 */
import type { Prng } from '../prng.ts';

/** How far a number moves in a small step: AFL's figure. */
const STEP = 35;
/** Sizes of bytes, words, pages, segments, and the top of the 32-bit numbers. Each is met with its neighbours. */
const CORNERS = [
  0, 0x10, 0x20, 0x40, 0x80, 0x100, 0x200, 0x400, 0x800, 0x1000, 0x2000, 0x8000, 0x1_0000, 0x10_0000,
  0x8000_0000, 0xffff_f000,
] as const;

/** A value in the dictionary of numbers: a corner or beside one; 32 bits, unsigned. */
export function cornerNumber(random: Prng): number {
  return (random.pick(CORNERS) + random.below(5) - 2) >>> 0;
}

/** @param max largest value; what comes out is between 0 and it. */
export function mutateNumber(value: number, max: number, random: Prng): number {
  const room = max + 1;
  switch (random.below(5)) {
    case 0:
      return wrap(value + 1 + random.below(STEP), room);
    case 1:
      return wrap(value - 1 - random.below(STEP), room);
    case 2:
      return wrap((value ^ (1 << random.below(bitsOf(max)))) >>> 0, room);
    case 3:
      return wrap(cornerNumber(random), room);
    default:
      return random.below(room);
  }
}

const NUMBER = /(?<![\w.])(0x[0-9a-f]+|\d+)(?!\w)/gi;
const U32 = 0xffff_ffff;

/** One number of a line of text changed; null for a line that has none. Hex stays hex. */
export function mutateTextNumber(line: string, random: Prng): string | null {
  const places = [...line.matchAll(NUMBER)];
  if (places.length === 0) return null;
  const { 0: text, index } = random.pick(places);
  const value = mutateNumber(Number(text), random.oneIn(4) ? U32 : rangeOf(Number(text)), random);
  const changed = text.startsWith('0x') ? `0x${value.toString(16)}` : String(value);
  return line.slice(0, index) + changed + line.slice(index + text.length);
}

/** The bytes, words or doublewords that a number is one of. */
function rangeOf(value: number): number {
  return value <= 0xff ? 0xff : value <= 0xffff ? 0xffff : U32;
}

function bitsOf(max: number): number {
  return Math.max(1, 32 - Math.clz32(max));
}

function wrap(value: number, room: number): number {
  return ((value % room) + room) % room;
}
