import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AR_DPL_SHIFT, AR_P, AR_REAL_DATA, AR_UNUSABLE, GP_VECTOR } from '../../../src/cpu/registers.ts';
import { SEG_SS, SEG_TR } from '../../../src/decoder/insn.ts';
import type { Vcpu } from '../../../src/kvm/vcpu.ts';
import { realMachine } from '../kvm/real-machine.ts';

const TSS = 0x3000;
const VM = 1 << 17;
/** A 16-bit TSS: KVM does not look at the type. */
const TSS_ATTR = AR_P | 3;

interface Case {
  mode: 'real' | 'prot' | 'v86';
  cpl: number;
  iopl: number;
  limit: number;
  iomap: number;
  port: number;
  len: number;
  /** Ports whose bit is set. */
  denied: number[];
}

const { vm, vcpu } = realMachine('', {});

function setUp(of: Case): Vcpu {
  const { cpu } = vcpu;
  vm.memory.write(TSS, new Uint8Array(0x3000));
  vm.memory.write(TSS + 102, Uint8Array.of(of.iomap & 0xff, of.iomap >> 8));
  for (const port of of.denied) {
    const at = TSS + of.iomap + (port >> 3);
    vm.memory.write(at, Uint8Array.of(vm.memory.readByte(at) | (1 << (port & 7))));
  }
  cpu.cr0 = of.mode === 'real' ? 0x10 : 0x11;
  cpu.sysFlags = 2 | (of.iopl << 12) | (of.mode === 'v86' ? VM : 0);
  cpu.setSegment(SEG_SS, 0, 0, 0xffff, AR_REAL_DATA | (of.cpl << AR_DPL_SHIFT));
  cpu.setSegment(SEG_TR, 0x28, TSS, of.limit, TSS_ATTR);
  vcpu.ctxt.permOk = 0;
  return vcpu;
}

const BASE: Case = { mode: 'prot', cpl: 3, iopl: 0, limit: 0x2068, iomap: 0x68, port: 0, len: 1, denied: [] };

function permitted(change: Partial<Case>): boolean {
  const of = { ...BASE, ...change };
  return setUp(of).fn.emulatorIoPermitted(vcpu, of.port, of.len);
}

describe('emulatorIoPermitted', () => {
  it('39: refuses when the bitmap byte lies beyond the limit', () => {
    expect(permitted({ limit: 0x67 })).toBe(false);
    expect(permitted({ limit: 0x68 })).toBe(true);
  });

  it('40: tests a bit for every byte of the access', () => {
    expect(permitted({ port: 0x100, len: 2, denied: [0x101] })).toBe(false);
    expect(permitted({ port: 0x100, len: 1, denied: [0x101] })).toBe(true);
  });

  it('41: tests bits of two bitmap bytes where the access straddles them', () => {
    expect(permitted({ port: 0x106, len: 4, denied: [0x109] })).toBe(false);
    expect(permitted({ port: 0x106, len: 4, denied: [0x10a, 0x105] })).toBe(true);
  });

  it('42: checks only the first bitmap byte against the limit, and reads the one behind it', () => {
    expect(permitted({ limit: 0x68, port: 6, len: 4 })).toBe(true);
    expect(permitted({ limit: 0x68, port: 6, len: 4, denied: [8] })).toBe(false);
  });

  it('43: asks the bitmap in virtual-8086 mode whatever IOPL says', () => {
    expect(permitted({ mode: 'v86', iopl: 3, denied: [0] })).toBe(false);
    expect(permitted({ mode: 'v86', iopl: 0 })).toBe(true);
  });

  it('asks nothing in real mode, whatever EFLAGS.VM says', () => {
    setUp({ ...BASE, mode: 'real', limit: 0 }).cpu.sysFlags |= VM;
    expect(vcpu.fn.emulatorIoPermitted(vcpu, 0, 1)).toBe(true);
  });

  it('44, 45: does not read the bitmap when CPL is at most IOPL', () => {
    expect(permitted({ iopl: 3, limit: 0 })).toBe(true);
    expect(permitted({ cpl: 0, denied: [0] })).toBe(true);
  });

  it('refuses without a present TSS, and with one that is too short for an I/O map base', () => {
    setUp(BASE).cpu.setSegment(SEG_TR, 0x28, TSS, 0x2068, TSS_ATTR & ~AR_P);
    expect(vcpu.fn.emulatorIoPermitted(vcpu, 0, 1)).toBe(false);
    vcpu.cpu.setSegment(SEG_TR, 0x28, TSS, 0x2068, TSS_ATTR | AR_UNUSABLE);
    expect(vcpu.fn.emulatorIoPermitted(vcpu, 0, 1)).toBe(false);
    expect(permitted({ limit: 102, iomap: 0x10 })).toBe(false);
    expect(permitted({ limit: 103, iomap: 0x10 })).toBe(true);
  });

  it('takes a bitmap at the very start of the TSS', () => {
    expect(permitted({ iomap: 0, port: 8 })).toBe(true);
    expect(permitted({ iomap: 0, port: 8, denied: [8] })).toBe(false);
  });

  it('remembers a yes for the rest of the emulation, but not a no', () => {
    expect(permitted({ denied: [0] })).toBe(false);
    expect(permitted({})).toBe(true);
    vcpu.cpu.segLimit[SEG_TR] = 0;
    expect(vcpu.fn.emulatorIoPermitted(vcpu, 0, 1)).toBe(true);
  });

  it('agrees with the rule written down bit by bit', () => {
    const anyCase = fc.record<Case>({
      mode: fc.constantFrom('real', 'prot', 'v86'),
      cpl: fc.constantFrom(0, 1, 2, 3),
      iopl: fc.constantFrom(0, 1, 2, 3),
      limit: fc.oneof(fc.constantFrom(0, 102, 103, 0x68, 0x69), fc.integer({ min: 0, max: 0x2100 })),
      iomap: fc.constantFrom(0x68, 0x88, 0x200),
      port: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 0xffff })),
      len: fc.constantFrom(1, 2, 4),
      denied: fc.array(fc.integer({ min: 0, max: 48 }), { maxLength: 6 }),
    });
    fc.assert(
      fc.property(anyCase, (of) => {
        const usesBitmap = of.mode === 'v86' || (of.mode === 'prot' && of.cpl > of.iopl);
        let expected = true;
        if (usesBitmap) {
          expected = of.limit >= 103 && of.iomap + Math.floor(of.port / 8) <= of.limit;
          for (let p = of.port; p < of.port + of.len; p++) if (of.denied.includes(p)) expected = false;
        }
        expect(permitted(of)).toBe(expected);
      }),
      { numRuns: 1000 },
    );
  });

  it('makes #GP(0) of a refusal, before the count is looked at', () => {
    setUp({ ...BASE, limit: 0 });
    const { ctxt } = vcpu;
    ctxt.opBytes = 1;
    ctxt.port = 0;
    expect([vcpu.fn.checkPermIn(vcpu), ctxt.exceptionVector, ctxt.exceptionErrorCode]).toEqual([
      2,
      GP_VECTOR,
      0,
    ]);
    expect(vcpu.fn.checkPermOut(vcpu)).toBe(2);
  });
});
