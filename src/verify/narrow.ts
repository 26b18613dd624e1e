/**
 * From “the boards differ after n ticks” to the first tick after which they do, and the instructions before it.
 *
 * Generated code is entered only with ticks enough for its next stretch, so a short run may be interpreted to its end on both boards:
 * the smallest run that differs ends some instructions behind the culprit. The report shows the way there.
 */
import type { Board } from '../boards/board.ts';
import { boardDifferences, type Difference, registersAreEqual } from '../boards/differences.ts';
import { disassemble, instructionLength } from '../decoder/disassemble.ts';
import { MAX_INSN_LEN } from '../decoder/lower.ts';

/** Two boards that can be taken back to where they were the same. */
export interface BoardPair {
  readonly first: Board;
  readonly second: Board;
  restore(): void;
  /** How they differ now. */
  differences(): Difference[];
}

/** One instruction on the way. */
export interface PathStep {
  /** `07c0:0012` */
  readonly where: string;
  readonly bytes: string;
  readonly text: string;
}

/** What is known of a difference. */
export interface Narrowed {
  readonly differences: readonly Difference[];
  /** The instructions before it, the last one at the end. */
  readonly path: readonly PathStep[];
  /** Ticks from the last place where the boards were the same. */
  readonly ticks: number;
  /** The last instruction alone differs. */
  readonly isOne: boolean;
}

/** Instructions shown before a difference that is not one instruction's. */
const PATH_LENGTH = 24;

const hex = (value: number, digits: number): string => (value >>> 0).toString(16).padStart(digits, '0');

/** The instruction that `board` is at. */
export function stepOf(board: Board): PathStep {
  const { cs } = board.vcpu.getSregs();
  const { eip } = board.vcpu.getRegs();
  const { cpu } = board.vcpu;
  const bitness = cs.db !== 0 ? 32 : 16;
  const bytes = new Uint8Array(MAX_INSN_LEN);
  let known = 0;
  // What paging maps where is the decoder's business: the page of the instruction is known once it was fetched.
  const page = cpu.window.len !== 0 ? cpu.window.page * 0x1000 : null;
  const linear = (cs.base + eip) >>> 0;
  for (; known < MAX_INSN_LEN; known++) {
    const at = (linear & 0xfff) + known;
    const pa = page === null ? linear + known : page + at;
    const byte = page !== null && at > 0xfff ? -1 : board.vm.memory.readByte(pa);
    if (byte < 0) break;
    bytes[known] = byte;
  }
  const len = known === 0 ? 0 : instructionLength(bytes.subarray(0, known), bitness);
  return {
    where: `${hex(cs.selector, 4)}:${hex(eip, bitness === 32 ? 8 : 4)}`,
    bytes: [...bytes.subarray(0, Math.max(len, 1))].map((byte) => hex(byte, 2)).join(' '),
    text: len === 0 ? '(unknown)' : disassemble(bytes.subarray(0, known), bitness, eip),
  };
}

/** Whether the boards differ when both have run `ticks` from where they were the same. */
function differAfter(pair: BoardPair, ticks: number): boolean {
  pair.restore();
  pair.first.run(ticks);
  pair.second.run(ticks);
  return pair.differences().length !== 0;
}

/** The fewest ticks, at most `ticks`, after which the boards differ; null when they do not in one piece. */
function firstDifference(pair: BoardPair, ticks: number): number | null {
  if (!differAfter(pair, ticks)) return null;
  let equal = 0;
  let differs = ticks;
  while (differs - equal > 1) {
    const middle = Math.floor((equal + differs) / 2);
    if (differAfter(pair, middle)) differs = middle;
    else equal = middle;
  }
  return differs;
}

/** Instructions that the interpreting board executes in ticks `from … to−1`, and leaves it behind the last of them. */
function pathOf(pair: BoardPair, from: number, to: number): PathStep[] {
  pair.restore();
  if (from > 0) pair.first.run(from);
  const path: PathStep[] = [];
  for (let tick = from; tick < to; tick++) {
    path.push(stepOf(pair.first));
    pair.first.run(1);
  }
  return path;
}

/**
 * Runs the interpreting board against one whose every instruction is a function of its own, tick by tick over the stretch that is
 * known to hold the culprit. @returns the instruction, or null when each alone does what it should.
 */
function oneInstruction(pair: BoardPair, single: Board, ticks: number): Narrowed | null {
  const from = Math.max(0, ticks - 2000);
  pair.restore();
  if (from > 0) {
    pair.first.run(from);
    single.run(from);
  }
  for (let tick = from; tick < ticks; tick++) {
    if (!registersAreEqual(pair.first, single)) return null;
    const step = stepOf(pair.first);
    pair.first.run(1);
    single.run(1);
    if (registersAreEqual(pair.first, single)) continue;
    const differences = boardDifferences(pair.first, single, []);
    return { differences, path: [step], ticks: tick + 1, isOne: true };
  }
  return null;
}

/**
 * Narrows a difference.
 *
 * @param ticks the boards differ when run so far, in slices.
 * @param single makes a board that stands where the pair was the same, with functions of one instruction.
 * @returns null when the difference does not come back.
 */
export function narrow(pair: BoardPair, ticks: number, single: () => Board): Narrowed | null {
  const first = firstDifference(pair, ticks);
  if (first === null) return null;
  const one = oneInstruction(pair, single(), first);
  if (one !== null) return one;
  const path = pathOf(pair, Math.max(0, first - PATH_LENGTH), first);
  if (!differAfter(pair, first)) return null;
  return { differences: pair.differences(), path, ticks: first, isOne: false };
}
