/**
 * Random descriptor tables against the manual's checks (access-checks.ts): segment loads, questions about selectors, returns,
 * interrupts and accesses, at every level, with the exact vector, error code and resulting state.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { privilegeChanged } from '../../src/cpu/privilege.ts';
import { SEG_CS, SEG_SS } from '../../src/decoder/insn.ts';
import { loadFlatSegments } from '../protected-setup.ts';
import {
  CODE,
  CODE0,
  DATA0,
  FREE,
  GDT,
  gate,
  LDT,
  ProtectedCpu,
  STACK,
  STACK0,
  TSS,
} from '../unit/cpu/protected-driver.ts';
import {
  bytesOf,
  checkData,
  checkFar,
  checkInterrupt,
  checkReturn,
  checkStack,
  type Fields,
  type Found,
  isAccessAllowed,
  isAnswered,
  isDropped,
  levelBehind,
  limitInBytes,
  type Refusal,
} from './access-checks.ts';

const RUNS = Number(process.env.PIO86_FUZZ_RUNS ?? 400);
const SEED = 4;
const LEVELS = [0, 1, 2, 3] as const;
/** Two slots of the GDT and one of the LDT hold random descriptors; the others never do. */
const SLOTS = [FREE, FREE + 8, 0x0c];
const ES = 0;
/** The stack of level 0. */
const GOOD_STACK: Fields = {
  type: 19,
  dpl: 0,
  present: true,
  base: 0,
  limit: 0xf_ffff,
  granular: true,
  big: true,
};
/** Where the TSS has the inner stacks of levels 1 and 2. */
const INNER_TOP = 0x2_4000;
const SEGMENTS = [0, 2, 3, 4, 5];

/** What the tables hold, and how far they reach. */
interface Tables {
  readonly slots: readonly Fields[];
  readonly gdtLimit: number;
  readonly ldtLimit: number;
}

const fields: fc.Arbitrary<Fields> = fc.record({
  type: fc.oneof(fc.nat({ max: 31 }), fc.constantFrom(18, 19, 22, 26, 27, 30)),
  dpl: fc.nat({ max: 3 }),
  present: fc.nat({ max: 4 }).map((n) => n > 0),
  base: fc.constantFrom(0, 0x3_0000, 0x7fff_f000, 0xffff_ffff),
  limit: fc.oneof(fc.constantFrom(0, 0x4ff, 0x500, 0xffff, 0xf_ffff), fc.nat({ max: 0xf_ffff })),
  granular: fc.boolean(),
  big: fc.boolean(),
});

const tables: fc.Arbitrary<Tables> = fc.record({
  slots: fc.tuple(fields, fields, fields),
  gdtLimit: fc.constantFrom(0xff, 0xff, 0x4f, 0x4e, 0x47, 0x46),
  ldtLimit: fc.constantFrom(0x3f, 0x0f, 0x0e),
});

/** Code in which no offset but 0 lies, and a stack whose top is that of the TSS. */
const CODE_OF_NOTHING: Fields = {
  type: 26,
  dpl: 0,
  present: true,
  base: 0,
  limit: 0,
  granular: false,
  big: false,
};
const STACK_OF_16_KIB: Fields = { ...CODE_OF_NOTHING, type: 18, limit: 0x3fff };

/** Mostly one of the slots; now and then null, or beyond either table. */
const selectors = fc
  .record({
    at: fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom(...SLOTS) },
      { weight: 1, arbitrary: fc.constantFrom(0, 0x100, 0x44, 0xfff8) },
    ),
    rpl: fc.nat({ max: 3 }),
  })
  .map(({ at, rpl }) => at | rpl);
const levels = fc.constantFrom(...LEVELS);
/** Which level descriptors and selectors are made to agree on; −1: none, they stay random. */
const agreement = fc.oneof(fc.constant(-1), levels);
const withRpl = (selector: number, rpl: number): number => (rpl < 0 ? selector : (selector & ~3) | rpl);

/** The same tables with all segments in memory, so that stacks can be pushed to. */
const inMemory = (content: Tables): Tables => ({
  ...content,
  slots: content.slots.map((slot) => ({ ...slot, base: slot.base === 0 ? 0 : 0x3_0000 })),
});

/** The same tables with one DPL, and writable data in the second slot. */
function withDpl(content: Tables, dpl: number): Tables {
  if (dpl < 0) return content;
  const slots = content.slots.map((slot, i) => ({
    ...slot,
    dpl,
    type: i === 1 ? 18 | (slot.type & 4) : slot.type,
  }));
  return { ...content, slots };
}

function find({ slots, gdtLimit, ldtLimit }: Tables, selector: number): Found {
  const at = selector & 0xfffc;
  if (at === 0) return 'null';
  if ((at & 0xfff8) + 7 > ((at & 4) === 0 ? gdtLimit : ldtLimit)) return 'beyond';
  const slot = SLOTS.indexOf(at);
  return slot < 0 ? 'beyond' : slots[slot];
}

/** One machine for all runs of a property. */
class Bench {
  readonly test = new ProtectedCpu();
  readonly #ram = this.test.memory.ram.slice(0, 0x6000);

  /** Tables in memory and flat segments of `level`. */
  start(content: Tables, level: number): ProtectedCpu {
    const { test } = this;
    const { cpu } = test;
    test.memory.ram.set(this.#ram);
    test.memory.ram.fill(0, STACK - 64, STACK + 64);
    cpu.cache.clear();
    cpu.activityState = 0;
    cpu.fault = 0;
    content.slots.forEach((slot, i) => {
      test.bytes(this.#addressOf(SLOTS[i]), bytesOf(slot));
    });
    cpu.gdtLimit = content.gdtLimit;
    cpu.segLimit[7] = content.ldtLimit;
    loadFlatSegments(cpu, level, CODE0 | level, DATA0 | level);
    test.set({ eax: 0, ecx: 0, edx: 0, ebx: 0x5000, esp: STACK, eip: CODE, eflags: 2 });
    privilegeChanged(cpu);
    return test;
  }

  #addressOf(selector: number): number {
    return ((selector & 4) === 0 ? GDT : LDT) + (selector & ~7);
  }

  /** The slots as they are in memory now. */
  slotsNow(): number[][] {
    const { ram } = this.test.memory;
    return SLOTS.map((selector) => [...ram.slice(this.#addressOf(selector), this.#addressOf(selector) + 8)]);
  }

  /** Selector, base, limit and access rights of a segment register. */
  segment(seg: number): number[] {
    const { cpu } = this.test;
    return [cpu.segSelector[seg], cpu.segBase[seg] >>> 0, cpu.segLimit[seg], cpu.segAttr[seg]];
  }

  get level(): number {
    return (this.test.cpu.segAttr[SEG_SS] >> 5) & 3;
  }
}

/** A segment register that holds `d`: the accessed bit set. */
function loaded(selector: number, d: Fields): number[] {
  const [, , , , , access, flags] = bytesOf(d);
  return [selector, d.base >>> 0, limitInBytes(d), access | 1 | ((flags & 0xf0) << 8)];
}

/** The bytes of the tables, with the accessed bit of what was loaded. */
function slotsWith(content: Tables, ...touched: readonly number[]): number[][] {
  return content.slots.map((slot, i) => {
    const bytes = bytesOf(slot);
    if (touched.some((selector) => (selector & ~3) === SLOTS[i])) bytes[5] |= 1;
    return bytes;
  });
}

/** Holds the machine to a refusal: the handler's frame, the registers, the tables. */
function expectRefused(
  bench: Bench,
  content: Tables,
  level: number,
  want: Refusal,
  segments: number[][],
): void {
  expect(bench.test.caught).toEqual({ ...want, cs: CODE0 | level, eip: CODE });
  expect(SEGMENTS.filter((seg) => seg !== SEG_SS).map((seg) => bench.segment(seg))).toEqual(segments);
  expect(bench.slotsNow()).toEqual(slotsWith(content));
  // Level 0 pushed on its own stack: EFLAGS, CS, EIP and the error code below what was there.
  const top = level === 0 ? bench.test.get('esp') + 16 : bench.test.stack(5)[4];
  expect(top).toBe(STACK);
}

const dataSegments = (bench: Bench): number[][] =>
  SEGMENTS.filter((seg) => seg !== SEG_SS).map((seg) => bench.segment(seg));

/** MOV, POP and LxS of a segment register; the selector is in AX, on the stack, or at [EBX+4]. */
const LOADS: Readonly<Record<string, readonly string[]>> = {
  mov: ['8e c0', '8e d0', '8e d8', '8e e0', '8e e8'],
  pop: ['07', '17', '1f', '0f a1', '0f a9'],
  far: ['c4 0b', '0f b2 0b', 'c5 0b', '0f b4 0b', '0f b5 0b'],
};

describe('a segment load', () => {
  it('is allowed, or refused with vector and error code, as the manual says', () => {
    const bench = new Bench();
    const seen = new Set<string>();
    fc.assert(
      fc.property(
        tables,
        selectors,
        levels,
        fc.nat({ max: 4 }),
        fc.constantFrom('mov', 'pop', 'far'),
        fc.boolean(),
        (random, anySelector, level, nth, way, agree) => {
          const content = withDpl(random, agree ? level : -1);
          const selector = withRpl(anySelector, agree ? level : -1);
          const test = bench.start(content, level);
          const seg = SEGMENTS[nth];
          test.set({ eax: selector }).dword(STACK, selector).dword(0x5000, 0x77).word(0x5004, selector);
          const before = dataSegments(bench);
          const found = find(content, selector);
          const want =
            seg === SEG_SS ? checkStack(found, selector, level) : checkData(found, selector, level);
          test.exec(LOADS[way][nth]);
          seen.add(want === null ? 'loaded' : String(want.vector));
          if (want !== null) {
            expectRefused(bench, content, level, want, before);
            return;
          }
          expect(test.caught).toBeNull();
          if (typeof found === 'string') expect(bench.segment(seg)[0]).toBe(selector);
          else expect(bench.segment(seg)).toEqual(loaded(selector, found));
          expect(bench.slotsNow()).toEqual(slotsWith(content, selector));
          if (way === 'pop' && (seg !== SEG_SS || (found as Fields).big))
            expect(test.get('esp')).toBe(STACK + 4);
          if (way === 'far') expect(test.get('ecx')).toBe(0x77);
        },
      ),
      { numRuns: RUNS * 2, seed: SEED },
    );
    expect([...seen].sort()).toEqual(['11', '12', '13', 'loaded']);
  });
});

describe('LAR, LSL, VERR and VERW', () => {
  it('answer as the manual says and never fault', () => {
    const bench = new Bench();
    const CODES = { lar: '0f 02 c8', lsl: '0f 03 c8', verr: '0f 00 e0', verw: '0f 00 e8' } as const;
    const seen = new Set<string>();
    fc.assert(
      fc.property(
        tables,
        selectors,
        levels,
        fc.constantFrom('lar', 'lsl', 'verr', 'verw'),
        (content, selector, level, what) => {
          const test = bench.start(content, level).set({ eax: selector, ecx: 0x1234_5678 });
          const found = find(content, selector);
          const want = isAnswered(what, found, selector, level);
          test.exec(CODES[what]);
          seen.add(`${what} ${want}`);
          expect(test.caught).toBeNull();
          expect((test.get('eflags') & 0x40) !== 0).toBe(want);
          let result = 0x1234_5678;
          if (want && typeof found !== 'string') {
            const bytes = bytesOf(found);
            // The second doubleword masked by 00FxFF00H; what x has is undefined.
            if (what === 'lar') result = (bytes[5] << 8) | (bytes[6] << 16);
            if (what === 'lsl') result = limitInBytes(found) >>> 0;
          }
          const mask = want && what === 'lar' ? 0xfff0_ffff : 0xffff_ffff;
          expect((test.get('ecx') & mask) >>> 0).toBe((result & mask) >>> 0);
          expect(bench.slotsNow()).toEqual(slotsWith(content));
        },
      ),
      { numRuns: RUNS * 2, seed: SEED },
    );
    expect(seen.size).toBe(8);
  });
});

describe('JMP and CALL far, direct and through call gates', () => {
  it('go where the manual’s checks let them, or fault with its error code and change nothing', () => {
    const bench = new Bench();
    const seen = new Set<string>();
    /** The gate's slot. */
    const GATE = FREE + 0x10;
    const cases = fc.record({
      random: tables,
      isCall: fc.boolean(),
      anySelector: selectors,
      throughGate: fc.boolean(),
      gateType: fc.constantFrom(4, 12),
      gateDpl: fc.oneof(fc.constant(3), fc.nat({ max: 3 })),
      gatePresent: fc.nat({ max: 5 }).map((n) => n > 0),
      count: fc.nat({ max: 4 }),
      anyTarget: selectors,
      hasCode: fc.boolean(),
      anyStack: fc.oneof(fc.constant(FREE + 8), selectors),
      level: levels,
      agreed: agreement,
    });
    fc.assert(
      fc.property(cases, (c) => {
        const { isCall, gateType, gateDpl, level } = c;
        const tuned = inMemory(withDpl({ ...c.random, gdtLimit: 0xff }, c.agreed));
        const [first, ...others] = tuned.slots;
        const content = c.hasCode
          ? { ...tuned, slots: [{ ...first, type: 26, present: true }, ...others] }
          : tuned;
        const targetSelector = c.hasCode ? FREE : c.anyTarget;
        const stackSelector = withRpl(c.anyStack, c.agreed);
        const selector = c.throughGate ? GATE | (c.anySelector & 3) : withRpl(c.anySelector, c.agreed);
        const direct = find(content, selector);
        // Tasks have tests of their own.
        fc.pre(typeof direct === 'string' || ![1, 5, 9].includes(direct.type));
        const test = bench.start(content, level);
        test.gdt(
          GATE,
          gate(gateType, targetSelector, 0x500, { dpl: gateDpl, present: c.gatePresent, count: c.count }),
        );
        for (const inner of [1, 2])
          test.dword(TSS + 4 + 8 * inner, INNER_TOP).word(TSS + 8 + 8 * inner, stackSelector);
        const asFields = { ...content.slots[0], type: gateType, dpl: gateDpl, present: c.gatePresent };
        const named = c.throughGate ? asFields : direct;
        const isGate = typeof named !== 'string' && (named.type === 4 || named.type === 12);
        // A random call gate leads wherever its fields say: only gates made on purpose are followed.
        fc.pre(c.throughGate || !isGate);
        const target = find(content, targetSelector);
        const code = isGate ? target : named;
        const inner = isGate && isCall && typeof code !== 'string' ? levelBehind(code, level) : level;
        const want = checkFar(
          {
            isCall,
            named,
            selector,
            offset: 0x500,
            target,
            targetSelector,
            stack: inner === 0 ? GOOD_STACK : find(content, stackSelector),
            stackSelector: inner === 0 ? DATA0 : stackSelector,
            pushes: { esp: INNER_TOP, count: 4 + c.count, width: gateType === 4 ? 2 : 4 },
          },
          level,
        );
        const before = dataSegments(bench);
        const [low, high] = [selector & 0xff, selector >> 8].map((n) => n.toString(16).padStart(2, '0'));
        test.exec(`${isCall ? '9a' : 'ea'} 00 05 00 00 ${low} ${high}`);
        const isInner = inner < level;
        seen.add(
          want === null ? `${isCall ? 'call' : 'jmp'} ${isInner ? 'inner' : 'same'}` : String(want.vector),
        );
        if (want !== null) {
          expectRefused(bench, content, level, want, before);
          return;
        }
        const entered = isGate ? targetSelector : selector;
        expect(bench.segment(SEG_CS)).toEqual(loaded((entered & ~3) | inner, code as Fields));
        expect([test.get('eip'), bench.level]).toEqual([0x500, inner]);
        expect(dataSegments(bench)).toEqual(before);
        const width = isGate && gateType === 4 ? 2 : 4;
        const slots = !isCall ? 0 : isInner ? 4 + c.count : 2;
        const top = isInner ? (inner === 0 ? STACK0 : INNER_TOP) : STACK;
        if (!isInner || inner === 0) expect(test.get('esp')).toBe(top - slots * width);
        else
          expect(bench.segment(SEG_SS)).toEqual(
            loaded(stackSelector, find(content, stackSelector) as Fields),
          );
        const touched = isInner && inner > 0 ? [entered, stackSelector] : [entered];
        expect(bench.slotsNow()).toEqual(slotsWith(content, ...touched));
      }),
      {
        numRuns: RUNS * 6,
        seed: SEED,
        // The offset is refused when the stack has been found good: its accessed bit stays clear.
        examples: [
          [
            {
              random: {
                slots: [CODE_OF_NOTHING, STACK_OF_16_KIB, CODE_OF_NOTHING],
                gdtLimit: 0xff,
                ldtLimit: 0x3f,
              },
              isCall: true,
              anySelector: FREE,
              throughGate: true,
              gateType: 4,
              gateDpl: 3,
              gatePresent: true,
              count: 0,
              anyTarget: FREE,
              hasCode: true,
              anyStack: FREE + 8,
              level: 3,
              agreed: 1,
            },
          ],
        ],
      },
    );
    expect([...seen].sort()).toEqual(['10', '11', '12', '13', 'call inner', 'call same', 'jmp same']);
  });
});

describe('RET far and IRET', () => {
  it('go where the manual’s checks let them, or fault with its error code and change nothing', () => {
    const bench = new Bench();
    const seen = new Set<string>();
    const OUTER_ESP = 0x2_1000;
    fc.assert(
      fc.property(
        tables,
        selectors,
        selectors,
        levels,
        fc.boolean(),
        fc.array(fields, { minLength: 4, maxLength: 4 }),
        agreement,
        (random, anyCs, anySs, level, isIret, held, agreed) => {
          const content = withDpl(random, agreed);
          const [csSelector, ssSelector] = [anyCs, anySs].map((selector) => withRpl(selector, agreed));
          const test = bench.start(content, level);
          const frame = [0x500, csSelector, ...(isIret ? [2] : []), OUTER_ESP, ssSelector];
          frame.forEach((value, i) => {
            test.dword(STACK + 4 * i, value);
          });
          // What the data segment registers hold: any segment that level could have loaded.
          const registers = held.map((d, i) => ({
            seg: [0, 3, 4, 5][i],
            d: { ...d, type: d.type | 16 | (d.type & 8 ? 2 : 0) },
          }));
          for (const { seg, d } of registers) {
            const [selector, base, limit, attr] = loaded(0x33, { ...d, present: true });
            test.cpu.setSegment(seg, selector, base, limit, attr);
          }
          const before = dataSegments(bench);
          const cs = find(content, csSelector);
          const to = { cs, csSelector, offset: 0x500, ss: find(content, ssSelector), ssSelector };
          const want = checkReturn(to, level);
          test.exec(isIret ? 'cf' : 'cb');
          const rpl = csSelector & 3;
          seen.add(want === null ? `to ${rpl > level ? 'outer' : 'same'}` : String(want.vector));
          if (want !== null) {
            expectRefused(bench, content, level, want, before);
            return;
          }
          expect(bench.segment(SEG_CS)).toEqual(loaded(csSelector, cs as Fields));
          expect(test.get('eip')).toBe(0x500);
          if (rpl === level) {
            expect(test.get('esp')).toBe(STACK + (isIret ? 12 : 8));
            expect(dataSegments(bench)).toEqual(before);
            expect(bench.slotsNow()).toEqual(slotsWith(content, csSelector));
            return;
          }
          expect(bench.segment(SEG_SS)).toEqual(loaded(ssSelector, to.ss as Fields));
          expect(bench.level).toBe(rpl);
          expect(test.get('esp')).toBe(OUTER_ESP);
          expect(bench.slotsNow()).toEqual(slotsWith(content, csSelector, ssSelector));
          for (const { seg, d } of registers) {
            expect([seg, test.cpu.segSelector[seg]]).toEqual([seg, isDropped(d, rpl) ? 0 : 0x33]);
          }
        },
      ),
      { numRuns: RUNS * 6, seed: SEED },
    );
    expect([...seen].sort()).toEqual(['11', '12', '13', 'to outer', 'to same']);
  });
});

describe('INT n through interrupt and trap gates', () => {
  it('goes where the manual’s checks let it, or faults with its error code and changes nothing', () => {
    const bench = new Bench();
    const seen = new Set<string>();
    const VECTOR = 0x90;
    const gates = fc.record({
      type: fc.oneof(fc.constantFrom(6, 7, 14, 15), fc.nat({ max: 31 })).filter((type) => type !== 5),
      dpl: fc.oneof(fc.constant(3), fc.nat({ max: 3 })),
      present: fc.nat({ max: 5 }).map((n) => n > 0),
      offset: fc.constantFrom(0x500, 0x1_0500),
    });
    const cases = fc.record({
      content: tables,
      named: gates,
      codeSelector: selectors,
      stackSelector: selectors,
      level: levels,
      agreed: agreement,
    });
    fc.assert(
      fc.property(
        cases,
        ({ content: random, named, codeSelector, stackSelector: anyStack, level, agreed }) => {
          const content = inMemory(withDpl(random, agreed));
          const stackSelector = withRpl(anyStack, agreed);
          const test = bench.start(content, level);
          test.idt(VECTOR, gate(named.type, codeSelector, named.offset, named));
          // Level 0 keeps its good stack, on which the faults are told.
          for (const inner of [1, 2])
            test.dword(TSS + 4 + 8 * inner, INNER_TOP).word(TSS + 8 + 8 * inner, stackSelector);
          const code = find(content, codeSelector);
          const inner = typeof code === 'string' ? 0 : levelBehind(code, level);
          const before = dataSegments(bench);
          const want = checkInterrupt(
            {
              ...named,
              vector: VECTOR,
              code,
              codeSelector,
              stack: inner === 0 ? GOOD_STACK : find(content, stackSelector),
              stackSelector: inner === 0 ? DATA0 : stackSelector,
              pushes: { esp: INNER_TOP, count: 5, width: named.type < 8 ? 2 : 4 },
            },
            level,
          );
          test.exec('cd 90');
          seen.add(want === null ? (inner < level ? 'inner' : 'same') : String(want.vector));
          if (want !== null) {
            expectRefused(bench, content, level, want, before);
            return;
          }
          const width = named.type < 8 ? 2 : 4;
          expect(bench.segment(SEG_CS)).toEqual(loaded((codeSelector & ~3) | inner, code as Fields));
          expect(test.get('eip')).toBe(width === 2 ? named.offset & 0xffff : named.offset);
          expect(bench.level).toBe(inner);
          const isInner = inner < level;
          const top = isInner ? (inner === 0 ? STACK0 : INNER_TOP) : STACK;
          const pushed = width * (isInner ? 5 : 3);
          const stack = find(content, stackSelector) as Fields;
          if (isInner && inner > 0) expect(bench.segment(SEG_SS)).toEqual(loaded(stackSelector, stack));
          if (!isInner || inner === 0) expect(test.get('esp')).toBe(top - pushed);
          expect(dataSegments(bench)).toEqual(before);
          const touched = isInner && inner > 0 ? [codeSelector, stackSelector] : [codeSelector];
          expect(bench.slotsNow()).toEqual(slotsWith(content, ...touched));
        },
      ),
      {
        numRuns: RUNS * 6,
        seed: SEED,
        examples: [
          [
            {
              content: {
                slots: [CODE_OF_NOTHING, STACK_OF_16_KIB, CODE_OF_NOTHING],
                gdtLimit: 0xff,
                ldtLimit: 0x3f,
              },
              named: { type: 6, dpl: 3, present: true, offset: 0x500 },
              codeSelector: FREE,
              stackSelector: FREE + 8,
              level: 3,
              agreed: 2,
            },
          ],
        ],
      },
    );
    expect([...seen].sort()).toEqual(['10', '11', '12', '13', 'inner', 'same']);
  });
});

describe('an access through a segment', () => {
  it('is within its limit and of its type, or #GP(0), or #SS(0)', () => {
    const bench = new Bench();
    const seen = new Set<string>();
    /** mov cl/cx/ecx,[ebx] and back, through ES and through SS. */
    const CODES = { 1: ['8a 0b', '88 0b'], 2: ['66 8b 0b', '66 89 0b'], 4: ['8b 0b', '89 0b'] } as const;
    const near = fc.oneof(fc.integer({ min: -5, max: 2 }), fc.integer({ min: -0x1000, max: 0x1000 }));
    const cases = fc.record({
      d: fields,
      size: fc.constantFrom<1 | 2 | 4>(1, 2, 4),
      isWrite: fc.boolean(),
      isStack: fc.boolean(),
      edge: fc.constantFrom<'limit' | '64 KiB' | '4 GiB'>('limit', 'limit', '64 KiB', '4 GiB'),
      near,
    });
    fc.assert(
      fc.property(cases, ({ d: any, size, isWrite, isStack, edge, near: delta }) => {
        // A register never holds what could not be loaded into it.
        const type = isStack ? (any.type & 4) | 18 : any.type | 16 | ((any.type & 8) !== 0 ? 2 : 0);
        const d = { ...any, type, dpl: 3, present: true, base: 0 };
        const test = bench.start({ slots: [d, d, d], gdtLimit: 0xff, ldtLimit: 0x3f }, 3);
        const at = { limit: limitInBytes(d), '64 KiB': 0xffff, '4 GiB': 0xffff_ffff }[edge];
        const offset = (at + delta) >>> 0;
        const seg = isStack ? SEG_SS : ES;
        const [selector, base, limit, attr] = loaded(FREE | 3, d);
        test.cpu.setSegment(seg, selector, base, limit, attr);
        const allowed = isAccessAllowed(d, offset, size, isWrite);
        test.set({ ebx: offset }).exec(`${isStack ? '36' : '26'} ${CODES[size][isWrite ? 1 : 0]}`);
        seen.add(`${isStack} ${allowed} ${(type & 12) === 4}`);
        if (!allowed) {
          expect(test.caught).toEqual({ vector: isStack ? 12 : 13, error: 0, cs: CODE0 | 3, eip: CODE });
          return;
        }
        // Beyond RAM the access leaves as MMIO: it was allowed.
        expect(test.caught).toBeNull();
      }),
      { numRuns: RUNS * 6, seed: SEED },
    );
    expect(seen.size).toBe(8);
  });
});
