import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SEG_DS, SEG_SS } from '../../../src/decoder/insn.ts';
import {
  CODE,
  CODE_CONFORMING,
  CODE_XO,
  CODE_XR,
  CODE0,
  CODE3,
  DATA_DOWN,
  DATA_RO,
  DATA_RW,
  DATA0,
  DATA3,
  type DescriptorIn,
  descriptor,
  FREE,
  GDT,
  GDT_LIMIT,
  ProtectedCpu,
} from './protected-driver.ts';

const GP = 13;
const NP = 11;
const SS = 12;

const MOV_DS = '8e d8'; // mov ds,eax
const MOV_SS = '8e d0'; // mov ss,eax

/** Loads `selector` with the descriptor of `FREE` as given. */
function load(level: 0 | 3, code: string, selector: number, entry?: DescriptorIn): ProtectedCpu {
  const test = new ProtectedCpu(level);
  if (entry !== undefined) test.gdt(FREE, descriptor(entry));
  return test.set({ eax: selector }).exec(code);
}

describe('MOV to a data segment register', () => {
  it.each<[string, 0 | 3, number, DescriptorIn]>([
    ['data of the same level', 0, FREE, { type: DATA_RW }],
    ['read-only data', 0, FREE, { type: DATA_RO }],
    ['readable code', 0, FREE, { type: CODE_XR }],
    ['data of an outer level', 0, FREE | 3, { type: DATA_RW, dpl: 3 }],
    ['conforming code of an inner level', 3, FREE | 3, { type: CODE_CONFORMING }],
    ['data below its limit, RPL 0 at level 3', 3, FREE, { type: DATA_RW, dpl: 3 }],
  ])('takes %s and marks it accessed', (_, level, selector, entry) => {
    const test = load(level, MOV_DS, selector, entry);
    expect([test.caught, test.get('ds'), test.access(FREE) & 1]).toEqual([null, selector, 1]);
  });

  it.each<[string, 0 | 3, number, DescriptorIn, number]>([
    ['execute-only code', 0, FREE, { type: CODE_XO }, GP],
    ['a system segment', 0, FREE, { type: 2 }, GP],
    ['data of an inner level', 3, FREE | 3, { type: DATA_RW }, GP],
    ['data with an RPL that is too weak', 0, FREE | 3, { type: DATA_RW }, GP],
    ['readable code of an inner level', 3, FREE | 3, { type: CODE_XR }, GP],
    ['what is not present', 0, FREE, { type: DATA_RW, present: false }, NP],
  ])('refuses %s', (_, level, selector, entry, vector) => {
    const test = load(level, MOV_DS, selector, entry);
    expect(test.caught).toEqual({ vector, error: FREE, cs: level === 0 ? CODE0 : CODE3, eip: CODE });
    expect([test.get('ds'), test.access(FREE) & 1]).toEqual([level === 0 ? DATA0 : DATA3, 0]);
  });

  it('refuses what lies beyond the GDT', () => {
    const test = load(0, MOV_DS, GDT_LIMIT + 1);
    expect(test.caught).toMatchObject({ vector: GP, error: GDT_LIMIT + 1 });
  });

  it('refuses a descriptor whose last byte lies beyond the limit', () => {
    const test = new ProtectedCpu();
    test.gdt(FREE, descriptor({ type: DATA_RW }));
    test.cpu.gdtLimit = FREE + 6;
    test.set({ eax: FREE }).exec(MOV_DS);
    expect(test.caught).toMatchObject({ vector: GP, error: FREE });
  });

  it('finds a local descriptor, and refuses one without an LDT', () => {
    const test = new ProtectedCpu().ldt(8, descriptor({ type: DATA_RW, base: 0x5_0000, limit: 0xfff }));
    test.set({ eax: 8 | 4 }).exec(MOV_DS);
    expect([test.get('ds'), test.cpu.segBase[SEG_DS], test.cpu.segLimit[SEG_DS]]).toEqual([
      12, 0x5_0000, 0xfff,
    ]);
    test.set({ eax: 0 }).exec('0f 00 d0'); // lldt ax
    test.set({ eax: 8 | 4 }).exec(MOV_DS);
    expect(test.caught).toMatchObject({ vector: GP, error: 12 });
  });

  it('holds a null selector with any RPL, which then cannot be used', () => {
    const test = load(0, `${MOV_DS} a0 00 00 00 00`, 3); // mov al,[0]
    expect([test.caught, test.get('ds')]).toEqual([null, 3]);
    test.run(1);
    expect(test.caught).toMatchObject({ vector: GP, error: 0, eip: CODE + 2 });
  });
});

describe('MOV to SS', () => {
  it.each<[string, 0 | 3, number, DescriptorIn, number, number]>([
    ['null', 0, 0, { type: DATA_RW }, GP, 0],
    ['an RPL that is not CPL', 0, FREE | 3, { type: DATA_RW }, GP, FREE],
    ['a DPL that is not CPL', 3, FREE | 3, { type: DATA_RW }, GP, FREE],
    ['read-only data', 0, FREE, { type: DATA_RO }, GP, FREE],
    ['code', 0, FREE, { type: CODE_XR }, GP, FREE],
    ['what is not present', 0, FREE, { type: DATA_RW, present: false }, SS, FREE],
  ])('refuses %s', (_, level, selector, entry, vector, error) => {
    const test = load(level, MOV_SS, selector, entry);
    expect(test.caught).toMatchObject({ vector, error, eip: CODE });
  });

  it('takes an expand-down segment, whose offsets lie above the limit', () => {
    const test = load(0, `${MOV_SS} bc 00 10 00 00 50`, FREE, { type: DATA_DOWN, limit: 0xfff }); // mov esp,0x1000 / push eax
    expect([test.get('ss'), test.cpu.interruptShadow]).toEqual([FREE, 1]);
    test.run(2);
    // The exception finds no room either: double fault, and no room for that.
    expect(test.cpu.activityState).toBe(2);
    test.cpu.reset();
  });
});

describe('POP and LDS', () => {
  it('leave everything as it was when the selector is refused', () => {
    const pop = new ProtectedCpu().dword(0x2_0000, 0x77);
    pop.exec('1f'); // pop ds
    expect(pop.caught).toMatchObject({ vector: GP, error: 0x74 });
    expect(pop.cpu.gpr[4] + 16).toBe(0x2_0000);
    const lds = new ProtectedCpu().dword(0x5_0000, 0x1234).dword(0x5_0004, 0x77);
    lds.set({ ebx: 0x55 }).exec('c5 1d 00 00 05 00'); // lds ebx,[0x50000]
    expect(lds.caught).toMatchObject({ vector: GP, error: 0x74 });
    expect(lds.get('ebx')).toBe(0x55);
  });

  it('POP SS takes its slot with the stack size it had', () => {
    const test = new ProtectedCpu().gdt(FREE, descriptor({ type: DATA_RW, is32: false, limit: 0xffff }));
    test.dword(0x2_0000, FREE).exec('17'); // pop ss
    expect(test.registers('ss', 'esp')).toEqual({ ss: FREE, esp: 0x2_0004 });
    expect(test.cpu.segAttr[SEG_SS] & 0x4000).toBe(0);
  });
});

describe('unreal mode', () => {
  it('keeps limits when PE is switched off, and a real-mode load changes the base alone', () => {
    const test = new ProtectedCpu();
    test.set({ eax: 0x10 }).exec('0f 22 c0'); // mov cr0,eax
    test.set({ ecx: 0x1234 }).exec('8e d9'); // mov ds,ecx
    expect([test.get('ds'), test.cpu.segBase[SEG_DS], test.cpu.segLimit[SEG_DS]]).toEqual([
      0x1234, 0x1_2340, 0xffff_ffff,
    ]);
  });
});

/** The checks of a segment register load, from the manual, as a plain predicate. null: it is loaded. */
function expectedFault(
  isStack: boolean,
  level: number,
  selector: number,
  { type, dpl = 0, present = true }: DescriptorIn,
): number | null {
  const rpl = selector & 3;
  const isSegment = type >= 16;
  const isCode = isSegment && (type & 8) !== 0;
  if (isStack) {
    if (rpl !== level || dpl !== level || !isSegment || isCode || (type & 2) === 0) return GP;
    return present ? null : SS;
  }
  if (!isSegment || (isCode && (type & 2) === 0)) return GP;
  const isConforming = isCode && (type & 4) !== 0;
  if (!isConforming && Math.max(rpl, level) > dpl) return GP;
  return present ? null : NP;
}

describe('any descriptor', () => {
  it('is loaded as it stands, or refused with its selector', () => {
    const test = { 0: new ProtectedCpu(0), 3: new ProtectedCpu(3) };
    const saved = { 0: test[0].memory.ram.slice(), 3: test[3].memory.ram.slice() };
    fc.assert(
      fc.property(
        fc.constantFrom<0 | 3>(0, 3),
        fc.boolean(),
        fc.integer({ min: 0, max: 3 }),
        fc.record({
          type: fc.integer({ min: 0, max: 31 }),
          dpl: fc.integer({ min: 0, max: 3 }),
          present: fc.boolean(),
          base: fc.integer({ min: 0, max: 0xffff_ffff }),
          limit: fc.oneof(
            fc.integer({ min: 0, max: 0xf_ffff }),
            fc.integer({ min: 0x100, max: 0xf_ffff }).map((pages) => pages * 4096 + 4095),
          ),
        }),
        (level, isStack, rpl, entry) => {
          const t = test[level];
          t.memory.ram.set(saved[level]);
          const fresh = new ProtectedCpu(level).cpu;
          for (let seg = 0; seg < 6; seg++) {
            t.cpu.setSegment(
              seg,
              fresh.segSelector[seg],
              fresh.segBase[seg],
              fresh.segLimit[seg],
              fresh.segAttr[seg],
            );
          }
          t.cpu.cache.clear();
          const selector = FREE | rpl;
          t.gdt(FREE, descriptor(entry)).set({ eip: CODE, esp: 0x2_0000, eax: selector, eflags: 2 });
          t.exec(isStack ? MOV_SS : MOV_DS);
          const fault = expectedFault(isStack, level, selector, entry);
          if (fault !== null) {
            expect(t.caught).toMatchObject({ vector: fault, error: FREE, eip: CODE });
            return;
          }
          const seg = isStack ? SEG_SS : SEG_DS;
          expect(t.caught).toBeNull();
          expect({
            selector: t.cpu.segSelector[seg],
            base: t.cpu.segBase[seg] >>> 0,
            limit: t.cpu.segLimit[seg],
            access: t.cpu.segAttr[seg] & 0xff,
            stored: t.memory.ram[GDT + FREE + 5],
          }).toEqual({
            selector,
            base: entry.base,
            limit: entry.limit,
            access: (entry.type | (entry.dpl << 5) | 0x80 | 1) & 0xff,
            stored: (entry.type | (entry.dpl << 5) | 0x80 | 1) & 0xff,
          });
        },
      ),
      { numRuns: 300 },
    );
  });
});
