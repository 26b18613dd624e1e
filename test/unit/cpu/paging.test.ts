/** Page walks as a guest sees them: who may what, error codes, CR2, accessed and dirty flags, when the TLB forgets. */
import { describe, expect, it } from 'vitest';
import { setCr0, setCr3, setCr4, setEfer } from '../../../src/cpu/control-registers.ts';
import {
  EBX,
  ESP,
  X86_CR0_PG,
  X86_CR0_WP,
  X86_CR4_PAE,
  X86_CR4_PGE,
  X86_CR4_PSE,
} from '../../../src/cpu/registers.ts';
import { SEG_DS, SEG_TR } from '../../../src/decoder/insn.ts';
import { EXIT_REASON_EPT_VIOLATION, EXIT_REASON_TRIPLE_FAULT } from '../../../src/uapi/vmx.ts';
import { A, D, G, NX, P, PagedCpu, PS, RAM_BYTES, RW, TSS, US } from './paged-cpu.ts';

const PF = 14;
const GP = 13;
/** Where the code lies, linear = physical; user pages. */
const CODE = 0x10_0000;
/** Where the operand lies. */
const DATA = 0x40_0000 * 3;
const FRAME = 0x20_0000;
const LOAD = '8b 03'; // mov eax,[ebx]
const STORE = '89 03'; // mov [ebx],eax
const ADD = '01 03'; // add [ebx],eax
const INVLPG = '0f 01 3b'; // invlpg [ebx]

function machine(kind: '32-bit' | 'pae' = '32-bit'): PagedCpu {
  return new PagedCpu(kind).map(CODE, CODE, P | US).map(CODE + 0x1000, CODE + 0x1000, P | US);
}

/** Runs one instruction with EBX at `linear`. */
function access(test: PagedCpu, level: 0 | 3, code: string, linear: number): PagedCpu {
  test.level(level).code(CODE, CODE, code);
  test.cpu.gpr[ESP] = 0x4000;
  test.cpu.gpr[EBX] = linear;
  test.run();
  return test;
}

describe.each(['32-bit', 'pae'] as const)('the rights of a page, %s', (kind) => {
  // [page flags, level, access, error code or null]
  it.each<[string, number, 0 | 3, string, number | null]>([
    ['not present, user reads', 0, 3, LOAD, 4],
    ['not present, user writes', 0, 3, STORE, 6],
    ['not present, user modifies: a write', 0, 3, ADD, 6],
    ['not present, supervisor reads', 0, 0, LOAD, 0],
    ['not present, supervisor writes', 0, 0, STORE, 2],
    ['user page, user reads', P | US, 3, LOAD, null],
    ['user page, user writes', P | US, 3, STORE, 7],
    ['user page, user modifies', P | US, 3, ADD, 7],
    ['writable user page, user writes', P | US | RW, 3, STORE, null],
    ['supervisor page, user reads', P | RW, 3, LOAD, 5],
    ['supervisor page, user writes', P | RW, 3, STORE, 7],
    ['supervisor page, supervisor reads', P, 0, LOAD, null],
    ['read-only page, supervisor writes with WP', P, 0, STORE, 3],
    ['writable supervisor page, supervisor writes', P | RW, 0, STORE, null],
  ])('%s', (_, flags, level, code, error) => {
    const test = machine(kind).map(DATA, FRAME, flags);
    access(test, level, code, DATA + 0x123);
    if (error === null) expect(test.event).toBeNull();
    else {
      expect(test.event).toMatchObject({ vector: PF, errorCode: error, eip: CODE });
      expect(test.cpu.cr2).toBe(DATA + 0x123);
    }
  });

  it('is that of directory and table together', () => {
    for (const [pde, error] of [
      [P | US, 7],
      [P | RW, 7],
      [RW | US, 6],
      [P | RW | US, null],
    ] as const) {
      const test = machine(kind).map(DATA, FRAME, P | RW | US);
      test.entry(test.pdeAt(DATA), (test.memory.view.getUint32(test.pdeAt(DATA), true) & ~0xfff) | pde);
      expect(access(test, 3, STORE, DATA).event?.errorCode ?? null).toBe(error);
    }
  });

  it('does not hold the supervisor back from writing with WP = 0', () => {
    const test = machine(kind).map(DATA, FRAME, P | US);
    setCr0(test.cpu, test.cpu.cr0 & ~X86_CR0_WP);
    expect(access(test, 0, STORE, DATA).event).toBeNull();
    expect(access(test, 3, STORE, DATA).event).toMatchObject({ vector: PF, errorCode: 7 });
  });

  it('lets the supervisor and the user have their own entries of one page', () => {
    const test = machine(kind).map(DATA, FRAME, P | RW);
    expect(access(test, 0, STORE, DATA).event).toBeNull();
    expect(access(test, 3, LOAD, DATA).event).toMatchObject({ errorCode: 5 });
    expect(access(test, 0, LOAD, DATA).event).toBeNull();
  });
});

describe.each(['32-bit', 'pae'] as const)('accessed and dirty flags, %s', (kind) => {
  it('are set by the first read, the first write', () => {
    const test = machine(kind).map(DATA, FRAME, P | RW | US);
    const pte = test.pteAt(DATA);
    const pde = test.pdeAt(DATA);
    expect(test.flagsAt(pde) & (A | D)).toBe(0);
    access(test, 3, LOAD, DATA);
    expect(test.flagsAt(pte) & (A | D)).toBe(A);
    expect(test.flagsAt(pde) & (A | D)).toBe(A);
    access(test, 3, STORE, DATA);
    expect(test.flagsAt(pte) & (A | D)).toBe(A | D);
    expect(test.flagsAt(pde) & (A | D)).toBe(A);
  });

  it('stay clear where the access is refused', () => {
    const test = machine(kind).map(DATA, FRAME, P | US);
    access(test, 3, STORE, DATA);
    expect(test.flagsAt(test.pteAt(DATA)) & (A | D)).toBe(0);
  });

  it('are not written in read-only memory, and the store goes on', () => {
    const test = machine(kind).map(DATA, FRAME, P | RW | US);
    const at = test.pteAt(DATA);
    test.memory.protectRange(at & ~0xfff, 0x1000);
    access(test, 3, STORE, DATA);
    expect(test.event).toBeNull();
    expect(test.flagsAt(at) & (A | D)).toBe(0);
  });

  it('are written into tables outside the direct window too', () => {
    const test = machine(kind);
    const table = new Uint8Array(0x1000);
    test.memory.addSlot(1, 0x8000_0000, table, false);
    const index = kind === 'pae' ? ((DATA >>> 12) & 0x1ff) * 8 : ((DATA >>> 12) & 0x3ff) * 4;
    new DataView(table.buffer).setUint32(index, FRAME | P | RW | US, true);
    test.entry(test.pdeAt(DATA), 0x8000_0000 + (P | RW | US));
    expect(access(test, 3, STORE, DATA).event).toBeNull();
    expect(table[index] & (A | D)).toBe(A | D);
  });
});

describe('large pages', () => {
  it('of 4 MiB take the offset from 22 bits, and their dirty flag is in the directory', () => {
    const test = machine();
    test.entry(test.pdeAt(DATA), P | RW | US | PS);
    access(test, 3, LOAD, DATA + 0x12_3456);
    expect(test.event).toBeNull();
    expect(test.flagsAt(test.pdeAt(DATA)) & (A | D)).toBe(A);
    access(test, 3, '88 03', DATA + 0x12_3456); // mov [ebx],al
    expect(test.memory.ram[0x12_3456]).toBe(test.cpu.gpr[0] & 0xff);
    expect(test.flagsAt(test.pdeAt(DATA)) & (A | D)).toBe(A | D);
  });

  it('are page tables without CR4.PSE', () => {
    const test = machine().map(DATA, FRAME, P | RW | US);
    setCr4(test.cpu, 0);
    test.entry(test.pdeAt(DATA), test.memory.view.getUint32(test.pdeAt(DATA), true) | PS);
    test.memory.ram[FRAME + 5] = 0x77;
    access(test, 3, '8a 03', DATA + 5); // mov al,[ebx]
    expect(test.cpu.gpr[0] & 0xff).toBe(0x77);
  });

  it('of 2 MiB take the offset from 21 bits', () => {
    const test = machine('pae');
    test.entry(test.pdeAt(DATA), 0x20_0000 + (P | RW | US | PS));
    access(test, 3, '88 03', DATA + 0x1f_fff0);
    expect(test.memory.ram[0x3f_fff0]).toBe(test.cpu.gpr[0] & 0xff);
  });

  it.each<[string, '32-bit' | 'pae', number, number]>([
    ['4 MiB, bit 17', '32-bit', 1 << 17, 0],
    ['4 MiB, bit 21', '32-bit', 1 << 21, 0],
    ['2 MiB, bit 13', 'pae', 1 << 13, 0],
    ['2 MiB, bit 20', 'pae', 1 << 20, 0],
    ['2 MiB, bit 36', 'pae', 0, 0x10],
  ])('with a reserved bit are a fault that says so: %s', (_, kind, bit, high) => {
    const test = machine(kind);
    test.entry(test.pdeAt(DATA), bit + (P | RW | US | PS), high);
    expect(access(test, 3, LOAD, DATA).event).toMatchObject({ vector: PF, errorCode: 0xd });
  });

  it('reach above 4 GiB with PSE-36, where no memory is', () => {
    const test = machine();
    test.entry(test.pdeAt(DATA), (1 << 13) | P | RW | US | PS);
    test.level(3).code(CODE, CODE, LOAD);
    test.cpu.gpr[EBX] = DATA + 0x10;
    expect(test.run()).toBe(EXIT_REASON_EPT_VIOLATION);
    expect(test.cpu.exitGuestPhysicalAddress).toBe(2 ** 32 + 0x10);
  });
});

describe('PAE', () => {
  it.each([36, 51, 62])('entries with bit %i set are reserved', (bit) => {
    const test = machine('pae').map(DATA, FRAME, P | RW | US, 2 ** (bit - 32));
    expect(access(test, 3, LOAD, DATA).event).toMatchObject({ vector: PF, errorCode: 0xd });
  });

  it('entries with bit 63 are reserved without EFER.NXE', () => {
    const test = machine('pae').map(DATA, FRAME, P | RW | US, NX);
    expect(access(test, 3, LOAD, DATA).event).toBeNull();
    setEfer(test.cpu, 0, 0);
    expect(access(test, 3, LOAD, DATA).event).toMatchObject({ vector: PF, errorCode: 0xd });
  });

  it('refuses to execute a page with NX, with the fetch bit', () => {
    const test = machine('pae').map(DATA, FRAME, P | RW | US, NX);
    test.level(3).code(DATA, FRAME, '90').run();
    expect(test.event).toMatchObject({ vector: PF, errorCode: 0x15, eip: DATA });
    expect(test.cpu.cr2).toBe(DATA);
  });

  it('has no fetch bit without EFER.NXE', () => {
    const test = machine('pae');
    setEfer(test.cpu, 0, 0);
    test.level(3).code(DATA, FRAME, '90').run();
    expect(test.event).toMatchObject({ vector: PF, errorCode: 4 });
  });

  it('leads above 4 GiB: no memory', () => {
    const test = machine('pae').map(DATA, FRAME, P | RW | US, 2);
    test.level(3).code(CODE, CODE, STORE);
    test.cpu.gpr[EBX] = DATA;
    expect(test.run()).toBe(EXIT_REASON_EPT_VIOLATION);
    expect(test.cpu.exitGuestPhysicalAddress).toBe(2 ** 33 + FRAME);
  });

  it('keeps the directory pointers until CR3 is loaded', () => {
    const test = machine('pae').map(DATA, FRAME, P | RW | US);
    test.memory.view.setUint32(0xf000, 0, true);
    test.cpu.flushTlb();
    expect(access(test, 3, LOAD, DATA).event).toBeNull();
    expect(setCr3(test.cpu, 0xf000)).toBe(true);
    expect(access(test, 0, LOAD, DATA).event).toBeNull();
    expect(test.cpu.activityState).toBe(2);
  });

  it.each<[string, number, number]>([
    ['bit 1', 0x1_0003, 0],
    ['bit 5', 0x1_0021, 0],
    ['bit 8', 0x1_0101, 0],
    ['bit 36', 0x1_0001, 0x10],
  ])('refuses a directory pointer with a reserved bit: %s', (_, low, high) => {
    const test = machine('pae').entry(0xf018, low, high);
    const before = [...test.cpu.pdptes];
    access(test, 0, '0f 22 db', 0xf000); // mov cr3,ebx
    expect(test.event).toMatchObject({ vector: GP, errorCode: 0 });
    expect([...test.cpu.pdptes]).toEqual(before);
  });

  it('loads no directory pointers from a hole', () => {
    const test = machine('pae');
    expect(access(test, 0, '0f 22 db', 0x9000_0000).event).toMatchObject({ vector: GP });
  });
});

describe('control registers', () => {
  it.each<[string, string, number]>([
    ['PG without PE', '0f 22 c3', 0x8000_0010],
    ['NW without CD', '0f 22 c3', 0xa000_0011],
    ['a CR4 bit that does not exist', '0f 22 e3', 1 << 20],
  ])('refuse %s', (_, code, value) => {
    const test = machine();
    const { cr0, cr4 } = test.cpu;
    expect(access(test, 0, code, value).event).toMatchObject({ vector: GP, errorCode: 0 });
    expect([test.cpu.cr0, test.cpu.cr4]).toEqual([cr0, cr4]);
  });

  it('refuse the change to PAE while the pointers at CR3 are bad, and keep paging as it was', () => {
    const test = machine();
    test.memory.view.setUint32(0x1_0000, 0x1e7, true);
    access(test, 0, '0f 22 e3', X86_CR4_PAE);
    expect(test.event ?? test.cpu.activityState).not.toBeNull();
    expect(test.cpu.cr4 & X86_CR4_PAE).toBe(0);
  });

  it('WRMSR sets EFER.NXE and nothing else', () => {
    const test = machine('pae');
    const efer = [1 << 11, 0xc000_0080 | 0, 0];
    test.level(0).code(CODE, CODE, '0f 30', efer).run(); // wrmsr
    expect([test.cpu.efer, test.event]).toEqual([1 << 11, null]);
    test.level(0).code(CODE, CODE, '0f 30', [0x500, 0xc000_0080 | 0, 0]);
    test.cpu.gpr[ESP] = 0x4000;
    test.run();
    expect(test.event).toMatchObject({ vector: GP });
    expect(test.cpu.efer).toBe(1 << 11);
  });

  it('paging can be turned on and off by the guest', () => {
    const test = machine().map(DATA, FRAME, P | RW | US);
    test.memory.ram[FRAME] = 0x5a;
    test.level(0);
    setCr0(test.cpu, test.cpu.cr0 & ~X86_CR0_PG);
    // mov cr0,ecx; mov al,[ebx]; mov cr0,edx
    test.code(CODE, CODE, '0f 22 c1 8a 03 0f 22 c2', [0, 0x8001_0011 | 0, 0x1_0011, DATA]).run(3);
    expect(test.cpu.gpr[0]).toBe(0x5a);
    expect(test.cpu.cr0 & X86_CR0_PG).toBe(0);
  });
});

describe('the TLB', () => {
  const ways: [string, (test: PagedCpu) => void][] = [
    ['INVLPG', (test) => access(test, 0, INVLPG, DATA)],
    ['a load of CR3', (test) => access(test, 0, '0f 22 db', test.cpu.cr3)],
    ['a change of CR4.PGE', (test) => void setCr4(test.cpu, test.cpu.cr4 ^ X86_CR4_PGE)],
    ['a change of CR4.PSE', (test) => void setCr4(test.cpu, test.cpu.cr4 ^ X86_CR4_PSE)],
    ['a change of CR0.WP', (test) => void setCr0(test.cpu, test.cpu.cr0 ^ X86_CR0_WP)],
    [
      'a change of CR0.PG',
      (test) => {
        const { cr0 } = test.cpu;
        setCr0(test.cpu, cr0 & ~X86_CR0_PG);
        setCr0(test.cpu, cr0);
      },
    ],
  ];

  it.each(ways)('forgets by %s', (_, forget) => {
    const test = machine().map(DATA, FRAME, P | US);
    access(test, 3, LOAD, DATA);
    test.map(DATA, FRAME, 0);
    expect(access(test, 3, LOAD, DATA).event).toBeNull();
    forget(test);
    expect(access(test, 3, LOAD, DATA).event).toMatchObject({ vector: PF, errorCode: 4 });
  });

  it.each<[string, boolean, (test: PagedCpu) => void]>([
    ['stays through a load of CR3', true, (test) => access(test, 0, '0f 22 db', test.cpu.cr3)],
    ['goes with INVLPG', false, (test) => access(test, 0, INVLPG, DATA)],
    ['goes with CR4.PGE', false, (test) => void setCr4(test.cpu, test.cpu.cr4 & ~X86_CR4_PGE)],
  ])('a global page %s', (_, stays, forget) => {
    const test = machine().map(DATA, FRAME, P | US | G);
    access(test, 3, LOAD, DATA);
    test.map(DATA, FRAME, 0);
    forget(test);
    expect(access(test, 3, LOAD, DATA).event === null).toBe(stays);
  });

  it('INVLPG forgets the whole of a large page', () => {
    const test = machine();
    test.entry(test.pdeAt(DATA), P | US | PS);
    access(test, 3, LOAD, DATA + 0x5000);
    test.entry(test.pdeAt(DATA), 0);
    access(test, 0, INVLPG, DATA + 0x12_0000);
    expect(access(test, 3, LOAD, DATA + 0x5000).event).toMatchObject({ vector: PF });
  });

  it('needs no INVLPG for a page that has become less restrictive', () => {
    const test = machine().map(DATA, FRAME, P | US);
    access(test, 3, LOAD, DATA);
    test.map(DATA, FRAME, P | RW | US);
    expect(access(test, 3, STORE, DATA).event).toBeNull();
  });

  it('forgets what leads to memory that is taken away', () => {
    const test = machine().map(DATA, 0x8000_0000, P | RW | US);
    test.memory.addSlot(1, 0x8000_0000, new Uint8Array(0x1000), false);
    expect(access(test, 3, STORE, DATA).event).toBeNull();
    test.memory.removeSlot(1);
    test.level(3).code(CODE, CODE, LOAD);
    test.cpu.gpr[EBX] = DATA;
    expect(test.run()).toBe(EXIT_REASON_EPT_VIOLATION);
  });

  it('forgets when a page is watched, so that the next store is seen', () => {
    const test = machine().map(DATA, FRAME, P | RW | US);
    access(test, 3, STORE, DATA);
    test.memory.restrict(FRAME >>> 12, 1, 2);
    access(test, 3, STORE, DATA);
    expect(test.memory.pageFlags[FRAME >>> 12] & 2).toBe(0);
  });

  it('is bounded: more pages than it holds are all right', () => {
    const test = machine();
    for (let i = 0; i < 512; i++) test.entry(test.pdeAt(i * 0x40_0000 + 0x8000_0000), P | RW | US | PS);
    test.level(0);
    for (let page = 0x8_0000; page < 0x8_0000 + 70_000; page++) {
      test.cpu.tlbs.supervisor.enter(page, page & 0x3ff, 0);
    }
    expect(access(test, 0, LOAD, 0x8000_0000).event).toBeNull();
  });
});

describe('an access across two pages', () => {
  const SECOND = DATA + 0x1000;

  it('joins pages that are not neighbours', () => {
    const test = machine()
      .map(DATA, FRAME, P | RW | US)
      .map(SECOND, FRAME + 0x8000, P | RW | US);
    test.memory.ram.set([1, 2], FRAME + 0xffe);
    test.memory.ram.set([3, 4], FRAME + 0x8000);
    access(test, 3, LOAD, SECOND - 2);
    expect(test.cpu.gpr[0]).toBe(0x0403_0201);
    test.cpu.gpr[0] = 0x7788_99aa;
    access(test, 3, STORE, SECOND - 1);
    expect([
      test.memory.ram[FRAME + 0xfff],
      ...test.memory.ram.slice(FRAME + 0x8000, FRAME + 0x8003),
    ]).toEqual([0xaa, 0x99, 0x88, 0x77]);
  });

  it.each<[string, number, number, number]>([
    ['the first', 0, P | RW | US, SECOND - 2],
    ['the second', P | RW | US, 0, SECOND],
    ['both: the first is told', 0, 0, SECOND - 2],
  ])('faults on %s, and nothing is stored', (_, first, second, cr2) => {
    const test = machine()
      .map(DATA, FRAME, first)
      .map(SECOND, FRAME + 0x8000, second);
    access(test, 3, STORE, SECOND - 2);
    expect(test.event).toMatchObject({ vector: PF, errorCode: 6 });
    expect(test.cpu.cr2).toBe(cr2);
    expect(test.memory.ram.subarray(FRAME, FRAME + 0x9000).some((byte) => byte !== 0)).toBe(false);
  });

  it('into read-only pages faults on the page that is', () => {
    const test = machine()
      .map(DATA, FRAME, P | RW | US)
      .map(SECOND, FRAME + 0x1000, P | US);
    access(test, 3, ADD, SECOND - 1);
    expect(test.event).toMatchObject({ vector: PF, errorCode: 7 });
    expect(test.cpu.cr2).toBe(SECOND);
  });
});

describe('the processor itself', () => {
  it('reads descriptor tables, TSS and inner stack as the supervisor while the program is at level 3', () => {
    const test = machine();
    access(test, 3, 'cc', 0); // int3, through the gate
    expect(test.event).toMatchObject({ vector: 3, eip: CODE + 1 });
  });

  it('a page fault of the inner stack while #GP is delivered is a page fault of the supervisor', () => {
    const test = machine();
    // The inner stack leads to a page that is not there; the second delivery finds the same: double, then triple fault.
    test.memory.view.setUint32(TSS + 4, DATA + 0x800, true);
    test.level(3).code(CODE, CODE, 'f4'); // hlt: #GP
    expect(test.run()).toBe(EXIT_REASON_TRIPLE_FAULT);
    expect(test.cpu.cr2).toBe(DATA + 0x7fc);
  });

  it('a page fault on the way to a #PF is a double fault', () => {
    const test = machine();
    // The gate of #PF leads to a code segment beyond the GDT: #GP while #PF is delivered.
    test.memory.view.setUint16(0x2000 + PF * 8 + 2, 0x48, true);
    access(test, 3, LOAD, DATA);
    expect(test.event).toMatchObject({ vector: 8, errorCode: 0 });
    expect(test.cpu.cr2).toBe(DATA);
  });

  it('a page fault of the TSS bitmap is a page fault of the I/O instruction', () => {
    const test = machine();
    test.cpu.setSegment(SEG_TR, 0x28, (DATA + 0xfa0) | 0, 0x2067, 0x8b);
    test.map(DATA, FRAME, P | RW);
    test.memory.view.setUint32(FRAME + 0xfa4, 0x5000, true);
    test.memory.view.setUint16(FRAME + 0xfa8, 0x10, true);
    expect(access(test, 3, 'e4 80', 0).event).toMatchObject({ vector: PF, errorCode: 0, eip: CODE });
    expect(test.cpu.cr2).toBe(DATA + 0x1006);
  });
});

describe('memory that is not plain', () => {
  it('page tables in a hole are not present', () => {
    const test = machine();
    test.entry(test.pdeAt(DATA), 0xa000_0000 + (P | RW | US));
    expect(access(test, 3, LOAD, DATA).event).toMatchObject({ vector: PF, errorCode: 4 });
  });

  it('a mapped hole leaves as an EPT violation with its physical address', () => {
    const test = machine().map(DATA, 0xfec0_0000, P | RW | US);
    test.level(3).code(CODE, CODE, STORE);
    test.cpu.gpr[EBX] = DATA + 0x10;
    expect(test.run()).toBe(EXIT_REASON_EPT_VIOLATION);
    expect(test.cpu.exitGuestPhysicalAddress).toBe(0xfec0_0010);
  });

  it('the A20 gate masks what the walk finds', () => {
    const test = machine().map(DATA, 0x30_0000, P | RW | US);
    test.memory.ram[0x20_0000] = 0x99;
    test.cpu.a20Mask = ~0x10_0000;
    test.map(CODE, 0x22_1000, P | US);
    test.level(3).code(CODE, 0x22_1000, '8a 03');
    test.cpu.gpr[EBX] = DATA;
    test.run();
    expect(test.event).toBeNull();
    expect(test.cpu.gpr[0] & 0xff).toBe(0x99);
  });

  it('is the same for a segment with a base', () => {
    const test = machine().map(DATA, FRAME, P | RW | US);
    test.memory.ram[FRAME + 0x44] = 0x21;
    test.level(3).code(CODE, CODE, '8a 03');
    test.cpu.setSegment(SEG_DS, 0x23, DATA - 0x100, 0xffff_ffff, 0xc0f3);
    test.cpu.gpr[EBX] = 0x144;
    test.run();
    expect(test.cpu.gpr[0] & 0xff).toBe(0x21);
  });

  it('ends at the end of RAM', () => {
    const test = machine().map(DATA, RAM_BYTES, P | RW | US);
    test.level(3).code(CODE, CODE, LOAD);
    test.cpu.gpr[EBX] = DATA;
    expect(test.run()).toBe(EXIT_REASON_EPT_VIOLATION);
  });
});
