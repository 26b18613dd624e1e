import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EINVAL } from '../../../src/uapi/errno.ts';
import type { KvmRegs, KvmSegment } from '../../../src/uapi/kvm.ts';
import { realMachine } from './real-machine.ts';

const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const bit = fc.constantFrom(0, 1);
const regs = fc.record<KvmRegs>({
  eax: u32,
  ebx: u32,
  ecx: u32,
  edx: u32,
  esi: u32,
  edi: u32,
  esp: u32,
  ebp: u32,
  eip: u32,
  eflags: u32,
});
const segment = fc.record<KvmSegment>({
  base: u32,
  limit: u32,
  selector: fc.integer({ min: 0, max: 0xffff }),
  type: fc.integer({ min: 0, max: 15 }),
  present: bit,
  dpl: fc.integer({ min: 0, max: 3 }),
  db: bit,
  s: bit,
  l: bit,
  g: bit,
  avl: bit,
  unusable: bit,
});

describe('registers through KVM’s structures', () => {
  const { vcpu } = realMachine('');

  it('come back as they were set, EFLAGS with the bits that exist', () => {
    fc.assert(
      fc.property(regs, (set) => {
        vcpu.setRegs(set);
        const DEFINED = 0x3f7fd5;
        expect(vcpu.getRegs()).toEqual({ ...set, eflags: (set.eflags & DEFINED) | 2 });
      }),
    );
  });

  it('come back for every segment', () => {
    fc.assert(
      fc.property(fc.tuple(segment, segment, segment, segment), u32, ([cs, ss, tr, ldt], base) => {
        const idt = { base, limit: 0x3ff };
        const set = { ...vcpu.getSregs(), cs: { ...cs, l: 0 }, ss, tr, ldt, idt };
        expect(vcpu.setSregs(set)).toBe(0);
        expect(vcpu.getSregs()).toEqual(set);
      }),
    );
  });

  it('refuse paging without protected mode and change nothing', () => {
    const before = vcpu.getSregs();
    expect(vcpu.setSregs({ ...before, cr0: 0x8000_0010, cr3: 0x1000 })).toBe(-EINVAL);
    expect(vcpu.getSregs()).toEqual(before);
  });
});
