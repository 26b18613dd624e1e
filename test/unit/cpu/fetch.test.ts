/** Where instructions come from: the end of the segment, the end of memory, A20, the window of a page. */
import { describe, expect, it } from 'vitest';
import { EPT_FETCH } from '../../../src/cpu/fetch.ts';
import { SEG_CS } from '../../../src/decoder/insn.ts';
import {
  EXIT_REASON_EPT_VIOLATION,
  EXIT_REASON_HLT,
  EXIT_REASON_PREEMPTION_TIMER,
} from '../../../src/uapi/vmx.ts';
import { check, RAM_BYTES, rows, TestCpu } from './driver.ts';

const GP = 13;

describe('the end of the code segment', () => {
  it('lets EIP run on to 0x10000, and the fetch from there is #GP with IP 0', () => {
    const test = new TestCpu().reset({ eip: 0xfffe }).poke('eip', '40 40');
    test.run(2);
    expect(test.state).toMatchObject({ eip: 0x10000, eax: 0x1111_a1a4, cs: 0x1000 });
    test.run(1);
    expect(test.vector).toBe(GP);
    expect(test.frame).toMatchObject({ ip: 0, cs: 0x1000 });
  });

  it.each(
    rows([
      {
        asm: 'mov ax,0x1234 across 0xffff is #GP with its own IP',
        code: 'b8 34 12',
        in: { eip: 0xfffe },
        fault: GP,
      },
      { asm: 'a prefix at 0xffff is #GP', code: '66', in: { eip: 0xffff }, fault: GP },
      {
        asm: 'mov ax,0x1234 that ends at the limit runs',
        code: 'b8 34 12',
        in: { eip: 0xfffd },
        out: { eax: 0x1111_1234 },
      },
      {
        asm: 'inc ax beyond a limit of 0xff is #GP',
        code: '40',
        in: { eip: 0x100, limits: { cs: 0xff } },
        fault: GP,
      },
      {
        asm: 'mov ax,0x1234 across a limit of 0x101 is #GP',
        code: 'b8 34 12',
        in: { limits: { cs: 0x101 } },
        fault: GP,
      },
      {
        asm: 'cbw at the limit runs',
        code: '98',
        in: { eip: 0x1ff, limits: { cs: 0x1ff } },
        out: { eax: 0x1111_ffa2 },
      },
      {
        asm: 'cbw above 64 KiB runs with a large limit',
        code: '98',
        in: { eip: 0x1_2345, limits: { cs: 0xf_ffff } },
        out: { eax: 0x1111_ffa2 },
      },
    ]),
  )('%s', (_, row) => {
    check(row);
  });

  it('checks each instruction, also those decoded while the limit was larger', () => {
    const test = new TestCpu().reset({}).poke('eip', '90 b8 34 12 90');
    test.run(3);
    test.set({ eip: 0x100 });
    const { cpu } = test;
    cpu.setSegment(SEG_CS, 0x1000, 0x10000, 0x102, cpu.segAttr[SEG_CS]);
    test.run(2);
    expect(test.vector).toBe(GP);
    expect(test.frame.ip).toBe(0x101);
  });

  it('runs to the limit instruction by instruction when the window ends before it', () => {
    const test = new TestCpu().reset({ eip: 0xffe0 }).poke('cs:ffe0', Array(32).fill(0x40));
    test.run(40);
    expect(test.vector).toBe(GP);
    expect(test.state.eax).toBe(0x1111_a1c2);
  });
});

describe('a segment whose base is not on a page', () => {
  it('runs code in the page before and behind its offset 0', () => {
    // 1234:0000 = 12340; the page begins 0x340 bytes before it.
    const test = new TestCpu().reset({ cs: 0x1234, eip: 0 });
    test.poke('cs:0000', '40 e9 fc 0f'); // inc ax; jmp 0x1000
    test.poke('cs:1000', '40 eb fd'); // inc ax; jmp 0x1000
    test.run(6);
    expect(test.state).toMatchObject({ eax: 0x1111_a1a5, eip: 0x1000 });
  });

  it('does not reach the bytes before offset 0 by running past the limit', () => {
    const test = new TestCpu().reset({ cs: 0x1234, eip: 0xffff }).poke(0x12330, '40');
    test.poke('eip', '90').poke(0x1_2340 + 0x1_0000, '90');
    test.run(2);
    expect(test.vector).toBe(GP);
  });

  it('fetches an instruction that crosses a page', () => {
    check({
      asm: 'mov eax,0x12345678 at cs:0cbd',
      code: '66 b8 78 56 34 12',
      in: { cs: 0x1234, eip: 0xcbd },
      out: { eax: 0x1234_5678 },
    });
  });
});

describe('the A20 gate', () => {
  it('decides which page the code above 1 MiB comes from', () => {
    const test = new TestCpu().reset({ cs: 0xffff, eip: 0x2010 });
    test.poke(0x10_2000, '40').poke(0x2000, '4b');
    test.run(1);
    expect(test.state).toMatchObject({ eax: 0x1111_a1a3, ebx: 0x4444_0010 });
    test.cpu.a20Mask = ~0x10_0000;
    test.set({ eip: 0x2010 }).run(1);
    expect(test.state).toMatchObject({ eax: 0x1111_a1a3, ebx: 0x4444_000f });
    test.cpu.a20Mask = -1;
    test.set({ eip: 0x2010 }).run(1);
    expect(test.state).toMatchObject({ eax: 0x1111_a1a4, ebx: 0x4444_000f });
  });

  it('decides where the tail of an instruction across 1 MiB comes from', () => {
    const test = new TestCpu().reset({ cs: 0xf000, eip: 0xfffe });
    test.poke(0xf_fffe, 'b8 34').poke(0x10_0000, '12').poke(0, '56');
    test.cpu.setSegment(SEG_CS, 0xf000, 0xf_0000, 0x1_ffff, test.cpu.segAttr[SEG_CS]);
    for (const [mask, want] of [
      [-1, 0x1234],
      [~0x10_0000, 0x5634],
      [-1, 0x1234],
    ]) {
      test.cpu.a20Mask = mask;
      test.set({ eip: 0xfffe, eax: 0 }).run(1);
      expect(test.state.eax).toBe(want);
    }
  });
});

describe('code outside memory', () => {
  const outside = (): TestCpu => {
    const test = new TestCpu().reset({ cs: 0, eip: RAM_BYTES - 2 });
    test.cpu.setSegment(SEG_CS, 0, 0, 0xffff_ffff, test.cpu.segAttr[SEG_CS]);
    return test.poke('eip', '40 b8');
  };

  it('leaves as an EPT violation of a fetch, with the address of the first missing byte', () => {
    const test = outside();
    expect(test.run(10)).toBe(EXIT_REASON_EPT_VIOLATION);
    expect(test.cpu.retired).toBe(1);
    expect(test.cpu.exitQualification).toBe(EPT_FETCH);
    expect(test.cpu.exitGuestPhysicalAddress).toBe(RAM_BYTES);
    expect(test.state.eip).toBe(RAM_BYTES - 1);
  });

  it('goes on once there is memory', () => {
    const test = outside();
    test.run(10);
    test.memory.addSlot(1, RAM_BYTES, new Uint8Array(4096).fill(0x40), false);
    expect(test.run(1)).toBe(EXIT_REASON_PREEMPTION_TIMER);
    expect(test.state).toMatchObject({ eax: 0x1111_4040, eip: RAM_BYTES + 2 });
  });

  it('runs from a slot that is not the direct window', () => {
    const test = outside();
    test.memory.addSlot(1, 0xffff_0000, new Uint8Array(0x10000).fill(0xf4), true);
    test.cpu.setSegment(SEG_CS, 0xf000, 0xffff_0000 | 0, 0xffff, test.cpu.segAttr[SEG_CS]);
    test.set({ eip: 0xfff0 });
    expect(test.run(1)).toBe(EXIT_REASON_HLT);
  });
});

describe('the length of an instruction', () => {
  it.each(
    rows([
      {
        asm: 'fifteen bytes run',
        code: `${'66 '.repeat(14)}90`,
      },
      { asm: 'sixteen bytes are #GP', code: `${'66 '.repeat(15)}90`, fault: GP },
      {
        asm: 'sixteen bytes are #GP, with an immediate at the end',
        code: `${'26 '.repeat(12)}b8 34 12`.replace('26', '26 26'),
        fault: GP,
      },
      { asm: 'sixteen bytes of x87 are #GP', code: `${'2e '.repeat(14)}d9 c0`, fault: GP },
      { asm: 'fifteen bytes of nothing are #UD', code: `${'2e '.repeat(13)}0f 0b`, fault: 6 },
      {
        asm: 'sixteen bytes without a repeated prefix are #GP',
        // lock rep add dword [fs:eax+eax*4+disp32],imm32
        code: 'f0 f3 64 66 67 81 84 80 00 00 00 00 01 00 00 00',
        fault: GP,
      },
    ]),
  )('%s', (_, row) => {
    check(row);
  });
});
