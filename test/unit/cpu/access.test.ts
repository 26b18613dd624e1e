/** Memory operands: limits by segment, page crossings, A20, read-only pages, MMIO and its second run. */
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { segmentedRead, segmentedWrite, segmentedWriteBlock } from '../../../src/cpu/access.ts';
import { FAULT_EXCEPTION, FAULT_MMIO, FAULT_NONE, type MmioPort } from '../../../src/cpu/cpu.ts';
import {
  AR_P,
  AR_REAL_DATA,
  AR_S,
  AR_TYPE_EXPAND_DOWN,
  AR_TYPE_WRITABLE,
  AR_UNUSABLE,
} from '../../../src/cpu/registers.ts';
import { SEG_DS, SEG_ES, SEG_SS } from '../../../src/decoder/insn.ts';
import { EXIT_REASON_EPT_VIOLATION, EXIT_REASON_PREEMPTION_TIMER } from '../../../src/uapi/vmx.ts';
import { check, RAM_BYTES, rows, TestCpu } from './driver.ts';

const GP = 13;
const SS = 12;

describe('the segment limit', () => {
  it.each(
    rows([
      {
        asm: 'mov al,[0xffff] is allowed',
        code: 'a0 ff ff',
        ram: { 'ds:ffff': '5a' },
        out: { eax: 0x1111_a15a },
      },
      { asm: 'mov ax,[0xffff] is #GP', code: 'a1 ff ff', fault: GP },
      {
        asm: 'mov eax,[0xfffc] is allowed',
        code: '66 a1 fc ff',
        ram: { 'ds:fffc': '01 02 03 04' },
        out: { eax: 0x0403_0201 },
      },
      { asm: 'mov eax,[0xfffd] is #GP', code: '66 a1 fd ff', fault: GP },
      { asm: 'mov [0xffff],ax writes no byte', code: 'a3 ff ff', fault: GP },
      {
        asm: 'add [0xffff],ax is #GP, flags unchanged',
        code: '01 06 ff ff',
        in: { eflags: 0xd7 },
        fault: GP,
      },
      { asm: 'mov ax,[bp] beyond FFFFH is #SS', code: '8b 46 00', in: { ebp: 0xffff }, fault: SS },
      { asm: 'mov ax,[ds:bp] beyond FFFFH is #GP', code: '3e 8b 46 00', in: { ebp: 0xffff }, fault: GP },
      { asm: 'mov ax,[ss:bx] beyond FFFFH is #SS', code: '36 8b 07', in: { ebx: 0xffff }, fault: SS },
      { asm: 'mov ax,[esp] beyond FFFFH is #SS', code: '67 8b 04 24', fault: SS },
      { asm: 'mov al,[eax] above 64 KiB is #GP', code: '67 8a 00', in: { eax: 0x1_0000 }, fault: GP },
      {
        asm: 'mov al,[eax] above 64 KiB with a large limit',
        code: '67 8a 00',
        in: { eax: 0x1_0000, limits: { ds: 0xffff_ffff } },
        out: { eax: 0x1_0000 },
      },
      {
        asm: 'mov eax,[0x10] within a limit of 0x13',
        code: '66 a1 10 00',
        in: { limits: { ds: 0x13 } },
        out: { eax: 0 },
      },
      {
        asm: 'mov eax,[0x10] beyond a limit of 0x12',
        code: '66 a1 10 00',
        in: { limits: { ds: 0x12 } },
        fault: GP,
      },
      {
        asm: 'mov al,[0] beyond a limit of 0 is allowed',
        code: 'a0 00 00',
        in: { limits: { ds: 0 } },
        out: { eax: 0x1111_a100 },
      },
      { asm: 'mov ax,[0] with a limit of 0 is #GP', code: 'a1 00 00', in: { limits: { ds: 0 } }, fault: GP },
      {
        asm: 'bx+si+disp wraps at 64 KiB',
        code: '8b 40 7f',
        in: { ebx: 0xfff0, esi: 0 },
        ram: { 'ds:006f': '34 12' },
        out: { eax: 0x1111_1234 },
      },
      { asm: 'a store through CS is allowed in real mode', code: '2e a2 00 05', ramOut: { 'cs:0500': 'a2' } },
      { asm: 'fs: and gs:', code: '64 a1 10 00', ram: { 'fs:0010': '34 12' }, out: { eax: 0x1111_1234 } },
      {
        asm: 'the last override counts',
        code: '64 65 a1 10 00',
        ram: { 'gs:0010': '34 12' },
        out: { eax: 0x1111_1234 },
      },
      { asm: 'xchg beyond the limit leaves the register', code: '87 07', in: { ebx: 0xffff }, fault: GP },
      {
        asm: 'xadd beyond the limit leaves register and flags',
        code: '0f c1 07',
        in: { ebx: 0xffff, eflags: 0xd7 },
        fault: GP,
      },
      {
        asm: 'cmpxchg beyond the limit leaves AX and flags',
        code: '0f b1 0f',
        in: { ebx: 0xffff, eflags: 0xd7 },
        fault: GP,
      },
      {
        asm: 'cmpxchg8b whose second half is beyond the limit',
        code: '0f c7 0f',
        in: { ebx: 0xfffa, eflags: 0xd7 },
        fault: GP,
      },
      { asm: 'les whose selector straddles the limit', code: 'c4 07', in: { ebx: 0xfffd }, fault: GP },
      { asm: 'shl word [bx] beyond the limit', code: 'd1 27', in: { ebx: 0xffff, eflags: 0xd7 }, fault: GP },
      {
        asm: 'rcr word [bx],cl with CL 0 reads all the same',
        code: 'd3 1f',
        in: { ebx: 0xffff, ecx: 0 },
        fault: GP,
      },
      { asm: 'inc word [bx] beyond the limit', code: 'ff 07', in: { ebx: 0xffff, eflags: 0xd7 }, fault: GP },
      { asm: 'cmovz reads whatever ZF says', code: '0f 44 07', in: { ebx: 0xffff }, fault: GP },
      { asm: 'sgdt beyond the limit writes nothing', code: '0f 01 07', in: { ebx: 0xfffb }, fault: GP },
    ]),
  )('%s', (_, row) => {
    check(row);
  });

  it('agrees with the definition for every kind of data segment, offset and size', () => {
    const test = new TestCpu().reset({});
    const { cpu } = test;
    const edge = fc.oneof(
      fc.integer({ min: 0, max: 0x20 }),
      fc.integer({ min: 0xfff0, max: 0x1_0010 }),
      fc.integer({ min: 0xffff_fff0, max: 0xffff_ffff }),
    );
    fc.assert(
      fc.property(
        edge,
        edge,
        fc.constantFrom(1, 2, 4),
        fc.boolean(),
        fc.constantFrom(SEG_DS, SEG_SS),
        fc.boolean(),
        (limit, off, size, down, seg, write) => {
          const attr = AR_P | AR_S | AR_TYPE_WRITABLE | (down ? AR_TYPE_EXPAND_DOWN : 0);
          cpu.setSegment(seg, 0, 0, limit, attr);
          cpu.fault = FAULT_NONE;
          cpu.mmio = { mmioRead: () => 0, mmioWrite() {} };
          if (write) segmentedWrite(cpu, seg, off | 0, size, 0);
          else segmentedRead(cpu, seg, off | 0, size);
          const last = off + size - 1;
          const ok = down ? off > limit && last <= 0xffff : last <= limit || limit === 0xffff_ffff;
          expect(cpu.fault).toBe(ok ? FAULT_NONE : FAULT_EXCEPTION | (seg === SEG_SS ? SS : GP));
        },
      ),
      { numRuns: 3000 },
    );
    cpu.fault = FAULT_NONE;
    cpu.mmio = null;
  });

  it('counts for an unusable segment as if it were plain in real mode', () => {
    const test = new TestCpu().reset({}).poke('eip', 'a1 10 00').poke('ds:0010', '34 12');
    test.cpu.setSegment(SEG_DS, 0x2000, 0x2_0000, 0xffff, AR_REAL_DATA | AR_UNUSABLE);
    test.run(1);
    expect(test.state.eax).toBe(0x1111_1234);
  });
});

describe('an access across pages', () => {
  it('puts the bytes of every size and alignment where they belong', () => {
    const test = new TestCpu().reset({});
    for (const size of [1, 2, 4]) {
      for (let off = 0x1ffc; off <= 0x2000; off++) {
        test.memory.ram.fill(0);
        segmentedWrite(test.cpu, SEG_DS, off, size, 0x8765_4321 | 0);
        const want = 0x8765_4321 % 2 ** (8 * size);
        expect(segmentedRead(test.cpu, SEG_DS, off, size)).toBe(want);
        expect(test.peek(0x2_0000 + off - 1, size + 2)).toBe(
          ['00', '21', '43', '65', '87']
            .slice(0, size + 1)
            .concat('00')
            .join(' '),
        );
      }
    }
  });
});

describe('the A20 gate', () => {
  it('opens and shuts the way above 1 MiB', () => {
    const test = new TestCpu().reset({ ds: 0xffff }).poke('eip', 'a1 10 00 a3 14 00');
    test.poke(0x10_0000, '34 12').poke(0, '78 56');
    test.run(1);
    expect(test.state.eax).toBe(0x1111_1234);
    test.cpu.a20Mask = ~0x10_0000;
    test.set({ eip: 0x100 }).run(2);
    expect(test.state.eax).toBe(0x1111_5678);
    expect(test.peek(4, 2)).toBe('78 56');
    expect(test.peek(0x10_0004, 2)).toBe('00 00');
  });

  it('wraps in the middle of an access', () => {
    const test = new TestCpu().reset({ ds: 0xffff });
    test.cpu.a20Mask = ~0x10_0000;
    segmentedWrite(test.cpu, SEG_DS, 0xe, 4, 0x0403_0201);
    expect(test.peek(0xf_fffe, 2)).toBe('01 02');
    expect(test.peek(0, 2)).toBe('03 04');
    expect(segmentedRead(test.cpu, SEG_DS, 0xe, 4)).toBe(0x0403_0201);
  });
});

/** Registers MMIO accesses and answers with ones. */
class Recorder implements MmioPort {
  readonly seen: string[] = [];

  mmioRead(pa: number, size: number): number {
    this.seen.push(`read ${pa.toString(16)} ${size}`);
    return 2 ** (8 * size) - 1;
  }

  mmioWrite(pa: number, size: number, value: number): void {
    this.seen.push(`write ${pa.toString(16)} ${size} ${value.toString(16)}`);
  }
}

describe('an address without memory', () => {
  let test: TestCpu;
  let port: Recorder;

  beforeEach(() => {
    test = new TestCpu().reset({});
    test.cpu.segBase[SEG_ES] = RAM_BYTES - 4;
    port = new Recorder();
  });

  /** Runs one instruction to its EPT violation, and again with a port. */
  function twice(code: string): string[] {
    test.poke('eip', code);
    const { ram } = test.memory;
    const before = { state: test.state, ram: ram.slice() };
    expect(test.run(1)).toBe(EXIT_REASON_EPT_VIOLATION);
    expect(test.cpu.retired).toBe(0);
    expect(test.state).toEqual(before.state);
    expect(Buffer.compare(ram, before.ram)).toBe(0);
    test.cpu.mmio = port;
    expect(test.run(1)).toBe(EXIT_REASON_PREEMPTION_TIMER);
    expect(test.cpu.retired).toBe(1);
    test.cpu.mmio = null;
    return port.seen;
  }

  it('leaves with the address and whether it was a read', () => {
    expect(twice('26 a0 04 00')).toEqual(['read 200000 1']);
    expect(test.cpu.exitGuestPhysicalAddress).toBe(RAM_BYTES);
    expect(test.cpu.exitQualification).toBe(1);
    expect(test.state.eax).toBe(0x1111_a1ff);
  });

  it('leaves with the address and whether it was a write', () => {
    expect(twice('26 c7 06 06 00 34 12')).toEqual(['write 200002 2 1234']);
    expect(test.cpu.exitGuestPhysicalAddress).toBe(RAM_BYTES + 2);
    expect(test.cpu.exitQualification).toBe(2);
  });

  it('hands over no more bits than the access has', () => {
    expect(twice('26 c6 06 04 00 80')).toEqual(['write 200000 1 80']);
    port.seen.length = 0;
    test.set({ eip: 0x200 });
    expect(twice('26 66 c7 06 04 00 fe ff ff ff')).toEqual(['write 200000 4 fffffffe']);
  });

  it('is read and written by an instruction that modifies', () => {
    expect(twice('26 83 06 04 00 02')).toEqual(['read 200000 2', 'write 200000 2 1']);
  });

  it('splits an access at the page: memory on one side, MMIO on the other', () => {
    expect(twice('26 66 a3 01 00')).toEqual(['write 200000 1 11']);
    expect(test.peek(RAM_BYTES - 3, 3)).toBe('a2 a1 11');
    port.seen.length = 0;
    test.set({ eip: 0x200 });
    expect(twice('26 66 a1 03 00')).toEqual(['read 200000 3']);
    expect(test.state.eax).toBe(0xffff_ff11);
  });

  it('lets a REP string go on one element a run', () => {
    test.set({ ecx: 2, edi: 4 }).poke('eip', 'f3 aa');
    expect(test.run(5)).toBe(EXIT_REASON_EPT_VIOLATION);
    test.cpu.mmio = port;
    expect(test.run(1)).toBe(EXIT_REASON_PREEMPTION_TIMER);
    test.cpu.mmio = null;
    expect(port.seen).toEqual(['write 200000 1 a2']);
    expect(test.state).toMatchObject({ ecx: 1, edi: 5, eip: 0x100 });
  });

  it.each([
    ['26 87 06 04 00', 'xchg'],
    ['26 60', 'pusha'],
    ['66 60', 'pushad'],
    ['c8 00 00 03', 'enter'],
    ['9a 00 00 00 20', 'call far'],
    ['8f 06 10 00', 'pop'],
    ['61', 'popa'],
    ['cf', 'iret'],
    ['26 0f c7 0e 00 00', 'cmpxchg8b'],
    ['26 0f 01 06 00 00', 'sgdt'],
    ['26 a5', 'movsw'],
    ['a7', 'cmpsw'],
    ['26 c4 06 01 00', 'les'],
  ])('changes nothing before the second run: %s (%s)', (code) => {
    // The last word of RAM is the last of the stack's frame as well.
    test.cpu.setSegment(SEG_SS, 0x4000, RAM_BYTES - 0x1000, 0xffff, test.cpu.segAttr[SEG_SS]);
    test.set({ esp: 0x1003, ebp: 0x1005, edi: 4 });
    if (code === 'c8 00 00 03') test.set({ esp: 0x1001 });
    if (code.startsWith('8f') || code === '61' || code === 'cf') test.set({ esp: 0xfff });
    expect(twice(code).length).toBeGreaterThan(0);
  });
});

describe('a read-only page', () => {
  let test: TestCpu;

  beforeEach(() => {
    test = new TestCpu().reset({}).poke('ds:0000', '11 22 33 44');
    test.memory.protectRange(0x2_0000, 0x1000);
  });

  it('is read without an exit', () => {
    test.poke('eip', '66 a1 00 00').run(1);
    expect(test.state.eax).toBe(0x4433_2211);
  });

  it('sends stores out as MMIO and keeps its bytes', () => {
    const port = new Recorder();
    test.poke('eip', 'a3 00 00');
    expect(test.run(1)).toBe(EXIT_REASON_EPT_VIOLATION);
    expect(test.cpu.exitGuestPhysicalAddress).toBe(0x2_0000);
    test.cpu.mmio = port;
    test.run(1);
    test.cpu.mmio = null;
    expect(port.seen).toEqual(['write 20000 2 a1a2']);
    expect(test.peek('ds:0000', 2)).toBe('11 22');
  });

  it('in a slot of its own, away from address 0, does the same', () => {
    test.memory.addSlot(1, 0x30_0000, new Uint8Array(0x1000).fill(7), true);
    test.cpu.segBase[SEG_DS] = 0x30_0000;
    test.poke('eip', 'a0 00 00 a2 00 00');
    expect(test.run(2)).toBe(EXIT_REASON_EPT_VIOLATION);
    expect(test.state.eax).toBe(0x1111_a107);
    expect(test.cpu.exitGuestPhysicalAddress).toBe(0x30_0000);
  });

  it('makes the second page of a crossing store leave before the first is written', () => {
    test.cpu.segBase[SEG_DS] = 0x1_f000;
    test.poke('eip', '66 a3 fe 0f');
    expect(test.run(1)).toBe(EXIT_REASON_EPT_VIOLATION);
    expect(test.peek(0x1_fffe, 2)).toBe('00 00');
  });
});

describe('a slot away from address 0', () => {
  it('is read and written as RAM is', () => {
    const test = new TestCpu().reset({});
    const mem = new Uint8Array(0x2000);
    test.memory.addSlot(1, 0x30_0000, mem, false);
    test.cpu.segBase[SEG_DS] = 0x30_0000;
    test.poke('eip', '66 a3 fe 0f 66 8b 1e fe 0f').run(2);
    expect(test.state.ebx).toBe(0x1111_a1a2);
    expect([...mem.subarray(0xffe, 0x1002)]).toEqual([0xa2, 0xa1, 0x11, 0x11]);
  });
});

describe('a block written by the emulator', () => {
  const data = Uint8Array.from({ length: 64 }, (_, i) => i + 1);

  it('is checked against the limit as a whole', () => {
    const { cpu, memory } = new TestCpu().reset({});
    expect(segmentedWriteBlock(cpu, SEG_ES, 0xfff0, data, 0, 17)).toBe(false);
    expect(cpu.fault).toBe(FAULT_EXCEPTION | GP);
    expect(memory.ram[0x3_fff0]).toBe(0);
  });

  it('goes page by page: what lies before a hole is written', () => {
    const test = new TestCpu().reset({});
    test.cpu.segBase[SEG_ES] = RAM_BYTES - 8;
    expect(segmentedWriteBlock(test.cpu, SEG_ES, 0, data, 4, 16)).toBe(false);
    expect(test.cpu.fault).toBe(FAULT_MMIO);
    expect(test.peek(RAM_BYTES - 8, 8)).toBe('05 06 07 08 09 0a 0b 0c');
  });

  it('drops the code that it overwrites', () => {
    const test = new TestCpu().reset({}).poke('eip', '90 90').poke('cs:0100', '90 90');
    test.run(2);
    const { dropped } = test.cpu.cache;
    segmentedWriteBlock(test.cpu, 1, 0x101, data, 0x3f, 1);
    expect(test.cpu.cache.dropped).toBe(dropped + 1);
    test.set({ eip: 0x100 }).run(2);
    // 40: inc ax
    expect(test.state.eax).toBe(0x1111_a1a3);
  });
});
