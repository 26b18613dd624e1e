/**
 * Fuzzing the second engine against the interpreter: random programs on two boards (engine-twins.ts), a difference made small
 * and printed as a listing.
 */
import { disassemble, instructionLength } from '../decoder/disassemble.ts';
import {
  assembleItems,
  countBlocks,
  type EngineItem,
  type EngineProgram,
  EngineProgramMaker,
} from './engine-program.ts';
import { type EngineDifference, EngineTwins } from './engine-twins.ts';
import { Prng } from './prng.ts';

/** What has run so far. */
export interface EngineFuzzProgress {
  readonly programs: number;
  /** Basic blocks of these programs. */
  readonly blocks: number;
  readonly ticks: number;
}

/** A program that the engines run differently. */
export interface EngineFinding {
  /** Number of the program: its stream of the seed. */
  readonly index: number;
  readonly program: EngineProgram;
  readonly difference: EngineDifference;
}

/** Program `index` of a seed. */
export function engineProgram(seed: number, index: number): EngineProgram {
  return new EngineProgramMaker(new Prng(seed, index)).make();
}

/** Without item `at`; jumps still go where they went. */
function withoutItem(items: readonly EngineItem[], at: number): EngineItem[] {
  return items
    .filter((_, i) => i !== at)
    .map((item) => (item.to !== undefined && item.to > at ? { ...item, to: item.to - 1 } : item));
}

/** Simpler variants of a program. */
function* simpler(program: EngineProgram): Generator<EngineProgram> {
  for (let i = 0; i < program.items.length && program.items.length > 1; i++) {
    yield { ...program, items: withoutItem(program.items, i) };
  }
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
  if (program.pitCount !== 0) yield { ...program, pitCount: 0 };
  if (program.isPaged) yield { ...program, isPaged: false };
  if (program.aliasesCode) yield { ...program, aliasesCode: false };
  if (program.cr4 !== 0) yield { ...program, cr4: 0 };
  if (program.deniedPorts.length !== 0) yield { ...program, deniedPorts: [] };
  if (program.offset !== 0) yield { ...program, offset: 0 };
  for (const bit of [0x4_0000, 0x3000, 0x400, 0x200, 0x100, 0x8d5]) {
    if ((program.eflags & bit) !== 0) yield { ...program, eflags: program.eflags & ~bit };
  }
  for (const [i, value] of program.gpr.entries()) {
    if (value !== 0 && i !== 4) yield { ...program, gpr: program.gpr.with(i, 0) };
  }
}

/** Ends a shrinking that goes on and on. */
const MAX_TRIES = 4_000;

/** The smallest program found that still differs. New boards each time: what earlier programs left must not matter. */
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
      if (++tries % 500 === 0) machine = twins();
      if (machine.run(candidate) === null) continue;
      best = candidate;
      found = true;
      break;
    }
  }
  return best;
}

/** The program as text: state, disassembly, slices. */
export function engineProgramLines(program: EngineProgram): string[] {
  const { items, ...rest } = program;
  const is32 = program.mode === 'prot32' || program.mode === 'user32';
  const code = Uint8Array.from(assembleItems(items, is32));
  const lines = [JSON.stringify(rest)];
  const bitness = is32 ? 32 : 16;
  for (let at = 0; at < code.length; ) {
    const len = Math.max(1, instructionLength(code.subarray(at), bitness));
    const bytes = Buffer.from(code.subarray(at, at + len)).toString('hex');
    lines.push(
      `  +${at.toString(16).padStart(3, '0')}  ${bytes.padEnd(16)} ${disassemble(code.subarray(at), bitness, at)}`,
    );
    at += len;
  }
  return lines;
}

/**
 * Runs programs until `blocks` basic blocks have run, or the engines part.
 *
 * @param report told now and then.
 * @returns the first finding as it was, or null.
 */
export function fuzzEngines(
  seed: number,
  blocks: number,
  report: (progress: EngineFuzzProgress) => void = () => {},
): EngineFinding | null {
  const twins = new EngineTwins();
  let done = 0;
  for (let index = 0; done < blocks; index++) {
    const program = engineProgram(seed, index);
    const difference = twins.run(program);
    if (difference !== null) return { index, program, difference };
    done += countBlocks(program.items);
    if (index % 100 === 99) report({ programs: index + 1, blocks: done, ticks: twins.ticks });
  }
  return null;
}
