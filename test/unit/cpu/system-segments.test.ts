import { describe, expect, it } from 'vitest';
import { SEG_LDTR, SEG_TR } from '../../../src/decoder/insn.ts';
import { TestCpu } from './driver.ts';
import {
  CODE,
  CODE_CONFORMING,
  CODE_XO,
  CODE_XR,
  DATA_RO,
  DATA_RW,
  type DescriptorIn,
  descriptor,
  FREE,
  HANDLERS,
  ProtectedCpu,
  TSS_SELECTOR,
} from './protected-driver.ts';

const UD = 6;
const NP = 11;
const GP = 13;
const ZF = 0x40;

describe('in real mode', () => {
  it.each([
    ['sldt', '0f 00 c0'],
    ['str', '0f 00 c8'],
    ['lldt', '0f 00 d0'],
    ['ltr', '0f 00 d8'],
    ['verr', '0f 00 e0'],
    ['verw', '0f 00 e8'],
    ['lar', '0f 02 c0'],
    ['lsl', '0f 03 c0'],
    ['arpl', '63 c0'],
  ])('%s is #UD', (_, code) => {
    const test = new TestCpu().poke('eip', code);
    test.run(1);
    expect(test.vector).toBe(UD);
  });
});

describe('LTR', () => {
  it('loads an available TSS and marks it busy', () => {
    const test = new ProtectedCpu().gdt(FREE, descriptor({ type: 9, base: 0x6000, limit: 0x80 }));
    test.set({ eax: FREE }).exec('0f 00 d8');
    expect([test.caught, test.access(FREE) & 15]).toEqual([null, 11]);
    expect([test.cpu.segSelector[SEG_TR], test.cpu.segBase[SEG_TR], test.cpu.segLimit[SEG_TR]]).toEqual([
      FREE,
      0x6000,
      0x80,
    ]);
    expect(test.exec('0f 00 c8').get('eax')).toBe(FREE); // str eax
  });

  it.each<[string, 0 | 3, number, DescriptorIn, number, number]>([
    ['at level 3', 3, FREE, { type: 9 }, GP, 0],
    ['null', 0, 0, { type: 9 }, GP, 0],
    ['a local selector', 0, FREE | 4, { type: 9 }, GP, FREE | 4],
    ['a busy TSS', 0, FREE, { type: 11 }, GP, FREE],
    ['an LDT', 0, FREE, { type: 2 }, GP, FREE],
    ['a TSS that is not present', 0, FREE, { type: 9, present: false }, NP, FREE],
  ])('refuses %s', (_, level, selector, entry, vector, error) => {
    const test = new ProtectedCpu(level).gdt(FREE, descriptor(entry)).set({ eax: selector }).exec('0f 00 d8');
    expect(test.caught).toMatchObject({ vector, error, eip: CODE });
    expect([test.cpu.segSelector[SEG_TR], test.access(FREE) & 15]).toEqual([TSS_SELECTOR, entry.type]);
  });
});

describe('LLDT', () => {
  it('loads an LDT, or none', () => {
    const test = new ProtectedCpu().gdt(FREE, descriptor({ type: 2, base: 0x6000, limit: 0x17 }));
    test.set({ eax: FREE }).exec('0f 00 d0');
    expect([test.cpu.segSelector[SEG_LDTR], test.cpu.segBase[SEG_LDTR]]).toEqual([FREE, 0x6000]);
    expect(test.exec('0f 00 c0').get('eax')).toBe(FREE); // sldt eax
    test.set({ eax: 0 }).exec('0f 00 d0');
    expect([test.caught, test.cpu.segSelector[SEG_LDTR]]).toEqual([null, 0]);
  });

  it.each<[string, 0 | 3, number, DescriptorIn, number, number]>([
    ['at level 3', 3, FREE, { type: 2 }, GP, 0],
    ['a local selector', 0, FREE | 4, { type: 2 }, GP, FREE | 4],
    ['a TSS', 0, FREE, { type: 9 }, GP, FREE],
    ['data', 0, FREE, { type: DATA_RW }, GP, FREE],
    ['what is not present', 0, FREE, { type: 2, present: false }, NP, FREE],
  ])('refuses %s', (_, level, selector, entry, vector, error) => {
    const test = new ProtectedCpu(level).gdt(FREE, descriptor(entry)).set({ eax: selector }).exec('0f 00 d0');
    expect(test.caught).toMatchObject({ vector, error, eip: CODE });
  });
});

/** Runs `code` (operands EAX ← ECX) with `ecx` and a descriptor. */
function ask(code: string, level: 0 | 3, selector: number, entry: DescriptorIn): ProtectedCpu {
  const test = new ProtectedCpu(level).gdt(FREE, descriptor(entry));
  return test.set({ eax: 0x5555_5555, ecx: selector, eflags: 2 }).exec(code);
}
const zf = (test: ProtectedCpu): boolean => (test.get('eflags') & ZF) !== 0;

describe('LAR and LSL', () => {
  const LAR = '0f 02 c1';
  const LSL = '0f 03 c1';

  it('give access rights and limit', () => {
    const lar = ask(LAR, 0, FREE, { type: DATA_RW, dpl: 3, limit: 0x1_2345 });
    expect([zf(lar), lar.get('eax')]).toEqual([true, 0x0041_f200]);
    const lsl = ask(LSL, 0, FREE, { type: DATA_RW, limit: 0x1_2345 });
    expect([zf(lsl), lsl.get('eax')]).toEqual([true, 0x1_2345]);
    expect(ask(LSL, 0, FREE, { type: DATA_RW }).get('eax')).toBe(0xffff_ffff);
    expect(ask('66 0f 02 c1', 0, FREE, { type: DATA_RW, dpl: 3 }).get('eax')).toBe(0x5555_f200);
  });

  it('know these system types', () => {
    const known = (code: string): number[] =>
      Array.from({ length: 16 }, (_, type) => type).filter((type) => zf(ask(code, 0, FREE, { type })));
    expect(known(LAR)).toEqual([1, 2, 3, 4, 5, 9, 11, 12]);
    expect(known(LSL)).toEqual([1, 2, 3, 9, 11]);
  });

  it.each<[string, 0 | 3, number, DescriptorIn, boolean]>([
    ['null', 0, 0, { type: DATA_RW }, false],
    ['beyond the GDT', 0, 0x100, { type: DATA_RW }, false],
    ['an inner level', 3, FREE, { type: DATA_RW }, false],
    ['an RPL above DPL', 0, FREE | 1, { type: DATA_RW }, false],
    ['conforming code of an inner level', 3, FREE | 3, { type: CODE_CONFORMING }, true],
    ['what is not present', 0, FREE, { type: DATA_RW, present: false }, true],
  ])('of %s', (_, level, selector, entry, seen) => {
    for (const code of [LAR, LSL]) {
      const test = ask(code, level, selector, entry);
      expect([test.caught, zf(test), test.get('eax') !== 0x5555_5555]).toEqual([null, seen, seen]);
    }
  });
});

describe('VERR and VERW', () => {
  it.each<[string, DescriptorIn, boolean, boolean]>([
    ['writable data', { type: DATA_RW }, true, true],
    ['read-only data', { type: DATA_RO }, true, false],
    ['readable code', { type: CODE_XR }, true, false],
    ['execute-only code', { type: CODE_XO }, false, false],
    ['a TSS', { type: 9 }, false, false],
  ])('of %s', (_, entry, read, write) => {
    expect(zf(ask('0f 00 e1', 0, FREE, entry))).toBe(read);
    expect(zf(ask('0f 00 e9', 0, FREE, entry))).toBe(write);
    expect(zf(ask('0f 00 e1', 3, FREE, entry))).toBe(false);
  });
});

describe('ARPL', () => {
  it('raises the RPL of a register or of memory, and says so', () => {
    const test = new ProtectedCpu(3).set({ eax: 0xaaaa_0010, ecx: 3 }).exec('63 c8'); // arpl ax,cx
    expect([test.get('eax'), zf(test)]).toEqual([0xaaaa_0013, true]);
    test.exec('63 c8');
    expect([test.get('eax'), zf(test)]).toEqual([0xaaaa_0013, false]);
    test.word(0x5_0000, 0x20).exec('63 0d 00 00 05 00'); // arpl [0x50000],cx
    expect([test.wordAt(0x5_0000), zf(test)]).toEqual([0x23, true]);
  });
});

describe('SYSENTER and SYSEXIT', () => {
  function withMsrs(level: 0 | 3): ProtectedCpu {
    const test = new ProtectedCpu(level);
    test.cpu.sysenterCs = 0x100;
    test.cpu.sysenterEsp = 0x7000;
    test.cpu.sysenterEip = 0x8000;
    return test;
  }

  it('go to level 0 and back without looking at descriptors', () => {
    const test = withMsrs(3).set({ eflags: 0x3202 }).exec('0f 34');
    expect(test.registers('cs', 'ss', 'eip', 'esp', 'eflags')).toEqual({
      cs: 0x100,
      ss: 0x108,
      eip: 0x8000,
      esp: 0x7000,
      eflags: 0x3002,
    });
    test.set({ ecx: 0x9000, edx: CODE + 0x40 }).exec('0f 35');
    expect(test.registers('cs', 'ss', 'eip', 'esp')).toEqual({
      cs: 0x113,
      ss: 0x11b,
      eip: CODE + 0x40,
      esp: 0x9000,
    });
    expect(test.cpu.segAttr[2] & 0x60).toBe(0x60);
  });

  it('are #GP(0) without IA32_SYSENTER_CS, and SYSEXIT above level 0', () => {
    expect(new ProtectedCpu().exec('0f 34').caught).toMatchObject({ vector: GP, error: 0 });
    expect(new ProtectedCpu().exec('0f 35').caught).toMatchObject({ vector: GP, error: 0 });
    expect(withMsrs(3).exec('0f 35').caught).toMatchObject({ vector: GP, error: 0 });
  });

  it('have their MSRs', () => {
    const test = new ProtectedCpu();
    for (const [msr, value] of [
      [0x174, 8],
      [0x175, 0x1234],
      [0x176, 0x5678],
    ]) {
      test.set({ ecx: msr, eax: value, edx: 0 }).exec('0f 30').set({ eax: 0 }).exec('0f 32');
      expect(test.get('eax')).toBe(value);
    }
    expect([test.cpu.sysenterCs, test.cpu.sysenterEsp, test.cpu.sysenterEip]).toEqual([8, 0x1234, 0x5678]);
  });
});

describe('instructions of level 0', () => {
  it.each([
    ['hlt', 'f4'],
    ['clts', '0f 06'],
    ['invd', '0f 08'],
    ['wbinvd', '0f 09'],
    ['lmsw', '0f 01 f0'],
    ['lgdt', '0f 01 15 00 00 05 00'],
    ['lidt', '0f 01 1d 00 00 05 00'],
    ['mov eax,cr0', '0f 20 c0'],
    ['mov cr3,eax', '0f 22 d8'],
    ['mov eax,dr7', '0f 21 f8'],
    ['rdmsr', '0f 32'],
    ['wrmsr', '0f 30'],
    ['cli', 'fa'],
    ['sti', 'fb'],
  ])('%s is #GP(0) at level 3', (_, code) => {
    expect(new ProtectedCpu(3).exec(code).caught).toMatchObject({ vector: GP, error: 0, eip: CODE });
  });

  it('SMSW, SGDT, SIDT, SLDT and STR are for everyone', () => {
    for (const code of ['0f 01 e0', '0f 01 05 00 00 05 00', '0f 01 0d 00 00 05 00', '0f 00 c0', '0f 00 c8']) {
      expect(new ProtectedCpu(3).exec(code).caught).toBeNull();
    }
  });

  it('CLI and STI obey IOPL, POPF changes IF and IOPL only where it may', () => {
    const test = new ProtectedCpu(3).set({ eflags: 0x3002 }).exec('fb');
    expect(test.get('eflags')).toBe(0x3202);
    expect(new ProtectedCpu(3).dword(0x2_0000, 0x3202).exec('9d').get('eflags')).toBe(2);
    expect(new ProtectedCpu(0).dword(0x2_0000, 0x3202).exec('9d').get('eflags')).toBe(0x3202);
  });
});

describe('the alignment check', () => {
  const AC = 17;
  const LOAD = '8b 03'; // mov eax,[ebx]

  function armed(level: 0 | 3, cr0 = 0x4_0011): ProtectedCpu {
    const test = new ProtectedCpu(level);
    test.cpu.cr0 = cr0;
    return test.set({ eflags: 0x4_0002, ebx: 0x5_0001 });
  }

  it.each([
    ['mov eax,[ebx]', LOAD],
    ['mov [ebx],ax', '66 89 03'],
    ['add [ebx],eax', '01 03'],
    ['movsd', 'a5'],
    ['push dword [ebx]', 'ff 33'],
  ])('is #AC(0) at level 3 with AM and AC: %s', (_, code) => {
    const test = armed(3).set({ esi: 0x5_0001, edi: 0x5_0100 }).exec(code);
    expect(test.caught).toMatchObject({ vector: AC, error: 0, eip: CODE });
    expect(test.get('ebx')).toBe(0x5_0001);
  });

  it('is not made of bytes, of aligned words, at level 0, or without AM or AC', () => {
    expect(armed(3).exec('8a 03').caught).toBeNull();
    expect(armed(3).set({ ebx: 0x5_0004 }).exec(LOAD).caught).toBeNull();
    expect(armed(0).exec(LOAD).caught).toBeNull();
    expect(armed(3, 0x11).exec(LOAD).caught).toBeNull();
    expect(armed(3).set({ eflags: 2 }).exec(LOAD).caught).toBeNull();
  });

  it('begins with POPF of AC and ends in the handler, whose own accesses are not checked', () => {
    const test = new ProtectedCpu(3);
    test.cpu.cr0 = 0x4_0011;
    test.dword(0x2_0000, 0x4_0002).set({ ebx: 0x5_0001 }).exec('9d');
    expect(test.exec(LOAD).caught).toMatchObject({ vector: AC, cs: 0x1b });
    expect(test.exec(LOAD).get('eip')).toBe(HANDLERS + AC + 2);
  });

  it('does not watch what the processor reads by itself', () => {
    const test = armed(3).exec('cd 80');
    expect(test.caught).toMatchObject({ vector: 0x80 });
    const misaligned = armed(3).dword(0x4004, 0x2_8001).exec('cd 80');
    expect(misaligned.caught).toMatchObject({ vector: 0x80 });
  });
});
