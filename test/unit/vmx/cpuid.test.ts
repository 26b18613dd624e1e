/** CPUID's table: which entry answers a leaf, in and out of range, and what follows IA32_APIC_BASE. */
import { describe, expect, it } from 'vitest';
import type { KvmCpuidEntry2 } from '../../../src/uapi/kvm.ts';
import { cpuidEntry2Find, getOutOfRangeCpuidEntry } from '../../../src/vmx/cpuid.ts';
import { realMachine } from '../kvm/real-machine.ts';

const SIGNIFICANT_INDEX = 1;
const VENDOR_AMD_EBX = 0x6874_7541;
const APIC = 1 << 9;
const TSC_DEADLINE = 1 << 24;

function entry(leaf: number, values: Partial<KvmCpuidEntry2> = {}): KvmCpuidEntry2 {
  return { function: leaf, index: 0, flags: 0, eax: 0, ebx: 0, ecx: 0, edx: 0, ...values };
}

/** Ranges that end at leaf 5, 0x40000010, 0x40000103, 0x4FFFFFFF, 0x80000008 and 0xC0000004. */
const TABLE = [
  entry(0, { eax: 5 }),
  entry(5, { ebx: 0x5555 }),
  entry(0x4000_0000, { eax: 0x4000_0010 }),
  entry(0x4000_0100, { eax: 0x4000_0103 }),
  entry(0x4fff_ff00, { eax: 0x4fff_ffff }),
  entry(0x8000_0000, { eax: 0x8000_0008 }),
  entry(0xc000_0000, { eax: 0xc000_0004 }),
];

function answersAsHighestBasicLeaf(leaf: number): boolean {
  const found = getOutOfRangeCpuidEntry(TABLE, leaf, 0);
  expect([undefined, TABLE[1]]).toContain(found);
  return found !== undefined;
}

describe('a leaf without entry', () => {
  it.each([
    ['the basic one', 5, 6],
    ['the hypervisor’s', 0x4000_0010, 0x4000_0011],
    ['the hypervisor’s second class', 0x4000_0103, 0x4000_0104],
    ['the hypervisor’s last class', 0x4fff_ffff, 0x5000_0000],
    ['the extended one', 0x8000_0008, 0x8000_0009],
    ['Centaur’s', 0xc000_0004, 0xc000_0005],
  ])(
    'answers zeros up to the end of its range, and as the highest basic leaf above: %s',
    (_range, last, beyond) => {
      expect([answersAsHighestBasicLeaf(last), answersAsHighestBasicLeaf(beyond)]).toEqual([false, true]);
    },
  );

  it.each([
    ['below the hypervisor’s range belongs to the basic one', 0x3fff_ffff, true],
    ['at its first leaf belongs to it', 0x4000_0000, false],
    ['of a class that is not there is out of range', 0x4000_0200, true],
    ['above the hypervisor’s range belongs to the basic one', 0x5000_0000, true],
    ['below the extended range belongs to the basic one', 0x7fff_ffff, true],
    ['at the first extended leaf belongs to it', 0x8000_0000, false],
    ['below Centaur’s range is an extended one', 0xbfff_ffff, true],
    ['at Centaur’s first leaf belongs to it', 0xc000_0000, false],
  ])('%s', (_what, leaf, isOutOfRange) => {
    expect(answersAsHighestBasicLeaf(leaf)).toBe(isOutOfRange);
  });

  it('belongs to a class of 256 leaves in the hypervisor’s range alone', () => {
    const wide = [entry(0, { eax: 0x205 }), entry(0x205), entry(0x8000_0000, { eax: 0x8000_0205 })];
    expect(getOutOfRangeCpuidEntry(wide, 0x105, 0)).toBeUndefined();
    expect(getOutOfRangeCpuidEntry(wide, 0x8000_0105, 0)).toBeUndefined();
    expect(getOutOfRangeCpuidEntry(wide, 0x8000_0206, 0)).toBe(wide[1]);
  });

  it('answers zeros on a processor of AMD, and where the table does not even have leaf 0', () => {
    const ofAmd = TABLE.map((row) => (row.function === 0 ? { ...row, ebx: VENDOR_AMD_EBX } : row));
    expect(getOutOfRangeCpuidEntry(ofAmd, 6, 0)).toBeUndefined();
    expect(getOutOfRangeCpuidEntry([entry(5)], 6, 0)).toBeUndefined();
  });

  it('answers with the index that was asked for', () => {
    const indexed = [entry(0, { eax: 4 }), entry(4, { flags: SIGNIFICANT_INDEX, index: 3, eax: 0x33 })];
    expect(getOutOfRangeCpuidEntry(indexed, 9, 3)?.eax).toBe(0x33);
    expect(getOutOfRangeCpuidEntry(indexed, 9, 2)).toBeUndefined();
  });
});

describe('an entry', () => {
  it('is found by its index only where that is significant', () => {
    const first = entry(4, { flags: SIGNIFICANT_INDEX });
    const second = entry(4, { flags: SIGNIFICANT_INDEX, index: 1 });
    const plain = entry(2, { index: 7 });
    expect([0, 1, 2].map((index) => cpuidEntry2Find([first, second, plain], 4, index))).toEqual([
      first,
      second,
      undefined,
    ]);
    expect(cpuidEntry2Find([first, second, plain], 2, 0)).toBe(plain);
  });
});

describe('what userspace has set', () => {
  const bits = { eax: 1, ebx: 2, ecx: TSC_DEADLINE, edx: APIC };
  it.each([
    ['keeps ECX of leaf 1, and EDX gets the APIC bit of IA32_APIC_BASE', 1, TSC_DEADLINE, APIC | 1],
    ['is all there is to any other leaf', 3, TSC_DEADLINE, 1],
  ])('%s', (_what, leaf, ecx, edx) => {
    const { vcpu } = realMachine('0fa2', { eax: leaf, ecx: 0 }, { devices: false });
    expect(vcpu.setCpuid2([entry(0, { eax: 3 }), entry(leaf, { ...bits, edx: 1 })])).toBe(0);
    vcpu.kvmRun();
    expect(vcpu.getRegs()).toMatchObject({ eax: 1, ebx: 2, ecx, edx });
  });

  it('loses the APIC bit of leaf 1 alone where IA32_APIC_BASE has it off', () => {
    const off = [1, 3].map((leaf) => {
      // mov ecx, 0x1b; rdmsr; and ah, ~8; wrmsr; mov eax, leaf; mov ecx, 0; cpuid
      const code = `66b91b0000000f3280e4f70f3066b80${leaf}00000066b9000000000fa2`;
      const { vcpu } = realMachine(code);
      vcpu.setCpuid2([entry(0, { eax: 3 }), entry(leaf, bits)]);
      vcpu.kvmRun();
      return [vcpu.getRegs().eax, vcpu.getRegs().edx];
    });
    expect(off).toEqual([
      [1, 0],
      [1, APIC],
    ]);
  });
});
