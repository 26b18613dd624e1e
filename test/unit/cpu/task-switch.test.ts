import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deliverInterrupt } from '../../../src/cpu/interrupts.ts';
import { SEG_LDTR, SEG_TR } from '../../../src/decoder/insn.ts';
import {
  CODE,
  CODE_XR,
  CODE0,
  CODE3,
  DATA_RO,
  DATA_RW,
  DATA0,
  DATA3,
  type DescriptorIn,
  descriptor,
  FREE,
  gate,
  HANDLERS,
  LDT,
  LDT_SELECTOR,
  ProtectedCpu,
  STACK,
  STACK0,
  TSS,
  TSS_SELECTOR,
} from './protected-driver.ts';

const TS = 10;
const NP = 11;
const SS = 12;
const GP = 13;
const DB = 1;
const NT = 0x4000;
const VM = 1 << 17;
/** The other task: its TSS, and a gate to it. */
const OTHER = FREE;
const OTHER_TSS = 0x6000;
const TASK_GATE = 0x48;
/** A descriptor for the other task's segments. */
const SEGMENT = 0x50;
const OTHER_CODE = 0x1_8000;

const JMP = `ea 00 00 00 00 ${OTHER.toString(16)} 00`;
const CALL = `9a 00 00 00 00 ${OTHER.toString(16)} 00`;
const CALL_GATE = `9a 00 00 00 00 ${TASK_GATE.toString(16)} 00`;
const INT = 'cd 80';

/** Fields of a 32-bit TSS. */
interface TaskIn {
  readonly eip?: number;
  readonly eflags?: number;
  readonly cr3?: number;
  readonly gpr?: readonly number[];
  readonly es?: number;
  readonly cs?: number;
  readonly ss?: number;
  readonly ds?: number;
  readonly fs?: number;
  readonly gs?: number;
  readonly ldt?: number;
  readonly trap?: boolean;
}

function writeTask(test: ProtectedCpu, task: TaskIn): void {
  const gpr = task.gpr ?? [1, 2, 3, 4, 0x2_4000, 6, 7, 8];
  test.dword(OTHER_TSS + 0x1c, task.cr3 ?? 0).dword(OTHER_TSS + 0x20, task.eip ?? OTHER_CODE);
  test.dword(OTHER_TSS + 0x24, task.eflags ?? 2);
  gpr.forEach((value, i) => {
    test.dword(OTHER_TSS + 0x28 + 4 * i, value);
  });
  const { es = DATA0, cs = CODE0, ss = DATA0, ds = DATA0, fs = 0, gs = 0 } = task;
  [es, cs, ss, ds, fs, gs].forEach((selector, i) => {
    test.dword(OTHER_TSS + 0x48 + 4 * i, selector);
  });
  test.dword(OTHER_TSS + 0x60, task.ldt ?? 0).word(OTHER_TSS + 0x64, task.trap === true ? 1 : 0);
}

/** A machine with a second task, and a task gate to it that level 3 may use. */
function twoTasks(task: TaskIn = {}, level: 0 | 3 = 0): ProtectedCpu {
  const test = new ProtectedCpu(level);
  test.gdt(OTHER, descriptor({ type: 9, dpl: level, base: OTHER_TSS, limit: 0x67 }));
  test.gdt(TASK_GATE, gate(5, OTHER, 0, { dpl: 3 }));
  test.idt(0x80, gate(5, OTHER, 0, { dpl: 3 }));
  writeTask(test, task);
  return test;
}

const NAMES = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'] as const;

describe('a task switch', () => {
  it.each<[string, string, number, number, boolean]>([
    ['JMP', JMP, 7, 9, false],
    ['CALL', CALL, 7, 11, true],
    ['CALL through a task gate', CALL_GATE, 7, 11, true],
    ['INT through a task gate', INT, 2, 11, true],
  ])('by %s saves the old task and loads the new one', (_, code, length, oldType, nested) => {
    const test = twoTasks({ cr3: 0x9000, fs: DATA3 });
    test.set({ eax: 11, ecx: 12, edx: 13, ebx: 14, ebp: 16, esi: 17, edi: 18, eflags: 0x8d7 });
    test.cpu.dr[7] = 0x7ff;
    test.exec(code);
    expect(test.caught).toBeNull();
    expect(test.registers('eip', 'cs', 'ss', 'ds', 'es', 'fs', 'gs')).toEqual({
      eip: OTHER_CODE,
      cs: CODE0,
      ss: DATA0,
      ds: DATA0,
      es: DATA0,
      fs: DATA3,
      gs: 0,
    });
    expect(NAMES.map((name) => test.get(name))).toEqual([1, 2, 3, 4, 0x2_4000, 6, 7, 8]);
    expect(test.get('eflags')).toBe(nested ? NT | 2 : 2);
    expect([test.cpu.cr0 & 8, test.cpu.cr3, test.cpu.dr[7]]).toEqual([8, 0x9000, 0x6aa | 0x400]);
    expect([test.access(TSS_SELECTOR) & 15, test.access(OTHER) & 15]).toEqual([oldType, 11]);
    expect([test.cpu.segSelector[SEG_TR], test.cpu.segBase[SEG_TR]]).toEqual([OTHER, OTHER_TSS]);
    expect(test.wordAt(OTHER_TSS)).toBe(nested ? TSS_SELECTOR : 0);
    const saved = Array.from({ length: 16 }, (_v, i) => test.dwordAt(TSS + 0x20 + 4 * i));
    expect(saved).toEqual([
      CODE + length,
      0x8d7,
      11,
      12,
      13,
      14,
      STACK,
      16,
      17,
      18,
      DATA0,
      CODE0,
      DATA0,
      DATA0,
      DATA0,
      DATA0,
    ]);
  });

  it('to a 16-bit TSS reads words; upper halves become ones, FS and GS null', () => {
    const test = new ProtectedCpu().gdt(OTHER, descriptor({ type: 1, base: OTHER_TSS, limit: 0x2b }));
    [0x8000, 2, 1, 2, 3, 4, 0x4000, 6, 7, 8, DATA0, CODE0, DATA0, DATA0, LDT_SELECTOR].forEach((v, i) => {
      test.word(OTHER_TSS + 0x0e + 2 * i, v);
    });
    test.set({ eax: -1 }).exec(CALL);
    expect(test.registers('eip', 'eax', 'esp', 'fs', 'eflags')).toEqual({
      eip: 0x8000,
      eax: 0xffff_0001,
      esp: 0xffff_4000,
      fs: 0,
      eflags: NT | 2,
    });
    expect([test.cpu.segSelector[SEG_LDTR], test.cpu.segBase[SEG_LDTR]]).toEqual([LDT_SELECTOR, LDT]);
    test.exec('cf'); // iret: back to the 32-bit task
    expect(test.registers('eip', 'eax', 'esp')).toEqual({ eip: CODE + 7, eax: 0xffff_ffff, esp: STACK });
    // Saved as words: NT cleared in the image.
    expect([test.wordAt(OTHER_TSS + 0x0e), test.wordAt(OTHER_TSS + 0x10)]).toEqual([0x8001, 2]);
  });

  it('to a task of level 3, and one of virtual-8086 mode', () => {
    const outer = twoTasks({ cs: CODE3, ss: DATA3, ds: DATA3, es: DATA3 }).exec(JMP);
    expect(outer.registers('cs', 'ss', 'eip')).toEqual({ cs: CODE3, ss: DATA3, eip: OTHER_CODE });
    outer.dword(OTHER_TSS + 4, STACK0).dword(OTHER_TSS + 8, DATA0);
    expect(outer.exec('f4').caught).toMatchObject({ vector: GP, error: 0, cs: CODE3 });
    const virtual = twoTasks({ eflags: VM | 2, eip: 0x100, cs: 0x1000, ss: 0x2000, ds: 0x3333 }).exec(JMP);
    expect(virtual.registers('cs', 'ss', 'ds', 'eip')).toEqual({
      cs: 0x1000,
      ss: 0x2000,
      ds: 0x3333,
      eip: 0x100,
    });
    expect(virtual.cpu.segBase[3]).toBe(0x3_3330);
  });

  it('with the T flag ends in a debug trap in the new task', () => {
    const test = twoTasks({ trap: true }).exec(JMP);
    expect(test.caught).toMatchObject({ vector: DB, eip: OTHER_CODE });
    expect(test.cpu.dr[6] & 0xe000).toBe(0x8000);
  });

  it('by an exception saves EFLAGS with RF and pushes the error code in the new task', () => {
    const test = twoTasks({}, 3)
      .idt(GP, gate(5, OTHER, 0))
      .exec('f4');
    expect(test.registers('eip', 'esp')).toEqual({ eip: OTHER_CODE, esp: 0x2_4000 - 4 });
    expect(test.dwordAt(0x2_3ffc)).toBe(0);
    expect([test.dwordAt(TSS + 0x20), test.dwordAt(TSS + 0x24)]).toEqual([CODE, 0x1_0002]);
  });
});

describe('IRET with NT', () => {
  it('goes back: the old TSS is free again, NT clear in its image', () => {
    const test = twoTasks().exec(CALL).exec('cf');
    expect(test.registers('eip', 'esp', 'eflags')).toEqual({ eip: CODE + 7, esp: STACK, eflags: 2 });
    expect([test.access(TSS_SELECTOR) & 15, test.access(OTHER) & 15]).toEqual([11, 9]);
    expect([test.dwordAt(OTHER_TSS + 0x20), test.dwordAt(OTHER_TSS + 0x24)]).toEqual([OTHER_CODE + 1, 2]);
    expect(test.cpu.segSelector[SEG_TR]).toBe(TSS_SELECTOR);
  });

  it.each<[string, number, DescriptorIn, number]>([
    ['an LDT selector', SEGMENT | 4, { type: 11 }, TS],
    ['beyond the GDT', 0x100, { type: 11 }, TS],
    ['a TSS that is not busy', SEGMENT, { type: 9, limit: 0x67 }, TS],
    ['a data segment', SEGMENT, { type: DATA_RW }, TS],
    ['a TSS that is too small', SEGMENT, { type: 11, limit: 0x66 }, TS],
    ['a 16-bit TSS that is too small', SEGMENT, { type: 3, limit: 0x2a }, TS],
    ['a TSS that is not present', SEGMENT, { type: 11, present: false }, NP],
  ])('refuses %s in the old task', (_, link, entry, vector) => {
    const test = new ProtectedCpu()
      .gdt(SEGMENT, descriptor(entry))
      .word(TSS, link)
      .set({ eflags: NT | 2 });
    test.exec('cf');
    expect(test.caught).toEqual({ vector, error: link & 0xfffc, cs: CODE0, eip: CODE });
    expect(test.dwordAt(TSS + 0x20)).toBe(0);
  });
});

describe('a task switch that is refused before its commit point', () => {
  it.each<[string, 0 | 3, string, DescriptorIn, number, number]>([
    ['busy', 0, JMP, { type: 11, limit: 0x67 }, GP, OTHER],
    ['busy, CALL', 0, CALL, { type: 11, limit: 0x67 }, GP, OTHER],
    ['not present', 0, JMP, { type: 9, limit: 0x67, present: false }, NP, OTHER],
    ['too small', 0, JMP, { type: 9, limit: 0x66 }, TS, OTHER],
    ['of an inner level', 3, JMP, { type: 9, limit: 0x67 }, GP, OTHER],
    ['busy, through the gate', 3, CALL_GATE, { type: 11, limit: 0x67 }, GP, OTHER],
    ['no TSS, through the gate', 3, CALL_GATE, { type: 2, limit: 0x67 }, GP, OTHER],
    ['busy, INT', 3, INT, { type: 11, limit: 0x67 }, GP, OTHER],
    ['too small, INT', 3, INT, { type: 9, limit: 0x10 }, TS, OTHER],
  ])('a TSS that is %s leaves the old task as it was', (_, level, code, entry, vector, error) => {
    const test = twoTasks({}, level)
      .gdt(OTHER, descriptor({ ...entry, base: OTHER_TSS }))
      .exec(code);
    expect(test.caught).toEqual({ vector, error, cs: level === 0 ? CODE0 : CODE3, eip: CODE });
    expect([test.dwordAt(TSS + 0x20), test.wordAt(OTHER_TSS), test.access(TSS_SELECTOR) & 15]).toEqual([
      0, 0, 11,
    ]);
    expect([test.cpu.cr0 & 8, test.cpu.segSelector[SEG_TR]]).toEqual([0, TSS_SELECTOR]);
  });

  it('a task gate that is not present, or whose selector is local', () => {
    const absent = twoTasks()
      .gdt(TASK_GATE, gate(5, OTHER, 0, { present: false }))
      .exec(CALL_GATE);
    expect(absent.caught).toMatchObject({ vector: NP, error: TASK_GATE });
    const local = twoTasks()
      .gdt(TASK_GATE, gate(5, OTHER | 4, 0))
      .exec(CALL_GATE);
    expect(local.caught).toMatchObject({ vector: GP, error: OTHER | 4 });
  });
});

describe('a task that cannot be loaded', () => {
  it.each<[string, TaskIn, DescriptorIn, number, number]>([
    ['an LDT that is local', { ldt: 4 }, { type: 2 }, TS, 4],
    ['an LDT that is none', { ldt: SEGMENT }, { type: DATA_RW }, TS, SEGMENT],
    ['an LDT that is not present', { ldt: SEGMENT }, { type: 2, present: false }, TS, SEGMENT],
    ['a null CS', { cs: 0 }, { type: 2 }, TS, 0],
    ['a CS that is data', { cs: SEGMENT }, { type: DATA_RW }, TS, SEGMENT],
    ['a CS whose DPL is not its RPL', { cs: SEGMENT }, { type: CODE_XR, dpl: 3 }, TS, SEGMENT],
    ['a CS that is not present', { cs: SEGMENT }, { type: CODE_XR, present: false }, NP, SEGMENT],
    ['a null SS', { ss: 0 }, { type: DATA_RW }, TS, 0],
    ['an SS of another level', { ss: SEGMENT | 3 }, { type: DATA_RW, dpl: 3 }, TS, SEGMENT],
    ['an SS that cannot be written', { ss: SEGMENT }, { type: DATA_RO }, TS, SEGMENT],
    ['an SS that is not present', { ss: SEGMENT }, { type: DATA_RW, present: false }, SS, SEGMENT],
    ['a DS beyond the GDT', { ds: 0x100 }, { type: DATA_RW }, TS, 0x100],
    ['an ES that is a TSS', { es: SEGMENT }, { type: 9 }, TS, SEGMENT],
    ['an FS that is not present', { fs: SEGMENT }, { type: DATA_RW, present: false }, NP, SEGMENT],
    ['a GS of a level too strong for its RPL', { gs: SEGMENT | 3 }, { type: DATA_RW }, TS, SEGMENT],
  ])('for %s faults in the new task', (_, task, entry, vector, error) => {
    // The handler is a third task, for the new one may have no stack.
    const third = 0x7000;
    const test = twoTasks(task).gdt(SEGMENT, descriptor(entry));
    test.gdt(0x58, descriptor({ type: 9, base: third, limit: 0x67 })).idt(vector, gate(5, 0x58, 0));
    test
      .dword(third + 0x20, HANDLERS + vector)
      .dword(third + 0x24, 2)
      .dword(third + 0x38, 0x8000);
    test.word(third + 0x4c, CODE0).word(third + 0x50, DATA0);
    test.exec(JMP);
    expect(test.registers('eip', 'esp')).toEqual({ eip: HANDLERS + vector, esp: 0x8000 - 4 });
    expect(test.dwordAt(0x8000 - 4)).toBe(error);
    // Third ← second ← first, and the state of the second is that of its TSS.
    expect([test.wordAt(third), test.access(OTHER) & 15, test.access(TSS_SELECTOR) & 15]).toEqual([
      OTHER,
      11,
      9,
    ]);
    expect([test.dwordAt(OTHER_TSS + 0x20), test.dwordAt(TSS + 0x20)]).toEqual([OTHER_CODE, CODE + 7]);
    expect(test.wordAt(OTHER_TSS + 0x4c)).toBe(task.cs ?? CODE0);
  });

  it('has EXT in its error code only when an external event has switched', () => {
    const software = twoTasks({ ds: 0x100 }).exec(INT);
    expect(software.caught).toMatchObject({ vector: TS, error: 0x100, eip: OTHER_CODE });
    const external = twoTasks({ ds: 0x100 });
    deliverInterrupt(external.cpu, 0x80);
    expect(external.caught).toMatchObject({ vector: TS, error: 0x101, eip: OTHER_CODE });
  });
});

describe('there and back', () => {
  it('restores every register of the first task', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 0xffff_ffff }), { minLength: 7, maxLength: 7 }),
        fc.integer({ min: 0, max: 0xffff_ffff }),
        fc.constantFrom(CALL, CALL_GATE, INT),
        fc.boolean(),
        (values, image, code, toVirtual) => {
          const test = twoTasks(
            toVirtual ? { eflags: VM | 0x3002, eip: 0x1_0000 - 0x1000, cs: 0, ss: 0x1000 } : {},
          );
          const [eax, ecx, edx, ebx, ebp, esi, edi] = values;
          // All but VM, NT, TF, and RF, which ends with an instruction.
          const eflags = (image & 0x003c_3ed5) | 2;
          test.set({ eax, ecx, edx, ebx, ebp, esi, edi, eflags });
          const length = code === INT ? 2 : 7;
          const before = test.registers(...NAMES, 'es', 'cs', 'ss', 'ds', 'fs', 'gs', 'eflags');
          const caches = [...test.cpu.segBase, ...test.cpu.segLimit, ...test.cpu.segAttr];
          test.exec(code);
          expect(test.get('esp')).toBe(0x2_4000);
          if (toVirtual) {
            // The way back is INT 81H to level 0 of the same task, which IRETs with NT.
            test.dword(OTHER_TSS + 4, STACK0).dword(OTHER_TSS + 8, DATA0);
            test.idt(0x81, gate(14, CODE0, OTHER_CODE, { dpl: 3 })).exec('cd 81');
            expect(test.get('eip')).toBe(OTHER_CODE);
            test.set({ eflags: NT | 2 });
          }
          test.exec('cf');
          expect(test.registers(...NAMES, 'es', 'cs', 'ss', 'ds', 'fs', 'gs', 'eflags')).toEqual(before);
          expect(test.get('eip')).toBe(CODE + length);
          // The LDT is in no saved field, but in that of the first TSS: none.
          const after = [...test.cpu.segBase, ...test.cpu.segLimit, ...test.cpu.segAttr];
          for (const at of [SEG_LDTR, 8 + SEG_LDTR, 16 + SEG_LDTR]) after[at] = caches[at];
          expect(after).toEqual(caches);
        },
      ),
      { numRuns: 100 },
    );
  });
});
