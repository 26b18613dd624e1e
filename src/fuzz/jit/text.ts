/**
 * A program of target `jit` as text that people can read and `pio86 fuzz jit --replay FILE` can run: its state in one line of JSON,
 * then an item a line with its disassembly as a comment.
 */
import { disassemble } from '../../decoder/disassemble.ts';
import { EmulatorError } from '../../errors.ts';
import { assembleItems, type EngineItem, itemOffsets } from './items.ts';
import { ENGINE_HEADS, ENGINE_MODES, type EngineProgram, is32Bit } from './program.ts';

const TARGET = 'jit';
/** Bytes of an item without its displacement, items of a program, starts and slices, ticks of a slice: more than any run makes. */
const MAX_BYTES = 15;
const MAX_ITEMS = 1000;
const MAX_LIST = 1000;
const MAX_TICKS = 100_000;
const U32 = 0xffff_ffff;
const PAGE_SIZE = 4096;

/** The lines of a reproducer. `seed` and `run` say where it came from. */
export function programToText(program: EngineProgram, seed: number, run: number): string[] {
  const { items, ...state } = program;
  const is32 = is32Bit(program);
  const code = Uint8Array.from(assembleItems(items, is32));
  const offsets = itemOffsets(items, is32);
  const lines = [
    `# replay with: pio86 fuzz ${TARGET} --replay FILE`,
    `target=${TARGET}`,
    `seed=${seed}`,
    `run=${run}`,
    `state=${JSON.stringify(state)}`,
  ];
  for (const [i, { bytes, to }] of items.entries()) {
    const hex = bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    lines.push(`item=${hex}${to === undefined ? '' : ` to ${to}`}`);
    lines.push(`#    ${i}: ${disassemble(code.subarray(offsets[i]), is32 ? 32 : 16, offsets[i])}`);
  }
  return lines;
}

/** Reads a reproducer. @throws EmulatorError `E_ARGUMENT` that says what is wrong. */
export function programFromText(text: string): EngineProgram {
  const lines = text.split('\n').map((line) => line.trim());
  if (!lines.includes(`target=${TARGET}`)) throw bad(`target=${TARGET} is missing`);
  const items = lines.filter((line) => line.startsWith('item=')).map(parseItem);
  if (items.length === 0 || items.length > MAX_ITEMS) throw bad(`a program has 1 to ${MAX_ITEMS} items`);
  const state = parseState(lines.find((line) => line.startsWith('state=')) ?? '');
  return { ...state, items };
}

function parseItem(line: string): EngineItem {
  const match = /^item=((?:[0-9a-f]{2} ?){1,15})(?: ?to (\d{1,4}))?$/.exec(line);
  if (match === null) throw bad(`"${line.slice(0, 60)}" is not item=BYTES [to ITEM]`);
  const bytes = match[1]
    .trim()
    .split(/ +/)
    .map((byte) => Number.parseInt(byte, 16));
  if (bytes.length > MAX_BYTES) throw bad(`an item has at most ${MAX_BYTES} bytes`);
  return match[2] === undefined ? { bytes } : { bytes, to: Number(match[2]) };
}

function parseState(line: string): Omit<EngineProgram, 'items'> {
  const value = record(line.slice('state='.length));
  return {
    mode: choice(value, 'mode', ENGINE_MODES),
    isPaged: flag(value, 'isPaged'),
    offset: number(value, 'offset', 0, PAGE_SIZE - 1),
    gpr: list(value, 'gpr', -0x8000_0000, U32, 8, 8),
    eflags: number(value, 'eflags', 0, U32),
    cr4: number(value, 'cr4', 0, U32),
    pitCount: number(value, 'pitCount', 0, 0xffff),
    deniedPorts: list(value, 'deniedPorts', 0, 0x1fff, 0, MAX_LIST),
    aliasesCode: flag(value, 'aliasesCode'),
    starts: list(value, 'starts', 0, MAX_ITEMS, 1, MAX_LIST),
    slices: list(value, 'slices', 1, MAX_TICKS, 1, MAX_LIST),
    maxInsns: number(value, 'maxInsns', 1, 1000),
    threshold: number(value, 'threshold', 1, 1000),
    heads: choice(value, 'heads', ENGINE_HEADS),
  };
}

function record(json: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw bad('state= needs an object in JSON');
}

function isInteger(value: unknown, min: number, max: number): value is number {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
}

function number(state: Record<string, unknown>, name: string, min: number, max: number): number {
  const value = state[name];
  if (!isInteger(value, min, max)) throw bad(`state: ${name} needs a number from ${min} to ${max}`);
  return value;
}

function list(
  state: Record<string, unknown>,
  name: string,
  min: number,
  max: number,
  minLength: number,
  maxLength: number,
): number[] {
  const value = state[name];
  const isGood =
    Array.isArray(value) &&
    value.length >= minLength &&
    value.length <= maxLength &&
    value.every((element) => isInteger(element, min, max));
  if (!isGood) throw bad(`state: ${name} needs ${minLength} to ${maxLength} numbers from ${min} to ${max}`);
  return value as number[];
}

function flag(state: Record<string, unknown>, name: string): boolean {
  const value = state[name];
  if (typeof value !== 'boolean') throw bad(`state: ${name} needs true or false`);
  return value;
}

function choice<T extends string>(state: Record<string, unknown>, name: string, choices: readonly T[]): T {
  const value = choices.find((known) => known === state[name]);
  if (value === undefined) throw bad(`state: ${name} needs one of ${choices.join(', ')}`);
  return value;
}

function bad(what: string): EmulatorError {
  return new EmulatorError('E_ARGUMENT', what);
}
