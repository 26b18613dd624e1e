/** Instruction fetch under paging: which page the bytes come from, faults, aliases and self-modifying code. */
import { describe, expect, it } from 'vitest';
import { EAX, EBX, ESP } from '../../../src/cpu/registers.ts';
import { EXIT_REASON_EPT_VIOLATION } from '../../../src/uapi/vmx.ts';
import { P, PagedCpu, RW, US } from './paged-cpu.ts';

const PF = 14;
const CODE = 0x1000_0000;
const FRAME = 0x20_0000;
const FAR_FRAME = 0x30_5000;

describe('a fetch', () => {
  it('of a page that is not there is #PF with CR2 = EIP', () => {
    const test = new PagedCpu().level(3).code(CODE + 0x10, FRAME, '90');
    test.run();
    expect(test.event).toMatchObject({ vector: PF, errorCode: 4, eip: CODE + 0x10 });
    expect(test.cpu.cr2).toBe(CODE + 0x10);
  });

  it('of a supervisor page at level 3 is #PF', () => {
    const test = new PagedCpu().map(CODE, FRAME, P).level(3).code(CODE, FRAME, '90');
    test.run();
    expect(test.event).toMatchObject({ vector: PF, errorCode: 5 });
  });

  it('runs the instruction from the physical page, whatever lies at the linear address', () => {
    const test = new PagedCpu()
      .map(CODE, FRAME, P | US)
      .level(3)
      .code(CODE, FRAME, '40 40', [7]);
    test.run(2);
    expect(test.cpu.gpr[EAX]).toBe(9);
  });

  it('joins an instruction across pages that are not neighbours', () => {
    const test = new PagedCpu().map(CODE, FRAME, P | US).map(CODE + 0x1000, FAR_FRAME, P | US);
    test.level(3).code(CODE + 0xffe, FRAME + 0xffe, 'b8 44'); // mov eax,11223344h
    test.memory.write(FAR_FRAME, Uint8Array.of(0x33, 0x22, 0x11));
    test.run();
    expect(test.cpu.gpr[EAX]).toBe(0x1122_3344);
    // From the cache too, and again after the second page has moved.
    test.memory.write(FRAME, Uint8Array.of(0x66, 0x55, 0x44));
    test.cpu.eip = CODE + 0xffe;
    test.run();
    expect(test.cpu.gpr[EAX]).toBe(0x1122_3344);
    test.map(CODE + 0x1000, FRAME, P | US);
    test.cpu.flushTlb();
    test.cpu.eip = CODE + 0xffe;
    test.run();
    expect(test.cpu.gpr[EAX]).toBe(0x4455_6644);
  });

  it('whose second page is not there is #PF with CR2 = its start, decoded before or not', () => {
    const test = new PagedCpu().map(CODE, FRAME, P | US).level(3);
    test.code(CODE + 0xffe, FRAME + 0xffe, 'b8 44');
    test.run();
    expect(test.event).toMatchObject({ vector: PF, errorCode: 4, eip: CODE + 0xffe });
    expect(test.cpu.cr2).toBe(CODE + 0x1000);

    test
      .map(CODE + 0x1000, FAR_FRAME, P | US)
      .level(3)
      .code(CODE + 0xffe, FRAME + 0xffe, 'b8 44');
    test.run();
    expect(test.event).toBeNull();
    test
      .map(CODE + 0x1000, 0, 0)
      .level(3)
      .code(CODE + 0xffe, FRAME + 0xffe, '');
    test.cpu.flushTlb();
    test.cpu.cr2 = 0;
    test.run();
    expect(test.event).toMatchObject({ vector: PF, eip: CODE + 0xffe });
    expect(test.cpu.cr2).toBe(CODE + 0x1000);
  });

  it('does not look at the second page for an instruction that ends with the first', () => {
    const test = new PagedCpu()
      .map(CODE, FRAME, P | US)
      .level(3)
      .code(CODE + 0xfff, FRAME + 0xfff, '40', [1]);
    test.run();
    expect([test.event, test.cpu.gpr[EAX]]).toEqual([null, 2]);
  });

  it('from a mapped hole leaves as an EPT violation with the physical address', () => {
    const test = new PagedCpu().map(CODE, 0xd000_0000, P | US).level(3);
    test.cpu.eip = CODE + 4;
    expect(test.run()).toBe(EXIT_REASON_EPT_VIOLATION);
    expect(test.cpu.exitGuestPhysicalAddress).toBe(0xd000_0004);
  });

  it('goes to the new page after a load of CR3 in the middle of a run', () => {
    const test = new PagedCpu().map(CODE, FRAME, P).level(0);
    // mov cr3,ebx; inc eax — and in the other page: mov cr3,ebx; dec eax
    test.code(CODE, FRAME, '0f 22 db 40', [10]);
    test.memory.write(FAR_FRAME, Uint8Array.of(0x0f, 0x22, 0xdb, 0x48));
    test.cpu.gpr[EBX] = test.cpu.cr3;
    test.cpu.gpr[ESP] = 0x4000;
    test.run(2);
    expect(test.cpu.gpr[EAX]).toBe(11);
    test.map(CODE, FAR_FRAME, P);
    test.cpu.eip = CODE;
    test.run(2);
    expect(test.cpu.gpr[EAX]).toBe(10);
  });

  it('leaves the window when an event changes the level', () => {
    // User code at a linear address that the supervisor sees too; the handler runs through its own window.
    const test = new PagedCpu()
      .map(CODE, FRAME, P | US)
      .level(3)
      .code(CODE, FRAME, '40 cc', [1]);
    test.run(2);
    expect(test.event).toMatchObject({ vector: 3, eip: CODE + 2 });
    expect(test.cpu.tlb).toBe(test.cpu.tlbs.supervisor.entries);
    test.level(3);
    expect(test.cpu.tlb).toBe(test.cpu.tlbs.user.entries);
  });
});

describe('self-modifying code', () => {
  const ALIAS = 0x2000_0000;

  it('is seen through an alias', () => {
    const test = new PagedCpu()
      .map(CODE, FRAME, P | US)
      .map(ALIAS, FRAME, P | RW | US)
      .level(3);
    // mov byte [ebx],48h; inc eax (patched to dec eax before it runs)
    test.code(CODE, FRAME, 'c6 03 48 40', [10, 0, 0, ALIAS + 3]);
    test.run(2);
    expect(test.cpu.gpr[EAX]).toBe(9);
    // Decoded and run once: patched again.
    test.memory.write(FRAME, Uint8Array.of(0xc6, 0x03, 0x40));
    test.cpu.eip = CODE;
    test.run(2);
    expect(test.cpu.gpr[EAX]).toBe(10);
  });

  it('is seen when the alias was written before the page held code', () => {
    const test = new PagedCpu()
      .map(CODE, FRAME, P | US)
      .map(ALIAS, FRAME, P | RW | US)
      .level(3);
    test.map(CODE + 0x1000, FAR_FRAME, P | US);
    // In another page: store to the alias (fills the TLB), run the code, store again, run it again.
    test.code(CODE + 0x1000, FAR_FRAME, 'c6 03 40', [0, 0, 0, ALIAS]); // mov byte [ebx],40h
    test.run();
    test.cpu.eip = CODE;
    test.run();
    expect(test.cpu.gpr[EAX]).toBe(1);
    test.code(CODE + 0x1000, FAR_FRAME, 'c6 03 48', [1, 0, 0, ALIAS]);
    test.run();
    test.cpu.eip = CODE;
    test.run();
    expect(test.cpu.gpr[EAX]).toBe(0);
  });

  it('is seen by a supervisor who patches the user’s page', () => {
    const test = new PagedCpu()
      .map(CODE, FRAME, P | US)
      .map(ALIAS, FRAME, P | RW)
      .map(CODE + 0x1000, FAR_FRAME, P | US);
    test.level(3).code(CODE, FRAME, '40', [5]).run();
    test
      .level(0)
      .code(CODE + 0x1000, FAR_FRAME, 'c6 03 48', [5, 0, 0, ALIAS])
      .run();
    test.level(3).code(CODE, FRAME, '', [5]).run();
    expect(test.cpu.gpr[EAX]).toBe(4);
  });

  it('in the tail of an instruction on the second page is seen', () => {
    const test = new PagedCpu().map(CODE, FRAME, P | US).map(CODE + 0x1000, FAR_FRAME, P | US);
    test
      .map(ALIAS, FAR_FRAME, P | RW | US)
      .map(CODE + 0x2000, FRAME + 0x4000, P | US)
      .level(3);
    test.code(CODE + 0xffe, FRAME + 0xffe, 'b8 44');
    test.run();
    test.code(CODE + 0x2000, FRAME + 0x4000, 'c6 03 99', [0, 0, 0, ALIAS + 1]);
    test.run();
    test.cpu.eip = CODE + 0xffe;
    test.run();
    expect(test.cpu.gpr[EAX] >>> 0).toBe(0x0099_0044);
  });
});
