/** Bytes → Insn: prefixes, lengths, what is undefined, and the rules of LOCK. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  Insn,
  NO_NEXT,
  NO_TARGET,
  NOWHERE,
  REP_F2,
  REP_F3,
  REP_NONE,
  SEG_CS,
  SEG_DS,
  SEG_ES,
  SEG_FS,
} from '../../../src/decoder/insn.ts';
import { LOWER_TRUNCATED, lower, MAX_INSN_LEN, supportedCodes } from '../../../src/decoder/lower.ts';
import { HOT_OPS, OP_COUNT, Op } from '../../../src/decoder/op.ts';
import { hex } from '../cpu/driver.ts';

const FIFTEEN = new Array<number>(MAX_INSN_LEN).fill(0);
const NAME = new Map<number, string>(Object.entries(Op).map(([name, op]) => [op, name]));

/** Lowers with zeros behind, as in memory. */
function decode(code: string, is32 = 0): Insn {
  const bytes = Uint8Array.from([...hex(code), ...FIFTEEN]);
  const insn = lower(bytes, MAX_INSN_LEN, is32);
  if (insn === null) throw new Error(`${code}: truncated`);
  return insn;
}

const nameOf = (insn: Insn): string => NAME.get(insn.op) ?? '?';

describe('lower', () => {
  it.each([
    'd6',
    '82 c0 01',
    'f1',
    'f6 c8 01',
    'f7 c8 01 00',
    'c0 f0 01',
    'd1 f0',
    'd3 37',
    '8f c0',
    'c6 c0 01',
    'c7 07 01 00',
    '0f 1f 07',
    '0f 18 0f',
    '0f 0d 0f',
    '0f 1e fa',
    'f3 0f 1e fa',
  ])('knows the odd encoding %s', (code) => {
    const insn = decode(code);
    expect(nameOf(insn)).not.toBe('Undefined');
    expect(insn.len).toBe(hex(code).length);
  });

  it.each([
    ['0f 0b', 'ud2'],
    ['0f ff c0', 'ud0'],
    ['0f b9 c0', 'ud1'],
    ['8f c8', 'pop /1'],
    ['8f 0f', 'pop /1 with memory'],
    ['c6 cf 01', 'mov /1'],
    ['c7 0f 01 00', 'mov /1 with memory'],
    ['fe d0', 'fe /2'],
    ['fe 3f', 'fe /7'],
    ['ff d8', 'call far with a register'],
    ['ff e8', 'jmp far with a register'],
    ['ff ff', 'ff /7'],
    ['8d c0', 'lea with a register'],
    ['c4 c0', 'les with a register'],
    ['c5 c0', 'lds with a register'],
    ['62 c0', 'bound with a register'],
    ['0f b2 c0', 'lss with a register'],
    ['8e c8', 'mov cs'],
    ['8e f0', 'mov sreg 6'],
    ['8c f8', 'mov from sreg 7'],
    ['0f ba c0 01', 'bt group /0'],
    ['0f ba df 01', 'bt group /3'],
    ['0f c7 c8', 'cmpxchg8b with a register'],
    ['0f c7 37', 'vmptrld'],
    ['0f c7 f0', 'rdrand'],
    ['0f 20 c8', 'cr1'],
    ['0f 22 e8', 'cr5'],
    ['0f 24 c0', 'test registers'],
    ['0f 01 d0', 'xgetbv'],
    ['0f 01 c1', 'vmcall'],
    ['0f 01 17', null],
    ['0f 01 e8', '0f 01 /5 with a register'],
    ['0f 05', 'syscall'],
    ['0f 07', 'sysret'],
    ['0f 10 c0', 'movups'],
    ['0f 77', 'emms'],
    ['0f ae f0', 'mfence'],
    ['0f a7 c0', 'xstore'],
    ['0f 38 f0 c0', 'movbe with a register'],
    ['c7 f8 00 00', 'xbegin'],
    ['c6 f8 00', 'xabort'],
    ['c5 f8 58 c0', 'a VEX prefix'],
    ['62 f1 7c 48 58 c0', 'an EVEX prefix'],
    ['8f e8 60 c0', 'an XOP prefix'],
  ])('takes %s as undefined (%s)', (code, what) => {
    expect(nameOf(decode(code)) === 'Undefined').toBe(what !== null);
  });

  it.each([0, 1])(
    'never reads past 15 bytes, never throws, and gives a length within what it read (CS.D = %i)',
    (is32) => {
      const byte = fc.oneof(
        fc.integer({ min: 0, max: 255 }),
        fc.constantFrom(0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x0f),
      );
      fc.assert(
        fc.property(fc.array(byte, { minLength: 1, maxLength: 24 }), (list) => {
          const bytes = Uint8Array.from(list);
          const insn = lower(bytes, bytes.length, is32);
          if (insn === LOWER_TRUNCATED) {
            expect(bytes.length).toBeLessThan(MAX_INSN_LEN);
            return;
          }
          expect(insn.len).toBeGreaterThan(0);
          expect(insn.len).toBeLessThanOrEqual(Math.min(bytes.length, MAX_INSN_LEN));
          const other = Uint8Array.from(list);
          other.fill(0xcc, insn.len);
          const again = lower(other, other.length, is32);
          if (insn.op !== Op.TooLong && insn.op !== Op.Undefined) expect(again).toEqual(insn);
          expect(NAME.has(insn.op)).toBe(true);
          expect(insn.op).toBeLessThan(OP_COUNT);
        }),
        { numRuns: Number(process.env.FUZZ_RUNS ?? 3000) },
      );
    },
  );

  it('makes every Insn of one shape, with int32 in every field and nothing known behind it', () => {
    const fields = Object.keys(new Insn(0, 1, 0));
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 15, maxLength: 15 }),
        fc.constantFrom(0, 1),
        (list, is32) => {
          const insn = lower(Uint8Array.from(list), 15, is32);
          expect(Object.keys(insn ?? {})).toEqual(fields);
          const { next, target, ...numbers } = insn ?? NOWHERE;
          expect(next).toBe(NO_NEXT);
          expect(target).toBe(NO_TARGET);
          for (const value of Object.values(numbers)) expect(value).toBe(value | 0);
        },
      ),
      { numRuns: Number(process.env.FUZZ_RUNS ?? 3000) },
    );
  });

  it('says of every proper beginning of an instruction that it is truncated', () => {
    const cases = [
      '66 81 84 34 12 78 56 34 12',
      '67 66 c7 84 88 01 02 03 04 05 06 07 08',
      'ea 34 12 78 56',
      'c8 34 12 01',
      'd9 06 34 12',
      'd9 0e 34 12',
    ];
    for (const code of cases) {
      const bytes = Uint8Array.from(hex(code));
      expect(lower(bytes, bytes.length, 0)?.len).toBe(bytes.length);
      for (let n = 1; n < bytes.length; n++)
        expect([code, n, lower(bytes, n, 0)]).toEqual([code, n, LOWER_TRUNCATED]);
    }
  });
});

describe('prefixes', () => {
  it.each<[string, Partial<Insn>]>([
    ['a4', { opSize: 2, addrMask: 0xffff, rep: REP_NONE, size: 1, seg: SEG_DS }],
    ['66 66 66 a5', { opSize: 4, size: 4 }],
    ['67 67 a5', { addrMask: -1, opSize: 2 }],
    ['f2 f3 a5', { rep: REP_F3 }],
    ['f3 f2 a5', { rep: REP_F2 }],
    ['2e 26 a5', { seg: SEG_ES }],
    ['26 64 66 67 f3 a5', { seg: SEG_FS, size: 4, addrMask: -1, rep: REP_F3, len: 6 }],
    ['2e 8a 07', { seg: SEG_CS }],
    ['36 3e 8a 46 00', { seg: SEG_DS }],
  ])('%s', (code, want) => {
    expect(decode(code)).toMatchObject({ len: hex(code).length, ...want });
  });

  it('turn the other way in 32-bit code', () => {
    expect(decode('a5', 1)).toMatchObject({ opSize: 4, size: 4, addrMask: -1 });
    expect(decode('66 67 a5', 1)).toMatchObject({ opSize: 2, size: 2, addrMask: 0xffff });
  });

  it('may come in any order and number without changing the instruction', () => {
    const pool = fc.shuffledSubarray([0x66, 0x67, 0x26, 0xf3, 0x66, 0x67, 0x26, 0xf3], { minLength: 0 });
    fc.assert(
      fc.property(pool, (prefixes) => {
        const insn = decode([...prefixes, 0xa5].map((byte) => byte.toString(16)).join(' '));
        expect(insn).toMatchObject({
          op: Op.Movs,
          len: prefixes.length + 1,
          size: prefixes.includes(0x66) ? 4 : 2,
          addrMask: prefixes.includes(0x67) ? -1 : 0xffff,
          rep: prefixes.includes(0xf3) ? REP_F3 : REP_NONE,
          seg: prefixes.includes(0x26) ? SEG_ES : SEG_DS,
        });
      }),
    );
  });
});

describe('LOCK', () => {
  /** Intel SDM vol. 2, “LOCK—Assert LOCK# Signal Prefix”: these, with a memory destination. */
  const LOCKABLE: readonly [string, (modrm: number) => string][] = [
    ...[0, 1, 2, 3, 4, 5, 6].flatMap((n): [string, (modrm: number) => string][] => [
      [`8-bit ALU ${n}`, (m) => `${(n << 3).toString(16)} ${m.toString(16)}`],
      [`16-bit ALU ${n}`, (m) => `${((n << 3) | 1).toString(16)} ${m.toString(16)}`],
      [`80 /${n}`, (m) => `80 ${(m | (n << 3)).toString(16)} 01`],
      [`83 /${n}`, (m) => `83 ${(m | (n << 3)).toString(16)} 01`],
    ]),
    ['not', (m) => `f7 ${(m | 0x10).toString(16)}`],
    ['neg', (m) => `f6 ${(m | 0x18).toString(16)}`],
    ['inc', (m) => `fe ${m.toString(16)}`],
    ['dec', (m) => `ff ${(m | 8).toString(16)}`],
    ['xchg', (m) => `87 ${m.toString(16)}`],
    ['bts', (m) => `0f ab ${m.toString(16)}`],
    ['btr', (m) => `0f b3 ${m.toString(16)}`],
    ['btc', (m) => `0f bb ${m.toString(16)}`],
    ['bts imm', (m) => `0f ba ${(m | 0x28).toString(16)} 01`],
    ['xadd', (m) => `0f c1 ${m.toString(16)}`],
    ['cmpxchg', (m) => `0f b1 ${m.toString(16)}`],
  ];

  it.each(LOCKABLE)('is allowed before %s of memory, not of a register', (_, code) => {
    expect(nameOf(decode(`f0 ${code(0x07)}`))).toBe(nameOf(decode(code(0x07))));
    expect(nameOf(decode(`f0 ${code(0xc1)}`))).toBe('Undefined');
    expect(nameOf(decode(code(0xc1)))).not.toBe('Undefined');
  });

  it('is allowed before CMPXCHG8B', () => {
    expect(nameOf(decode('f0 0f c7 0f'))).toBe('Cmpxchg8b');
  });

  it.each([
    '38 07',
    '39 07',
    '80 3f 01',
    '84 07',
    'f6 07 01',
    '03 07',
    '0f a3 07',
    '0f ba 27 01',
    '88 07',
    '8a 07',
    '90',
    'a4',
    'aa',
    'd0 27',
    '0f a5 07',
    'ff 37',
    'ff 17',
    'ff 27',
    '8f 07',
    'f6 27',
    'ec',
    'ee',
    '6c',
    'e4 10',
    'f4',
    '0f 94 07',
    '0f 01 27',
    '0f 20 c0',
    '0f 1f 07',
    'd9 07',
    '8e 1f',
    'c4 07',
    '9b',
    'cd 10',
    '50',
    '40',
  ])('is undefined before %s', (code) => {
    expect(nameOf(decode(code))).not.toBe('Undefined');
    expect(nameOf(decode(`f0 ${code}`))).toBe('Undefined');
  });
});

describe('the operation table', () => {
  it('names each code once and only operations that exist', () => {
    const codes = supportedCodes();
    expect(new Set(codes.map(({ code }) => code)).size).toBe(codes.length);
    for (const { row } of codes) {
      expect(NAME.has(row.op)).toBe(true);
      expect(row.op).not.toBe(Op.Undefined);
    }
  });

  it('keeps hot operations below HOT_OPS', () => {
    expect(Op.MovzxReg8).toBeLessThan(HOT_OPS);
    expect(Op.IncMem8).toBeGreaterThanOrEqual(HOT_OPS);
  });
});
