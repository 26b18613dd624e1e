/**
 * Two boards for one program: one interprets, the other generates code for what it meets. After every slice the two are the same.
 */
import type { BoardEnd } from '../../boards/board.ts';
import { boardDifferences, registersAreEqual } from '../../boards/differences.ts';
import { CODE } from '../random-code-layout.ts';
import { EnteredBlocks } from './entered-blocks.ts';
import { assembleItems, itemOffsets } from './items.ts';
import { type EngineProgram, is32Bit } from './program.ts';
import { Twin } from './twin.ts';

/** A page is given up only when a program changes itself over and over. */
const MAX_DEATHS = 12;

/** How often all of memory is compared. */
const FULL_LOOK_EVERY = 32;

/** Where two engines part. */
export interface EngineDifference {
  /** Ticks from the start of the program, at the end of the slice. */
  readonly ticks: number;
  readonly lines: readonly string[];
}

/** What has run on both boards, and was the same. */
export interface EngineCounts {
  /** Basic blocks that generated code has entered, each once a program. */
  blocks: number;
  /** Functions generated. */
  functions: number;
  /** On one of the boards. */
  ticks: number;
}

function endText(end: BoardEnd): string {
  return JSON.stringify(end);
}

function headsOf({ heads, starts, items }: EngineProgram, offsets: readonly number[]): readonly number[] {
  if (heads === 'none') return [];
  return heads === 'items' ? offsets.slice(0, -1) : starts.map((item) => offsets[item % items.length]);
}

/** A few short calls, and a nap that ends while the program still runs. */
const MAX_DEBT = 100;
const NAP_TICKS = 600;

/** Runs programs on both. */
export class EngineTwins {
  readonly #interpreted = new Twin();
  readonly #generated = new Twin();
  readonly #blocks = new EnteredBlocks();
  readonly counts: EngineCounts = { blocks: 0, functions: 0, ticks: 0 };
  #programs = 0;

  /** Runs one program. @returns where the engines part, or null. */
  run(program: EngineProgram): EngineDifference | null {
    const is32 = is32Bit(program);
    const code = Uint8Array.from(assembleItems(program.items, is32));
    const offsets = itemOffsets(program.items, is32);
    this.#interpreted.load(program, code);
    this.#generated.load(program, code);
    const { maxInsns, threshold } = program;
    // In a quarter of the programs heads rest now and then: told by a register, so that a program alone does the same.
    const rests = (program.gpr[1] & 3) === 0;
    const jit = this.#generated.generate({
      maxInsns,
      threshold,
      ...(rests ? { maxDebt: MAX_DEBT, napTicks: NAP_TICKS } : {}),
      maxDeaths: MAX_DEATHS,
      maxFunctions: Number.POSITIVE_INFINITY,
      witness: this.#blocks,
    });
    const { clock } = this.#interpreted.board.vm;
    const begin = clock.ticks;
    for (const [i, item] of program.starts.entries()) {
      const at = offsets[item % program.items.length];
      // What has run is not started once more: the time is better spent on what has not.
      if (this.#blocks.has(CODE + program.offset + at)) continue;
      this.#interpreted.start(program, at);
      this.#generated.start(program, at);
      if (i === 0) this.#generated.offerHeads(program, headsOf(program, offsets));
      const difference = this.#runSlices(program.slices, begin);
      if (difference !== null) return difference;
    }
    const a = this.#interpreted.board;
    const b = this.#generated.board;
    // All of memory now and then: a store that nobody has noticed is in no list of written pages.
    const pages = ++this.#programs % FULL_LOOK_EVERY === 0 ? null : this.#writtenPages();
    if (boardDifferences(a, b, pages, 1).length !== 0) return this.#difference(begin);
    this.counts.ticks += clock.ticks - begin;
    this.counts.blocks += this.#blocks.take();
    this.counts.functions += jit.functions;
    return null;
  }

  /** Runs from a start on. @returns where the engines part, or null. */
  #runSlices(slices: readonly number[], begin: number): EngineDifference | null {
    const a = this.#interpreted.board;
    const b = this.#generated.board;
    for (const slice of slices) {
      const first = a.run(slice);
      const second = this.#runGenerated(slice);
      if (typeof second === 'string') return { ticks: a.vm.clock.ticks - begin, lines: [second] };
      const isSameEnd = first === second || endText(first) === endText(second);
      if (!isSameEnd || !registersAreEqual(a, b)) return this.#difference(begin, first, second);
      if (first.kind !== 'slice') break;
    }
    return null;
  }

  /** @returns the end, or what was thrown: nothing may be. */
  #runGenerated(ticks: number): BoardEnd | string {
    try {
      return this.#generated.board.run(ticks);
    } catch (error) {
      return `generated code has thrown: ${String(error)}`;
    }
  }

  #writtenPages(): Set<number> {
    return new Set([...this.#interpreted.writtenPages, ...this.#generated.writtenPages]);
  }

  #difference(begin: number, first?: BoardEnd, second?: BoardEnd): EngineDifference {
    this.#blocks.take();
    const a = this.#interpreted.board;
    const lines = boardDifferences(a, this.#generated.board).map(
      ({ what, first: one, second: other }) => `${what}: ${one} interpreted, ${other} generated`,
    );
    if (first !== undefined && second !== undefined && endText(first) !== endText(second)) {
      lines.unshift(`end: ${endText(first)} interpreted, ${endText(second)} generated`);
    }
    return { ticks: a.vm.clock.ticks - begin, lines };
  }
}
