/**
 * Where CPUID shows a feature, and what hangs on it: bits of CR4 and EFLAGS. One table, so that what CPUID tells and what the
 * processor does cannot differ.
 *
 * Intel SDM vol. 2A, “CPUID—CPU Identification”; vol. 3A, “Control Registers”.
 */
import * as f from '../decoder/features.ts';
import {
  X86_CR4_DE,
  X86_CR4_MCE,
  X86_CR4_PAE,
  X86_CR4_PCE,
  X86_CR4_PGE,
  X86_CR4_PSE,
  X86_CR4_PVI,
  X86_CR4_TSD,
  X86_CR4_UMIP,
  X86_CR4_VME,
  X86_EFLAGS_ID,
  X86_EFLAGS_VIF,
  X86_EFLAGS_VIP,
} from './registers.ts';

/** A register that CPUID fills. */
export type CpuidRegister = 'eax' | 'ebx' | 'ecx' | 'edx';

/** A bit of a CPUID leaf (its index 0), leaf unsigned. */
export interface CpuidBit {
  readonly leaf: number;
  readonly register: CpuidRegister;
  readonly bit: number;
}

/** One feature. */
export interface CpuFeature {
  /** FEATURE_*. */
  readonly feature: number;
  /** As the manual abbreviates it. */
  readonly name: string;
  /** Null: CPUID has no bit for it. */
  readonly cpuid: CpuidBit | null;
  /** CR4 bits that exist with it. */
  readonly cr4: number;
  /** EFLAGS bits that exist with it. */
  readonly eflags: number;
}

/** Leaf 80000001H. */
const EXTENDED = 0x8000_0001;

const at = (leaf: number, register: CpuidRegister, bit: number): CpuidBit => ({ leaf, register, bit });
const row = (
  feature: number,
  name: string,
  cpuid: CpuidBit | null = null,
  cr4 = 0,
  eflags = 0,
): CpuFeature => ({ feature, name, cpuid, cr4, eflags });

// biome-ignore format: one feature a line, columns aligned.
export const CPU_FEATURES: readonly CpuFeature[] = [
  row(f.FEATURE_I486,   '486'),
  row(f.FEATURE_CPUID,  'CPUID',  null, 0, X86_EFLAGS_ID),
  // KVM: CR4.MCE can be set whatever CPUID shows; there are no machine checks.
  row(f.FEATURE_CR4,    'CR4',    null, X86_CR4_MCE),
  row(f.FEATURE_VME,    'VME',    at(1, 'edx', 1), X86_CR4_VME | X86_CR4_PVI, X86_EFLAGS_VIF | X86_EFLAGS_VIP),
  row(f.FEATURE_DE,     'DE',     at(1, 'edx', 2), X86_CR4_DE),
  row(f.FEATURE_PSE,    'PSE',    at(1, 'edx', 3), X86_CR4_PSE),
  row(f.FEATURE_TSC,    'TSC',    at(1, 'edx', 4), X86_CR4_TSD),
  row(f.FEATURE_MSR,    'MSR',    at(1, 'edx', 5)),
  row(f.FEATURE_PAE,    'PAE',    at(1, 'edx', 6), X86_CR4_PAE),
  row(f.FEATURE_CX8,    'CX8',    at(1, 'edx', 8)),
  row(f.FEATURE_SEP,    'SEP',    at(1, 'edx', 11)),
  row(f.FEATURE_PGE,    'PGE',    at(1, 'edx', 13), X86_CR4_PGE),
  row(f.FEATURE_CMOV,   'CMOV',   at(1, 'edx', 15)),
  row(f.FEATURE_PSE36,  'PSE-36', at(1, 'edx', 17)),
  row(f.FEATURE_RDPMC,  'RDPMC',  null, X86_CR4_PCE),
  row(f.FEATURE_NOPL,   'NOPL'),
  row(f.FEATURE_MOVBE,  'MOVBE',  at(1, 'ecx', 22)),
  row(f.FEATURE_POPCNT, 'POPCNT', at(1, 'ecx', 23)),
  row(f.FEATURE_TSC_DEADLINE, 'TSC_DEADLINE', at(1, 'ecx', 24)),
  row(f.FEATURE_BMI1,   'BMI1',   at(7, 'ebx', 3)),
  row(f.FEATURE_ADX,    'ADX',    at(7, 'ebx', 19)),
  row(f.FEATURE_UMIP,   'UMIP',   at(7, 'ecx', 2), X86_CR4_UMIP),
  row(f.FEATURE_LZCNT,  'LZCNT',  at(EXTENDED, 'ecx', 5)),
  row(f.FEATURE_NX,     'NX',     at(EXTENDED, 'edx', 20)),
  row(f.FEATURE_RDTSCP, 'RDTSCP', at(EXTENDED, 'edx', 27)),
  // Its bit is SSE4.2's, and there is no SSE: the instruction is there, the bit is not.
  row(f.FEATURE_CRC32,  'CRC32'),
];

/** The features of a mask. */
export function featuresOf(mask: number): CpuFeature[] {
  return CPU_FEATURES.filter(({ feature }) => (mask & feature) !== 0);
}

/** CR4 bits that exist with these features. */
export function cr4MaskOf(mask: number): number {
  return featuresOf(mask).reduce((bits, { cr4 }) => bits | cr4, 0);
}

/** EFLAGS bits among those of features that exist with these. */
export function eflagsOf(mask: number): number {
  return featuresOf(mask).reduce((bits, { eflags }) => bits | eflags, 0);
}
