/** String instructions against a plain loop: every size, address size, REP, direction and segment. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { check, rows, TestCpu } from './driver.ts';
import { bitsOf, type Size, STATUS, sub, ZF } from './reference.ts';

const NUM_RUNS = Number(process.env.FUZZ_RUNS ?? 2500);
const GP = 13;
const OPERATIONS = { movs: 0xa4, cmps: 0xa6, stos: 0xaa, lods: 0xac, scas: 0xae } as const;
type Operation = keyof typeof OPERATIONS;

const operation = fc.constantFrom<Operation>('movs', 'cmps', 'stos', 'lods', 'scas');
const near = fc.oneof(
  fc.integer({ min: 0, max: 24 }),
  fc.integer({ min: 0xffd8, max: 0xffff }),
  fc.constant(0x1ffe),
);
const high = fc.constantFrom(0, 0x1_0000, 0x7777_0000);

interface Case {
  operation: Operation;
  size: Size;
  a32: boolean;
  rep: 0 | 0xf2 | 0xf3;
  down: boolean;
  override: 0 | 0x26 | 0x64;
  count: number;
  esi: number;
  edi: number;
  eax: number;
  eflags: number;
  salt: number;
}

const stringCase: fc.Arbitrary<Case> = fc
  .record({
    operation,
    size: fc.constantFrom<Size>(1, 2, 4),
    a32: fc.boolean(),
    rep: fc.constantFrom<0 | 0xf2 | 0xf3>(0, 0xf2, 0xf3),
    down: fc.boolean(),
    override: fc.constantFrom<0 | 0x26 | 0x64>(0, 0x26, 0x64),
    count: fc.integer({ min: 0, max: 12 }),
    si: near,
    di: near,
    upper: high,
    eax: fc.constantFrom(0, 0x0101_0101, 0x1234_5678),
    eflags: fc.integer({ min: 0, max: 0xfff }),
    salt: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ si, di, upper, ...rest }) => ({
    ...rest,
    esi: rest.a32 ? si : upper + si,
    edi: rest.a32 ? di : upper + di,
    eflags: (rest.eflags & STATUS) | 2 | (rest.down ? 0x400 : 0),
  }));

/** What a case ends in; `fault` is the vector. */
interface End {
  esi: number;
  edi: number;
  ecx: number;
  eax: number;
  eflags: number;
  fault: number | null;
}

const SEGMENT_BASE = { 0: 0x2_0000, 38: 0x3_0000, 100: 0x5_0000 } as const;
const ES_BASE = 0x3_0000;

/** The loop of SDM vol. 2, “REP/REPE/REPZ/REPNE/REPNZ”, on `ram`. */
function reference(c: Case, ram: DataView, ecx: number): End {
  const end: End = { esi: c.esi, edi: c.edi, ecx, eax: c.eax, eflags: c.eflags, fault: null };
  const mask = c.a32 ? 0xffff_ffff : 0xffff;
  const cut = (n: number): number => (n & mask) >>> 0;
  const get = (base: number, off: number): number =>
    c.size === 1
      ? ram.getUint8(base + off)
      : c.size === 2
        ? ram.getUint16(base + off, true)
        : ram.getUint32(base + off, true);
  const inside = (off: number): boolean => off + c.size - 1 <= 0xffff;
  const merge = (old: number, n: number): number => ((old & ~mask) | (n & mask)) >>> 0;
  const by = c.down ? -c.size : c.size;
  const seg = SEGMENT_BASE[c.override];
  const usesSi = c.operation === 'movs' || c.operation === 'cmps' || c.operation === 'lods';
  const usesDi = c.operation !== 'lods';
  for (;;) {
    if (c.rep !== 0 && cut(end.ecx) === 0) return end;
    const [si, di] = [cut(end.esi), cut(end.edi)];
    if ((usesSi && !inside(si)) || (usesDi && !inside(di))) {
      if (c.operation === 'cmps' || c.operation === 'scas') end.eflags = c.eflags;
      return { ...end, fault: GP };
    }
    const accumulator = c.size === 4 ? end.eax : end.eax & (2 ** bitsOf(c.size) - 1);
    if (c.operation === 'movs' || c.operation === 'stos') {
      const v = c.operation === 'movs' ? get(seg, si) : accumulator;
      for (let i = 0; i < c.size; i++) ram.setUint8(ES_BASE + di + i, v >>> (8 * i));
    } else if (c.operation === 'lods') {
      const width = 2 ** bitsOf(c.size);
      end.eax = end.eax - accumulator + (get(seg, si) % width);
    } else {
      const a = c.operation === 'cmps' ? get(seg, si) : accumulator;
      end.eflags = (end.eflags & ~STATUS) | sub(BigInt(a), BigInt(get(ES_BASE, di)), 0, c.size).flags;
    }
    if (usesSi) end.esi = merge(end.esi, si + by);
    if (usesDi) end.edi = merge(end.edi, di + by);
    if (c.rep === 0) return end;
    end.ecx = merge(end.ecx, cut(end.ecx) - 1);
    const zf = (end.eflags & ZF) !== 0;
    if ((c.operation === 'cmps' || c.operation === 'scas') && zf !== (c.rep === 0xf3)) return end;
  }
}

function codeOf(c: Case): number[] {
  const prefixes = [c.override, c.size === 4 ? 0x66 : 0, c.a32 ? 0x67 : 0, c.rep].filter(
    (byte) => byte !== 0,
  );
  return [...prefixes, OPERATIONS[c.operation] | (c.size === 1 ? 0 : 1)];
}

/** Memory that compares equal for a while. */
function fill(ram: Uint8Array, salt: number): void {
  for (let i = 0; i < 0x4_0000; i++) ram[0x2_0000 + i] = (i & 0x1f) < 20 ? 1 : i * salt;
}

describe('string instructions', () => {
  it('agree with the manual’s loop, in one run and in slices of one tick', () => {
    const whole = new TestCpu();
    const sliced = new TestCpu();
    const want = new Uint8Array(0x10_0000);
    fc.assert(
      fc.property(stringCase, (c) => {
        const ecx = c.a32 ? c.count : 0x7777_0000 + c.count;
        const state = {
          eax: c.eax,
          ecx,
          esi: c.esi,
          edi: c.edi,
          eflags: c.eflags,
          cs: 0x1000,
          eip: 0x100,
          esp: 0x1000,
        };
        const code = codeOf(c);
        fill(want, c.salt);
        const end = reference(c, new DataView(want.buffer), ecx);
        for (const test of [whole, sliced]) {
          fill(test.memory.ram, c.salt);
          test.poke(0x1_0100, [...code, 0xf4]).set(state);
          if (test === whole) test.run(100);
          else for (let i = 0; i < 30 && test.vector === null; i++) test.run(1);
          const got = test.state;
          const { esi, edi, eax } = got;
          expect({ esi, edi, ecx: got.ecx, eax, fault: test.vector }).toEqual({
            esi: end.esi,
            edi: end.edi,
            ecx: end.ecx,
            eax: end.eax,
            fault: end.fault,
          });
          const flags = end.fault === null ? got.eflags : test.frame.flags;
          expect(flags & STATUS).toBe(end.eflags & STATUS);
          expect(end.fault === null ? got.eip : test.frame.ip).toBe(
            end.fault === null ? 0x100 + code.length : 0x100,
          );
          expect(
            Buffer.compare(test.memory.ram.subarray(0x2_0000, 0x4_0000), want.subarray(0x2_0000, 0x4_0000)),
          ).toBe(0);
        }
      }),
      { numRuns: NUM_RUNS / 5 },
    );
  });

  it.each<[string, string, number, number]>([
    ['REP takes a tick an iteration and one to end', 'f3 a4', 5, 6],
    ['REP with count 0 takes one', 'f3 a4', 0, 1],
    ['REPE that ends early takes its iterations', 'f2 a6', 5, 1],
    ['without REP it takes one', 'a4', 5, 1],
  ])('%s', (_, code, ecx, ticks) => {
    const test = new TestCpu().reset({ ecx, esi: 0, edi: 0 }).poke('eip', `${code} f4`);
    test.run(100);
    expect(test.cpu.retired).toBe(ticks);
  });

  it.each(
    rows([
      {
        asm: 'rep movsb that faults in its second iteration keeps the first',
        code: 'f3 a4',
        in: { esi: 0xffff, ecx: 3, limits: { ds: 0xffff, es: 0x40 } },
        ram: { 'ds:ffff': '5a' },
        out: { esi: 0, edi: 0x8888_0041, ecx: 2 },
        ramOut: { 'es:0040': '5a' },
        fault: GP,
        ticks: 2,
      },
      {
        asm: 'rep lodsb is repeated by F2 too',
        code: 'f2 ac',
        in: { ecx: 2 },
        ram: { 'ds:0020': '01 02' },
        out: { eax: 0x1111_a102, esi: 0x7777_0022, ecx: 0 },
        ticks: 3,
      },
      { asm: 'rep movsb [ss:si] beyond the limit is #SS', code: '36 f3 a5', in: { esi: 0xffff }, fault: 12 },
      {
        asm: 'an override does not move ES:DI',
        code: '64 aa',
        ramOut: { 'es:0040': 'a2' },
        out: { edi: 0x8888_0041 },
      },
      {
        asm: 'the last of F2 and F3 counts',
        code: 'f2 f3 a6',
        in: { ecx: 1 },
        out: { ecx: 0, esi: 0x7777_0021, edi: 0x8888_0041, eflags: 0x44 },
        ticks: 2,
      },
    ]),
  )('%s', (_, row) => {
    check(row);
  });

  it('repeats through a page boundary of both operands', () => {
    const test = new TestCpu().reset({ ecx: 0x1001, esi: 0x0fff, edi: 0x2ffd }).poke('eip', 'f3 a5');
    for (let i = 0; i < 0x2002; i++) test.memory.ram[0x2_0fff + i] = (i * 13) >> 3;
    test.run(0x2000);
    const { ram } = test.memory;
    expect(Buffer.compare(ram.subarray(0x3_2ffd, 0x3_4fff), ram.subarray(0x2_0fff, 0x2_3001))).toBe(0);
    expect(test.state).toMatchObject({ ecx: 0, esi: 0x3001, edi: 0x4fff });
  });

  it.each([1, 2, 10])(
    'a repeated compare that faults has the flags from before it (slices of %i)',
    (slice) => {
      const test = new TestCpu()
        .reset({ esi: 0, edi: 0xfffb, ecx: 9, eflags: STATUS & ~ZF })
        .poke('eip', 'f3 a7');
      for (let i = 0; i < 6 && test.vector === null; i++) test.run(slice);
      expect(test.vector).toBe(GP);
      expect(test.frame.flags).toBe((STATUS & ~ZF) | 2);
      expect(test.state).toMatchObject({ ecx: 7, esi: 4, edi: 0xffff });
    },
  );

  it('overlapping MOVSB repeats a pattern', () => {
    const test = new TestCpu().reset({ es: 0x2000, ecx: 6, esi: 0x20, edi: 0x22 }).poke('ds:0020', '01 02');
    test.poke('eip', 'f3 a4').run(7);
    expect(test.peek('ds:0020', 8)).toBe('01 02 01 02 01 02 01 02');
  });

  it('SCASB finds a byte (repne)', () => {
    const test = new TestCpu();
    test.reset({ ecx: 100, eax: 0x5a }).poke('es:0045', '5a');
    test.poke('eip', 'f2 ae f4').run(10);
    expect(test.state).toMatchObject({ ecx: 94, edi: 0x8888_0046 });
    expect(test.state.eflags & ZF).toBe(ZF);
  });
});
