/** The decoder against iced-x86: every opcode with its ModRM bytes, every SIB byte, prefixes, and bytes that end. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LOWER_TRUNCATED, lower, MAX_INSN_LEN } from '../../../src/decoder/lower.ts';
import { Op } from '../../../src/decoder/op.ts';
import { OP_TABLE } from '../../../src/decoder/op-table.ts';
import { ESCAPE_NAME } from '../../../src/decoder/opcode-map-x87.ts';
import { allCodeNames, codeName } from '../../../src/decoder/opcode-tables.ts';
import { disagreement, PREFIX_BYTES } from './agreement.ts';

const OPERAND_SIZE = 0x66;
const ADDRESS_SIZE = 0x67;

const PREFIX_SETS: readonly (readonly number[])[] = [
  [OPERAND_SIZE],
  [ADDRESS_SIZE],
  [OPERAND_SIZE, ADDRESS_SIZE],
  [0xf2],
  [0xf3],
  [0xf0],
  [0x2e],
  [0x64],
  [0xf3, OPERAND_SIZE],
  [OPERAND_SIZE, 0xf3],
  [OPERAND_SIZE, 0xf2],
  [0xf2, 0xf3],
  [0xf3, 0xf2],
  [0x26, 0x65, 0x36],
  [0xf0, OPERAND_SIZE],
];

/** Opcode bytes in front of every map; the last two are VEX with its opcode map 2. */
const MAPS: readonly (readonly number[])[] = [
  [],
  [0x0f],
  [0x0f, 0x38],
  [0x0f, 0x3a],
  [0xc4, 0xe2, 0x78],
  [0xc4, 0xe2, 0x50],
];

const ALL_BYTES = Array.from({ length: 0x100 }, (_, i) => i);
/** Looks like no prefix and no opcode; differs at each place. */
const TAIL = [0x24, 0x81, 0x12, 0x93, 0x34, 0xa5, 0x56, 0xc7, 0x78, 0xe9, 0x1a, 0x8b, 0x3c];

const whole = (...bytes: readonly number[]): Uint8Array =>
  Uint8Array.from([...bytes, ...TAIL]).subarray(0, MAX_INSN_LEN);

/** The first few of what does not agree. */
function disagreements(cases: Iterable<Uint8Array>, is32: boolean): string[] {
  const found: string[] = [];
  for (const bytes of cases) {
    const text = disagreement(bytes, is32);
    if (text !== null && found.push(text) === 5) break;
  }
  return found;
}

/** Steps from one ModRM byte to the next, by the number of bytes of the map: all registers and ways of addressing come. */
const STEPS = [1, 3, 9, 9];

function* everyModrm(map: readonly number[]): Generator<Uint8Array> {
  for (const opcode of ALL_BYTES) {
    for (let modrm = 0; modrm < 0x100; modrm += STEPS[map.length] ?? 1) {
      yield whole(...map, opcode, modrm);
      yield whole(...(PREFIX_SETS[(opcode + modrm) % PREFIX_SETS.length] ?? []), ...map, opcode, modrm);
    }
  }
}

function* everySib(): Generator<Uint8Array> {
  for (const prefixes of [[], [ADDRESS_SIZE], [0x65], [ADDRESS_SIZE, 0x2e]]) {
    for (const opcode of [0x8b, 0x00, 0xff, 0xd9])
      for (const mod of [0x04, 0x44, 0x84])
        for (const sib of ALL_BYTES) yield whole(...prefixes, opcode, mod, sib);
  }
}

/** Every proper beginning of instructions that the table has. */
function* beginnings(is32: boolean): Generator<Uint8Array> {
  for (const map of MAPS) {
    for (const opcode of ALL_BYTES) {
      for (const modrm of [0x06, 0x44, 0x84, 0x8f, 0xc1, 0xd1, 0xf8]) {
        for (const prefixes of [[], [OPERAND_SIZE], [ADDRESS_SIZE], [0xf3]]) {
          const bytes = whole(...prefixes, ...map, opcode, modrm);
          const insn = lower(bytes, bytes.length, is32 ? 1 : 0);
          if (insn === LOWER_TRUNCATED || insn.op === Op.Undefined) continue;
          for (let n = 1; n < insn.len; n++) yield bytes.subarray(0, n);
        }
      }
    }
  }
}

/** Instructions with so many prefixes that they end before, at and behind byte 15. */
function* prefixRuns(): Generator<Uint8Array> {
  const tails = [
    [0x90],
    [0xe4, 0x10],
    [0x81, 0x06, 1, 2, 3, 4],
    [0x0f, 0x1f, 0x84, 1, 2, 3, 4, 5],
    [0x0f, 0xff],
    [0x66],
  ];
  for (const tail of tails) {
    for (const prefix of PREFIX_BYTES) {
      for (let n = MAX_INSN_LEN - tail.length - 1; n <= MAX_INSN_LEN; n++) {
        yield Uint8Array.from([...new Array<number>(n).fill(prefix), ...tail]);
      }
    }
  }
}

describe.each([false, true])('the decoder and iced-x86 agree (CS.D = %s)', (is32) => {
  it.each(MAPS.map((map) => [map.map((byte) => byte.toString(16)).join(' '), map] as const))(
    'on every opcode behind “%s” with ModRM bytes of every kind',
    (_, map) => expect(disagreements(everyModrm(map), is32)).toEqual([]),
  );

  it('on every SIB byte', () => expect(disagreements(everySib(), is32)).toEqual([]));

  it('on bytes that end inside an instruction', () => {
    const complete = [...beginnings(is32)].filter(
      (bytes) => lower(bytes, bytes.length, is32 ? 1 : 0) !== LOWER_TRUNCATED,
    );
    expect(complete).toEqual([]);
    expect(disagreements(beginnings(is32), is32)).toEqual([]);
  });

  it('on what ends around byte 15', () => expect(disagreements(prefixRuns(), is32)).toEqual([]));

  it('on random bytes', () => {
    const byte = fc.oneof(
      fc.integer({ min: 0, max: 255 }),
      fc.constantFrom(...PREFIX_BYTES, 0x0f, 0xc4, 0xe2, 0xff),
    );
    fc.assert(
      fc.property(fc.array(byte, { minLength: 1, maxLength: 18 }), (list) => {
        expect(disagreement(Uint8Array.from(list), is32)).toBeNull();
      }),
      { numRuns: Number(process.env.FUZZ_RUNS ?? 5000), examples: [[[0xc4, 0xe0, 0x00, 0x77]]] },
    );
  });
});

describe('undefined encodings', () => {
  it.each([
    ['ff /7', [0xff, 0xbf, 0x34, 0x12]],
    ['c6 /1', [0xc6, 0x0f, 0x01]],
    ['unpcklps with F3', [0xf3, 0x0f, 0x14, 0x06, 0x34, 0x12]],
    ['a blank of 0F 3A', [0x0f, 0x3a, 0x00, 0xc0, 0x01]],
  ])('are fetched whole: %s', (_, bytes) => {
    const all = Uint8Array.from(bytes);
    expect(lower(all, all.length, 0)).toMatchObject({ op: Op.Undefined, len: bytes.length });
    for (let n = 1; n < bytes.length; n++) expect(lower(all, n, 0)).toBe(LOWER_TRUNCATED);
    const prefixes = new Array<number>(MAX_INSN_LEN + 1 - bytes.length).fill(0x2e);
    const long = Uint8Array.from([...prefixes, ...bytes]);
    expect(lower(long, MAX_INSN_LEN, 0)?.op).toBe(Op.TooLong);
  });
});

describe('the opcode maps', () => {
  it('name nothing but what the operation table has, and the x87 escapes', () => {
    const rows = new Set(
      OP_TABLE.flatMap(({ name, forms }) => forms.split(' ').map((f) => (f === '-' ? name : `${name}_${f}`))),
    );
    expect(allCodeNames().filter((name) => !rows.has(name) && !name.startsWith(ESCAPE_NAME))).toEqual([]);
  });

  it('number each name once', () => {
    const names = allCodeNames();
    expect(new Set(names).size).toBe(names.length);
    expect(names.map((_, n) => codeName(n + 1))).toEqual(names);
  });
});
