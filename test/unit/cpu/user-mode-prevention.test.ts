/** CR4.UMIP and CR4.TSD: what level 3 may not ask. */
import { describe, expect, it } from 'vitest';
import { setCr4 } from '../../../src/cpu/control-registers.ts';
import { privilegeChanged } from '../../../src/cpu/privilege.ts';
import { X86_EFLAGS_VM } from '../../../src/cpu/registers.ts';
import { CODE, ProtectedCpu } from './protected-driver.ts';

const UMIP = 1 << 11;
const TSD = 1 << 2;
const DATA = 0x5000;

/** The CPU at level 0, at level 3, or in virtual-8086 mode, with CR4 set. */
function at(level: 0 | 3 | 'v86', cr4: number): ProtectedCpu {
  const p = new ProtectedCpu(level === 0 ? 0 : 3);
  expect(setCr4(p.cpu, cr4)).toBe(true);
  p.set({ ebx: DATA });
  if (level === 'v86') {
    for (let seg = 0; seg < 6; seg++) p.cpu.setSegment(seg, 0, 0, 0xffff, 0xf3);
    p.cpu.setSegment(1, CODE >> 4, CODE, 0xffff, 0xf3);
    p.set({ eip: 0 });
    p.cpu.sysFlags |= X86_EFLAGS_VM;
    privilegeChanged(p.cpu);
  }
  return p;
}

/** 32-bit code, and the same in 16-bit code: [bx] is 7. */
const INSTRUCTIONS = [
  { name: 'sgdt', code: '0f 01 03', code16: '0f 01 07', isProtected: false },
  { name: 'sidt', code: '0f 01 0b', code16: '0f 01 0f', isProtected: false },
  { name: 'smsw [mem]', code: '0f 01 23', code16: '0f 01 27', isProtected: false },
  { name: 'smsw eax', code: '0f 01 e0', code16: '0f 01 e0', isProtected: false },
  { name: 'sldt [mem]', code: '0f 00 03', code16: '0f 00 07', isProtected: true },
  { name: 'str eax', code: '0f 00 c8', code16: '0f 00 c8', isProtected: true },
];

describe.each(INSTRUCTIONS)('$name', ({ code, code16, isProtected }) => {
  it('is #GP(0) at level 3 with UMIP and stores nothing', () => {
    const p = at(3, UMIP).exec(code);
    expect(p.caught).toMatchObject({ vector: 13, error: 0, eip: CODE });
    expect([p.dwordAt(DATA), p.get('eax')]).toEqual([0, 0]);
  });

  it('works at level 3 without UMIP, and at level 0 with it', () => {
    for (const p of [at(3, 0), at(0, UMIP)]) expect(p.exec(code).get('eip')).toBe(CODE + 3);
  });

  it('in virtual-8086 mode is #GP(0) with UMIP, unless it is #UD there anyway', () => {
    expect(at('v86', UMIP).exec(code16).caught?.vector).toBe(isProtected ? 6 : 13);
    const without = at('v86', 0).exec(code16);
    if (isProtected) expect(without.caught?.vector).toBe(6);
    else expect(without.get('eip')).toBe(3);
  });
});

describe.each([
  { name: 'rdtsc', code: '0f 31', len: 2 },
  { name: 'rdtscp', code: '0f 01 f9', len: 3 },
])('$name', ({ name, code, len }) => {
  it('is #GP(0) with TSD above level 0 only, in virtual-8086 mode too', () => {
    expect(at(3, TSD).exec(code).caught).toMatchObject({ vector: 13, error: 0 });
    expect(at('v86', TSD).exec(code).caught?.vector).toBe(13);
    expect(at(0, TSD).exec(code).get('eip')).toBe(CODE + len);
    expect(at(3, 0).exec(code).get('eip')).toBe(CODE + len);
  });

  it('reads the time-stamp counter, and RDTSCP IA32_TSC_AUX', () => {
    const p = at(0, 0);
    p.cpu.tscAux = 0x8000_0001 | 0;
    p.cpu.tscOffset = 0x5_1234_0000;
    p.set({ ecx: 7 }).exec(code);
    expect([p.get('edx'), p.get('eax') & ~0xff, p.get('ecx')]).toEqual([
      5,
      0x1234_0000,
      name === 'rdtscp' ? 0x8000_0001 : 7,
    ]);
  });
});

it('WRMSR of IA32_TSC_AUX is #GP(0) with bits above 31', () => {
  const p = at(0, 0).set({ ecx: 0xc000_0103, eax: 5 }).exec('0f 30');
  expect([p.cpu.tscAux, p.get('eip')]).toEqual([5, CODE + 2]);
  expect(p.set({ edx: 1 }).exec('0f 30').caught).toMatchObject({ vector: 13, error: 0 });
  expect(p.cpu.tscAux).toBe(5);
});
