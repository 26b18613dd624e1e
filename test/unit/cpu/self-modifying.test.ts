/** Code that changes under the CPU: by its own stores, by an alias, by the host, by slots that come and go. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SEG_CS, SEG_DS } from '../../../src/decoder/insn.ts';
import { EXIT_REASON_EPT_VIOLATION, EXIT_REASON_HLT } from '../../../src/uapi/vmx.ts';
import { TestCpu } from './driver.ts';

/** Code and data in one segment. */
const flat = (extra = {}): TestCpu => new TestCpu().reset({ ds: 0x1000, es: 0x1000, ...extra });

describe('a store to code', () => {
  it('changes the next instruction', () => {
    // mov byte [0x105],0x43; inc ax → inc bx
    const test = flat().poke('eip', 'c6 06 05 01 43 40');
    test.poke('cs:0200', 'e9 fd fe');
    test.run(2);
    expect(test.state).toMatchObject({ eax: 0x1111_a1a2, ebx: 0x4444_0011 });
  });

  it('changes the next instruction after it has run', () => {
    // 100: inc ax; mov byte [0x100],0x43; jmp 0x100
    const test = flat().poke('eip', '40 c6 06 00 01 43 eb f8');
    test.run(4);
    expect(test.state).toMatchObject({ eax: 0x1111_a1a3, ebx: 0x4444_0011 });
  });

  it('changes its own immediate for the next round', () => {
    // 100: add word [0x106],1; add ax,imm16 at 105 …; jmp 0x100
    const test = flat({ eax: 0 }).poke('eip', '83 06 06 01 01 05 00 00 eb f6');
    test.run(3 * 100);
    // 1 + 2 + … + 100
    expect(test.state.eax).toBe(5050);
    expect(test.cpu.cache.dropped).toBe(99);
  });

  it('changes the instruction that is running only for its next run', () => {
    const test = flat().poke('eip', 'c7 06 02 01 00 02 eb f8');
    // Writes 0x200 into its own address; the second run goes there.
    test.run(3);
    expect(test.peek('cs:0102', 2)).toBe('00 02');
    expect(test.peek('cs:0200', 2)).toBe('00 02');
  });

  it.each([
    ['its first page', 0x0fff, 0xb9],
    ['its second page', 0x1000, 0x99],
  ])('drops an instruction that crosses a page by way of %s', (_, offset, byte) => {
    const test = flat({ eip: 0xfff }).poke('cs:0fff', 'b8 34 12 f4');
    expect(test.run(5)).toBe(EXIT_REASON_HLT);
    const { cache } = test.cpu;
    const { dropped } = cache;
    test
      .poke('cs:0100', [0xc6, 0x06, offset & 0xff, offset >> 8, byte])
      .set({ eip: 0x100 })
      .run(1);
    expect(cache.dropped).toBe(dropped + 1);
    test.set({ eip: 0xfff }).run(5);
    expect(test.state).toMatchObject(offset === 0xfff ? { ecx: 0x2222_1234 } : { eax: 0x1111_1299 });
  });

  it('patches across a page with one store', () => {
    const test = flat({ eip: 0xffe }).poke('cs:0ffe', '40 40 40 40 f4');
    test.run(5);
    // mov dword [0xffe],0x4b4b4b4b
    test.poke('cs:0100', '66 c7 06 fe 0f 4b 4b 4b 4b').set({ eip: 0x100 }).run(1);
    test.set({ eip: 0xffe }).run(4);
    expect(test.state).toMatchObject({ eax: 0x1111_a1a6, ebx: 0x4444_000c });
  });

  it('through the A20 wrap is seen at the other address', () => {
    const test = new TestCpu().reset({ cs: 0, eip: 0x7000, ds: 0xffff });
    test.cpu.a20Mask = ~0x10_0000;
    // 7000: inc ax; mov byte [ffff:7010] = physical 7000, 0x43; jmp 0x7000
    test.poke(0x7000, '40 c6 06 10 70 43 eb f8').run(4);
    expect(test.state).toMatchObject({ eax: 0x1111_a1a3, ebx: 0x4444_0011 });
  });

  it('through another segment is seen in this one', () => {
    const test = new TestCpu().reset({ ds: 0x0f00 });
    // 1000:0100 = 0f00:1100
    test.poke('eip', '40 c6 06 00 11 43 eb f8').run(4);
    expect(test.state).toMatchObject({ eax: 0x1111_a1a3, ebx: 0x4444_0011 });
  });

  it.each([
    ['a push', '68 43 43 eb fb', 0x104],
    ['a call', 'e8 fd ff eb fb', 0x104],
  ])('may be %s', (_, code, esp) => {
    // The stack lies over code: 1000:0102 gets what is pushed.
    const test = new TestCpu()
      .reset({ ss: 0x1000, esp, eip: 0x200 })
      .poke('cs:0102', '40 40')
      .poke('cs:0200', code);
    test.set({ eip: 0x102 }).run(2);
    const { dropped } = test.cpu.cache;
    test.set({ eip: 0x200 }).run(1);
    expect(test.cpu.cache.dropped).toBe(dropped + 2);
  });

  it('may be the frame of an exception', () => {
    const test = new TestCpu().reset({ ss: 0x1000, esp: 0x106 }).poke('cs:0100', '40 40 40 40 40 40');
    test.run(6);
    test.poke('cs:0200', '0f 0b').set({ eip: 0x200 }).run(1);
    expect(test.vector).toBe(6);
    expect(test.cpu.cache.dropped).toBe(6);
  });
});

describe('REP over its own bytes', () => {
  const prepare = (): TestCpu => {
    // 100: rep stosb, with ES:DI at 0xf0: the 17th iteration makes it 40 aa (inc ax; stosb).
    const test = flat({ ecx: 0x40, edi: 0xf0, eax: 0x40 });
    return test.poke('eip', 'f3 aa f4');
  };

  it('fetches the changed instruction, wherever the budget ends', () => {
    const states = [1, 2, 5, 16, 17, 18, 40].map((slice) => {
      const test = prepare();
      for (let ticks = 0; ticks < 40; ticks += Math.max(1, test.cpu.retired)) {
        if (test.run(Math.min(slice, 40 - ticks)) === EXIT_REASON_HLT) break;
      }
      return test.state;
    });
    for (const state of states) expect(state).toEqual(states[0]);
    expect(states[0].ecx).toBe(0x40 - 17);
  });

  it('does the same with the cache off', () => {
    const [on, off] = [prepare(), prepare()];
    off.cpu.cache.enabled = false;
    on.run(40);
    off.run(40);
    expect(on.state).toEqual(off.state);
  });
});

describe('data beside code', () => {
  it('drops nothing: a counter next to its loop', () => {
    // 100: jmp 0x104; dw 0; 104: inc word [0x102]; jmp 0x104
    const test = flat().poke('eip', 'eb 02 00 00 ff 06 02 01 eb fa');
    test.run(2001);
    const { cache } = test.cpu;
    expect(test.word('cs:0102')).toBe(1000);
    expect([cache.dropped, cache.decoded]).toEqual([0, 3]);
  });

  it('drops only what is hit when the counter lies in an instruction that no longer runs', () => {
    const test = flat().poke('eip', '90 90 90 90 ff 06 02 01 eb fa');
    test.run(6 + 200);
    expect(test.cpu.cache.dropped).toBe(2);
    expect(test.cpu.cache.decoded).toBe(6);
  });
});

describe('the decode cache', () => {
  it('keeps 16- and 32-bit code at one address apart', () => {
    // b8 34 12 00 00: mov ax,0x1234 or mov eax,0x1234
    const test = new TestCpu().reset({}).poke('eip', 'b8 34 12 00 00');
    const { cpu } = test;
    const { decoded } = cpu.cache;
    for (let round = 0; round < 3; round++) {
      for (const [attr, eax, eip] of [
        [0, 0x1111_1234, 0x103],
        [0x4000, 0x1234, 0x105],
      ]) {
        cpu.setSegment(SEG_CS, 0x1000, 0x1_0000, 0xffff, (cpu.segAttr[SEG_CS] & ~0x4000) | attr);
        test.set({ eip: 0x100, eax: 0x1111_a1a2 }).run(1);
        expect(test.state).toMatchObject({ eax, eip });
      }
    }
    expect(cpu.cache.decoded).toBe(decoded + 2);
  });

  it('drops both kinds by one store', () => {
    const test = flat().poke('eip', 'b8 34 12 00 00');
    const { cpu } = test;
    test.run(1);
    cpu.segAttr[SEG_CS] |= 0x4000;
    test.set({ eip: 0x100 }).run(1);
    const { dropped } = cpu.cache;
    cpu.segAttr[SEG_CS] &= ~0x4000;
    test.poke('cs:0200', 'c6 06 01 01 35').set({ eip: 0x200 }).run(1);
    expect(cpu.cache.dropped).toBe(dropped + 2);
  });

  it('decodes once: a second run adds nothing', () => {
    const test = flat().poke('eip', '40 43 e2 fc f4');
    test.run(9);
    const { decoded } = test.cpu.cache;
    test.set({ eip: 0x100, ecx: 3 }).run(9);
    expect(test.cpu.cache.decoded).toBe(decoded);
  });

  it('sees host writes and forgets what a removed slot held', () => {
    const test = flat().poke('eip', '40');
    test.run(1);
    test.poke('cs:0100', '43').set({ eip: 0x100 }).run(1);
    expect(test.state).toMatchObject({ eax: 0x1111_a1a3, ebx: 0x4444_0011 });
    test.memory.removeSlot(0);
    test.set({ eip: 0x100 });
    expect(test.run(1)).toBe(EXIT_REASON_EPT_VIOLATION);
    test.memory.addSlot(0, 0, new Uint8Array(0x2_0000).fill(0x4b), false);
    test.run(1);
    expect(test.state.ebx).toBe(0x4444_0010);
  });

  it('sees a slot that comes under the tail of an instruction', () => {
    const test = new TestCpu().reset({ cs: 0, eip: 0x20_0ffe });
    const { cpu, memory } = test;
    cpu.setSegment(SEG_CS, 0, 0, 0xffff_ffff, cpu.segAttr[SEG_CS]);
    memory.addSlot(1, 0x20_0000, new Uint8Array(0x1000).fill(0xb8), false);
    memory.addSlot(2, 0x20_1000, new Uint8Array(0x1000).fill(0x11), false);
    test.run(1);
    expect(test.state.eax).toBe(0x1111_11b8);
    memory.removeSlot(2);
    test.set({ eip: 0x20_0ffe });
    expect(test.run(1)).toBe(EXIT_REASON_EPT_VIOLATION);
    expect(cpu.exitGuestPhysicalAddress).toBe(0x20_1000);
    memory.addSlot(2, 0x20_1000, new Uint8Array(0x1000).fill(0x22), false);
    test.run(1);
    expect(test.state.eax).toBe(0x1111_22b8);
  });

  it('sees guest stores to code in a slot away from address 0', () => {
    const test = new TestCpu().reset({ eip: 0 });
    const { cpu } = test;
    test.memory.addSlot(1, 0x30_0000, new Uint8Array(0x1000), false);
    for (const seg of [SEG_CS, SEG_DS]) cpu.setSegment(seg, 0, 0x30_0000, 0xffff, cpu.segAttr[seg]);
    test.poke(0x30_0000, '40 c6 06 00 00 43 eb f8').run(4);
    expect(test.state).toMatchObject({ eax: 0x1111_a1a3, ebx: 0x4444_0011 });
  });
});

describe('random programs that write over themselves', () => {
  /** Short instructions that store near the code, loop and change the pointers. */
  const part = fc.oneof(
    fc.constantFrom(
      'aa',
      'ab',
      '66 ab',
      'a4',
      'a5',
      'fe 07',
      'ff 07',
      '88 07',
      '89 07',
      '66 89 07',
      '00 0f',
      '29 1d',
    ),
    fc.constantFrom(
      'f3 aa',
      'f3 a4',
      'f3 66 ab',
      '60',
      '50',
      '66 50',
      'e8 00 00',
      'fd',
      'fc',
      '47',
      '43',
      '4f',
      '40',
      '93',
      '96',
    ),
    fc.constantFrom('0f 0b', 'cc', 'ce', 'd4 00', 'cf', 'c3', '67 8f 04 24', 'c8 04 00 02'),
    fc.integer({ min: 0, max: 255 }).map((byte) => `b0 ${byte.toString(16)}`),
    fc.integer({ min: 0, max: 255 }).map((byte) => `80 07 ${byte.toString(16)}`),
    fc.integer({ min: 0xd8, max: 0xfe }).map((back) => `eb ${back.toString(16)}`),
    fc.integer({ min: 0xd8, max: 0xfe }).map((back) => `e2 ${back.toString(16)}`),
  );
  const program = fc.array(part, { minLength: 3, maxLength: 25 }).map((parts) => parts.join(' '));
  const pointer = fc.integer({ min: 0xf0, max: 0x130 });
  const near = fc.constantFrom(0x100, 0xff0, 0xff8, 0xffe);

  it('do the same with the cache on and off, in one run and in slices', () => {
    const makers = [
      { cached: true, slice: 300 },
      { cached: false, slice: 300 },
      { cached: true, slice: 1 },
      { cached: true, slice: 7 },
    ].map((how) => ({ ...how, test: new TestCpu() }));
    let dropped = 0;
    fc.assert(
      fc.property(
        program,
        near,
        pointer,
        pointer,
        pointer,
        fc.integer({ min: 0, max: 40 }),
        (code, eip, bx, di, sp, cx) => {
          const outcomes = makers.map(({ cached, slice, test }) => {
            const at = eip - 0x100;
            test.reset({
              ds: 0x1000,
              es: 0x1000,
              ss: 0x1000,
              eip,
              ebx: bx + at,
              edi: di + at,
              esp: sp + at,
              ecx: cx,
            });
            test.cpu.cache.enabled = cached;
            test.poke('eip', code);
            let left = 300;
            let reason = -1;
            while (left > 0) {
              reason = test.run(Math.min(slice, left));
              left -= test.cpu.retired;
              if (reason === EXIT_REASON_HLT || test.cpu.retired === 0) break;
            }
            return { reason, left, state: test.state };
          });
          for (const [i, { test }] of makers.entries()) {
            expect(outcomes[i]).toEqual(outcomes[0]);
            expect(Buffer.compare(test.memory.ram, makers[0].test.memory.ram)).toBe(0);
          }
          dropped += makers[0].test.cpu.cache.dropped;
        },
      ),
      { numRuns: Number(process.env.FUZZ_RUNS ?? 250) },
    );
    expect(dropped).toBeGreaterThan(100);
  });
});
