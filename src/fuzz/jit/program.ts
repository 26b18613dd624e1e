/**
 * Random programs for two engines (twins.ts), in every mode a board can be in.
 *
 * A program is a list of items, so that it can be made smaller by leaving items out; jumps name items, not addresses. It is started at
 * several of them, one after the other, so that nearly all of it runs whatever its jumps and faults do.
 */
import type { Prng } from '../prng.ts';
import { type EngineItem, ItemMaker, leadersOf } from './items.ts';

/** Modes in which programs start. `user32` is level 3. */
export const ENGINE_MODES = ['real', 'prot16', 'prot32', 'user32', 'v86'] as const;
/** One of {@link ENGINE_MODES}. */
export type EngineMode = (typeof ENGINE_MODES)[number];

/** Which items are heads (cpu/generated-code.ts) before they are met: none, those that the program is started at, all. */
export const ENGINE_HEADS = ['none', 'starts', 'items'] as const;
/** One of {@link ENGINE_HEADS}. */
export type EngineHeads = (typeof ENGINE_HEADS)[number];

/** One program, and how it starts and is run. */
export interface EngineProgram {
  readonly mode: EngineMode;
  readonly isPaged: boolean;
  readonly items: readonly EngineItem[];
  /** Where the code begins, from the code segment's page on. */
  readonly offset: number;
  readonly gpr: readonly number[];
  readonly eflags: number;
  readonly cr4: number;
  /** Count of PIT channel 0 (mode 2), whose interrupts arrive; 0: it stands still. */
  readonly pitCount: number;
  /** Bytes of the TSS's I/O bitmap that are set. */
  readonly deniedPorts: readonly number[];
  /** What the page that most pointers hit is a name of, with paging. */
  readonly aliasesCode: boolean;
  /** Items at which it is started, one after the other, if they have not run as generated code by then; registers and flags are as above. */
  readonly starts: readonly number[];
  /** Ticks of each run behind a start. */
  readonly slices: readonly number[];
  /** Instructions of one generated function. */
  readonly maxInsns: number;
  /** At which visit code is generated. */
  readonly threshold: number;
  /** Where functions may begin from the first visit on, besides where jumps backwards and other functions lead to. */
  readonly heads: EngineHeads;
}

const MAX_ITEMS = 36;
const MAX_ITEMS_LONG = 400;
const MAX_TICKS = 700;
const IOPL3 = 0x3000;
const SYSTEM_OFFSETS = [0, 0, 0x400, 0x7f0, 0xf80, 0xfc0, 0xfe8, 0xff4];
const CR4_VALUES = [0, 0, 0x10, 0x80, 0x03, 0x08];
/** V8 needs about as long for one function of 200 instructions as for 60 of three. */
const MAX_INSNS = [200, 24, 12, 8];

/** Whether the program's code has 32-bit operands and addresses. */
export function is32Bit({ mode }: EngineProgram): boolean {
  return mode === 'prot32' || mode === 'user32';
}

/** Makes one program. The same stream gives the same one. */
export function makeEngineProgram(random: Prng): EngineProgram {
  const mode = random.pick(ENGINE_MODES);
  const is32 = mode === 'prot32' || mode === 'user32';
  const maxInsns = random.oneIn(8) ? random.pick(MAX_INSNS) : 2 + random.below(7);
  const isLong = maxInsns <= 10 && !random.oneIn(4);
  const count = isLong
    ? MAX_ITEMS + random.below(MAX_ITEMS_LONG - MAX_ITEMS)
    : 3 + random.below(MAX_ITEMS - 3);
  const offset = random.pick(SYSTEM_OFFSETS);
  const maker = new ItemMaker(random, is32, offset);
  const items = Array.from({ length: count }, (_, i) => maker.item(i, count));
  // Nearly all go round: the last jumps back.
  items.push({ bytes: random.oneIn(2) ? [0xe2] : [0xeb], to: Math.max(0, count - 1 - random.below(24)) });
  return {
    mode,
    isPaged: mode !== 'real' && random.oneIn(2),
    items,
    offset,
    gpr: Array.from({ length: 8 }, (_, n) => maker.register(n)),
    eflags: randomEflags(random),
    cr4: random.pick(CR4_VALUES),
    pitCount: random.oneIn(3) ? 0 : 200 + random.below(600),
    deniedPorts: random.oneIn(3) ? [random.below(0x10), random.below(0x80)] : [],
    aliasesCode: random.oneIn(4),
    ...randomRun(random, leadersOf(items)),
    maxInsns,
    threshold: random.oneIn(4) ? 2 : 1,
    heads: maxInsns <= 10 ? 'items' : random.oneIn(4) ? 'none' : 'starts',
  };
}

/** Few starts with many ticks or in many slices, or many starts with few ticks. */
function randomRun(random: Prng, leaders: readonly number[]): Pick<EngineProgram, 'starts' | 'slices'> {
  if (random.oneIn(8)) {
    const isFine = random.oneIn(2);
    const slices = Array.from(
      { length: isFine ? 40 : 1 + random.below(4) },
      () => 1 + random.below(isFine ? 30 : MAX_TICKS),
    );
    return { starts: [0], slices };
  }
  return {
    starts: leaders.filter((item) => item === 0 || !random.oneIn(4)),
    slices: Array.from({ length: 1 + random.below(2) }, () => 1 + random.below(90)),
  };
}

function randomEflags(random: Prng): number {
  const tf = random.oneIn(40) ? 0x100 : 0;
  const iopl = random.oneIn(2) ? IOPL3 : 0;
  const ac = random.oneIn(16) ? 0x4_0000 : 0;
  const df = random.oneIn(8) ? 0x400 : 0;
  const intr = random.oneIn(3) ? 0 : 0x200;
  return (random.next() & 0x8d5) | df | intr | tf | iopl | ac | 2;
}
