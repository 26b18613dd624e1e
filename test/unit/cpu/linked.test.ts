/** Instructions that know the next one: the same as looking each up, whatever has changed since they learned it. */
import { describe, expect, it } from 'vitest';
import { AR_REAL_CODE } from '../../../src/cpu/registers.ts';
import { type Insn, NO_NEXT, NO_TARGET, NOT_LINKED, SEG_CS } from '../../../src/decoder/insn.ts';
import { EXIT_REASON_HLT } from '../../../src/uapi/vmx.ts';
import { TestCpu } from './driver.ts';

const GP = 13;

const insnAt = (test: TestCpu, at: number): Insn | null =>
  test.cpu.cache.find(at >> 12)?.insns[0][at & 0xfff] ?? null;

describe('linked instructions', () => {
  it('are learned when they are run again', () => {
    // 100: inc ax; dec cx; jnz 100; hlt
    const test = new TestCpu().reset({}).poke('eip', '40 49 75 fc f4');
    expect(test.run(50)).toBe(EXIT_REASON_HLT);
    const [inc, dec, jnz, hlt] = [0x10100, 0x10101, 0x10102, 0x10104].map((at) => insnAt(test, at));
    expect(inc?.next).toBe(dec);
    expect(dec?.next).toBe(jnz);
    expect(jnz?.target).toBe(inc);
    expect(jnz?.next).toBe(NO_NEXT);
    expect(hlt?.target).toBe(NO_TARGET);
    expect(test.state.eax).toBe(0x1111_a1a5);
  });

  it('are not gone to behind a store that has changed them', () => {
    // 100: inc ax; dec cx; jnz 100; mov byte [0x101],0x41 (inc cx); jmp 100
    const test = new TestCpu().reset({ ds: 0x1000 }).poke('eip', '40 49 75 fc c6 06 01 01 41 eb f5');
    test.run(9);
    const dec = insnAt(test, 0x10101);
    test.run(2);
    expect(dec?.linked).toBe(NOT_LINKED);
    expect(insnAt(test, 0x10101)).not.toBe(dec);
    test.run(2);
    expect(test.state).toMatchObject({ eip: 0x102, ecx: 0x2222_0001 });
  });

  it('lead a jump across the start of the segment elsewhere than within it', () => {
    // 0x10810: jmp −0x40; 0x107d2: inc ax; jmp 0x10810
    const test = new TestCpu()
      .reset({ cs: 0x1000, eip: 0x810 })
      .poke('cs:0810', 'eb c0')
      .poke('cs:07d2', '40 eb 3b');
    test.run(9);
    expect(test.state).toMatchObject({ eip: 0x810, eax: 0x1111_a1a5 });
    expect(insnAt(test, 0x10810)?.target).toBe(insnAt(test, 0x107d2));
    test.set({ cs: 0x1080, eip: 0x10 }).poke('cs:ffd2', '43 f4').run(2);
    expect(test.state).toMatchObject({ eip: 0xffd3, eax: 0x1111_a1a5, ebx: 0x4444_0011 });
    test.set({ cs: 0x1000, eip: 0x810 }).run(3);
    expect(test.state).toMatchObject({ eip: 0x810, eax: 0x1111_a1a6 });
  });

  it('end where the limit of the segment has come to be', () => {
    const test = new TestCpu().reset({}).poke('eip', '40 43 41 f4');
    for (let i = 0; i < 3; i++) {
      test.set({ eip: 0x100 }).run(3);
    }
    expect(insnAt(test, 0x10101)?.next).toBe(insnAt(test, 0x10102));
    test.cpu.setSegment(SEG_CS, 0x1000, 0x10000, 0x101, AR_REAL_CODE);
    test.set({ eip: 0x100 }).run(3);
    expect(test.vector).toBe(GP);
    expect(test.frame).toMatchObject({ ip: 0x102, cs: 0x1000 });
    expect(test.state).toMatchObject({ eax: 0x1111_a1a6, ebx: 0x4444_0014, ecx: 0x2222_0006 });
  });

  it('are looked up in a page that is entered from ever other places', () => {
    const test = new TestCpu().reset({}).poke('eip', '40 43 f4');
    for (let i = 0; i < 200; i++) {
      test.set({ cs: 0x1000 - (i & 7), eip: 0x100 + (i & 7) * 16 });
      for (let round = 0; round < 2; round++) test.set({ eip: 0x100 + (i & 7) * 16 }).run(2);
    }
    expect(test.state).toMatchObject({ eax: 0x1111_a1a2 + 400, ebx: 0x4444_0010 + 400 });
    expect(insnAt(test, 0x10100)?.next).toBe(NO_NEXT);
  });

  it('of a head are passed over: it may have code of its own', () => {
    const test = new TestCpu().reset({}).poke('eip', '40 49 75 fc f4');
    test.run(50);
    const inc = insnAt(test, 0x10100);
    const page = test.cpu.cache.obtain(0x10);
    page.want(0, 0x100);
    expect(inc?.linked).toBe(NOT_LINKED);
    expect(page.heads[0].get(0x100)?.insn).toBe(inc);
    page.giveUp(0, 0x100);
    expect(inc?.linked).toBe(inc?.op);
  });
});
