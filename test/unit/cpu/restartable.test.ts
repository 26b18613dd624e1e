/**
 * Under paging: with any one page of what they touch absent or read-only, stack instructions, far transfers, events and task
 * switches either complete or leave every register and byte as it was. Exceptions have no gate here, so a fault shows as a
 * shutdown, which must not change anything either.
 */
import { describe, expect, it } from 'vitest';
import { getEflags } from '../../../src/cpu/flags.ts';
import {
  CODE0,
  CODE3,
  DATA3,
  descriptor,
  FREE,
  gate,
  HANDLERS,
  IDT,
  ProtectedCpu,
} from './protected-driver.ts';

const PAGE_DIRECTORY = 0xf_0000;
const PAGE_TABLE = 0xf_1000;
const OTHER_TSS = 0x6000;
/** Just above a page boundary, so that frames cross it. */
const ESP = 0x2_0004;
/** GDT and LDT, IDT, TSS, the other TSS, both pages of the stack, the inner stack. */
const PAGES = [0x1, 0x2, 0x4, 0x6, 0x1f, 0x20, 0x27, 0x28];
const GATE = 0x48;
const NT = 0x4000;

/** `level`, instruction, and what is on the stack. */
type Scenario = readonly [
  name: string,
  level: 0 | 3,
  code: string,
  frame: readonly number[],
  faults: readonly number[],
];

const scenarios: readonly Scenario[] = [
  ['pusha', 3, '60', [], [0x1f, 0x20]],
  ['popa', 3, '61', [], [0x20]],
  ['enter 8,3', 3, 'c8 08 00 03', [], [0x1f, 0x20]],
  ['push dword [esp-8]', 3, 'ff 74 24 f8', [], [0x1f, 0x20]],
  ['call far', 3, '9a 00 04 01 00 1b 00', [], [0x1, 0x1f, 0x20]],
  [
    'call gate with parameters',
    3,
    `9a 00 00 00 00 ${GATE.toString(16)} 00`,
    [1, 2],
    [0x1, 0x4, 0x20, 0x27, 0x28],
  ],
  ['int through a gate', 3, 'cd 80', [], [0x1, 0x2, 0x4, 0x27, 0x28]],
  ['int on the same level', 0, 'cd 80', [], [0x1, 0x2, 0x1f, 0x20]],
  ['retf to an outer level', 0, 'cb', [0x1_0400, CODE3, 0x5000, DATA3], [0x1, 0x20]],
  ['iret to an outer level', 0, 'cf', [0x1_0400, CODE3, 2, 0x5000, DATA3], [0x1, 0x20]],
  ['iret to virtual-8086 mode', 0, 'cf', [0x100, 0x1000, 0x2_0002, 0, 0, 0, 0, 0, 0], [0x20]],
  ['jmp to a TSS', 0, `ea 00 00 00 00 ${FREE.toString(16)} 00`, [], [0x1, 0x4, 0x6]],
  ['call to a TSS', 0, `9a 00 00 00 00 ${FREE.toString(16)} 00`, [], [0x1, 0x4, 0x6]],
  ['ltr', 0, '0f 00 d8', [], [0x1]],
  ['mov ds', 3, '8e d8', [], [0x1]],
];

/** A paged machine in which the flags of one page are `flags`. */
function machine([, level, code, frame]: Scenario, page: number, flags: number): ProtectedCpu {
  const test = new ProtectedCpu(level);
  const { cpu } = test;
  // Gates of everything but INT 80H go.
  test.memory.ram.fill(0, IDT, IDT + 0x80 * 8);
  test.dword(0x4004, 0x2_8004);
  test.gdt(FREE, descriptor({ type: 9, base: OTHER_TSS, limit: 0x67 }));
  test.gdt(GATE, gate(12, CODE0, HANDLERS, { dpl: 3, count: 2 }));
  test
    .dword(OTHER_TSS + 0x1c, PAGE_DIRECTORY)
    .dword(OTHER_TSS + 0x20, 0x1_0400)
    .dword(OTHER_TSS + 0x24, 2)
    .dword(OTHER_TSS + 0x38, 0x5000);
  test.word(OTHER_TSS + 0x4c, CODE0).word(OTHER_TSS + 0x50, 0x10);
  for (const [i, value] of frame.entries()) test.dword(ESP + 4 * i, value);
  test.set({ esp: ESP, ebp: 0x2_0100, eax: level === 0 ? FREE : DATA3 }).code(code);
  test.dword(PAGE_DIRECTORY, PAGE_TABLE | 0x27);
  for (let i = 0; i < 256; i++) test.dword(PAGE_TABLE + 4 * i, (i << 12) | (i === page ? flags : 0x67));
  cpu.cr3 = PAGE_DIRECTORY;
  // PG, WP, PE
  cpu.cr0 = 0x8001_0011 | 0;
  cpu.flushTlb();
  return test;
}

/** Everything but the page tables (accessed and dirty flags) and CR2. */
function stateOf({ cpu, memory }: ProtectedCpu): object {
  return {
    gpr: [...cpu.gpr],
    eip: cpu.eip,
    eflags: getEflags(cpu),
    selectors: [...cpu.segSelector],
    bases: [...cpu.segBase],
    limits: [...cpu.segLimit],
    rights: [...cpu.segAttr],
    cr0: cpu.cr0,
    cr3: cpu.cr3,
    memory: Buffer.from(memory.ram.slice(0, PAGE_DIRECTORY)).toString('latin1'),
  };
}

const SHUTDOWN = 2;
const ABSENT = 0x66;
const READ_ONLY = 0x65;

describe.each(scenarios)('%s', (...scenario) => {
  const [, level, , , faults] = scenario;

  it.each(PAGES)('with page %i absent completes, or has changed nothing', (page) => {
    const test = machine(scenario, page, ABSENT);
    const before = stateOf(test);
    const { eip } = test.cpu;
    test.run(1);
    expect(test.cpu.activityState === SHUTDOWN).toBe(faults.includes(page));
    if (faults.includes(page)) expect(stateOf(test)).toEqual(before);
    else expect(test.cpu.eip).not.toBe(eip);
  });

  it.each(PAGES)('with page %i read-only the same', (page) => {
    const test = machine(scenario, page, READ_ONLY);
    const before = stateOf(test);
    test.run(1);
    if (test.cpu.activityState !== SHUTDOWN) return;
    expect(faults.concat(level === 3 ? [0x20] : [])).toContain(page);
    expect(stateOf(test)).toEqual(before);
  });
});

describe('a task switch back under paging', () => {
  it.each([0x1, 0x4, 0x6])('with page %i absent changes nothing', (page) => {
    const scenario: Scenario = ['iret', 0, 'cf', [], []];
    const test = machine(scenario, page, ABSENT);
    test
      .gdt(FREE, descriptor({ type: 11, base: OTHER_TSS, limit: 0x67 }))
      .word(0x4000, FREE)
      .set({ eflags: NT | 2 });
    const before = stateOf(test);
    test.run(1);
    expect([test.cpu.activityState, stateOf(test)]).toEqual([SHUTDOWN, before]);
  });
});
