/**
 * A processor model: which features it has, and what follows from them. The models themselves are in models/.
 *
 * Intel SDM vol. 2A, “CPUID—CPU Identification”; vol. 3A, “Processor State After Reset”.
 */
import { ALL_FEATURES } from '../decoder/features.ts';
import type { KvmCpuidEntry2 } from '../uapi/kvm.ts';
import { cr4MaskOf, eflagsOf, featuresOf } from './cpu-features.ts';
import { EFLAGS_MASK } from './registers.ts';

/** Names that `--cpu` and the option `cpu` of boards take. */
export type CpuModelName = '486' | 'p6' | 'max';

/** What a model is made from. */
export interface CpuModelSpec {
  readonly name: CpuModelName;
  /** FEATURE_*. */
  readonly features: number;
  /** Type, family, model, stepping: CPUID leaf 1, EAX. */
  readonly signature: number;
  /** EDX after a reset; default: the signature. */
  readonly resetEdx?: number;
  /** Highest basic and extended leaf of CPUID; 0: no extended ones. */
  readonly maxBasicLeaf: number;
  readonly maxExtendedLeaf: number;
}

/** A processor model. */
export interface CpuModel {
  readonly name: CpuModelName;
  readonly features: number;
  readonly resetEdx: number;
  /** CR4 bits that exist; 0: there is no CR4. */
  readonly cr4Mask: number;
  /** EFLAGS bits that exist. */
  readonly eflagsMask: number;
  /** Every leaf of CPUID, as KVM_GET_SUPPORTED_CPUID tells it; empty: no CPUID. */
  readonly cpuid: readonly Readonly<KvmCpuidEntry2>[];
}

const EXTENDED_LEAVES = 0x8000_0000;
/** KVM_CPUID_FLAG_SIGNIFCANT_INDEX. */
const SIGNIFICANT_INDEX = 1;
/** Leaves whose answer depends on ECX. */
const INDEXED_LEAVES: readonly number[] = [4, 7];
/** Leaf 2: AL is always 1; there are no cache descriptors. */
const CACHE_DESCRIPTORS_LEAF = 2;

/** Four letters as a little-endian doubleword, unsigned. */
function letters(text: string): number {
  let value = 0;
  for (let i = 0; i < 4; i++) value |= text.charCodeAt(i) << (8 * i);
  return value >>> 0;
}

function emptyLeaf(leaf: number): KvmCpuidEntry2 {
  const flags = INDEXED_LEAVES.includes(leaf) ? SIGNIFICANT_INDEX : 0;
  return { function: leaf, index: 0, flags, eax: 0, ebx: 0, ecx: 0, edx: 0 };
}

function cpuidOf(spec: CpuModelSpec): KvmCpuidEntry2[] {
  const leaves: KvmCpuidEntry2[] = [];
  for (let leaf = 0; leaf <= spec.maxBasicLeaf; leaf++) leaves.push(emptyLeaf(leaf));
  for (let leaf = EXTENDED_LEAVES; leaf <= spec.maxExtendedLeaf; leaf++) leaves.push(emptyLeaf(leaf));
  for (const entry of leaves) {
    if (entry.function === 0) {
      entry.eax = spec.maxBasicLeaf;
      [entry.ebx, entry.edx, entry.ecx] = ['Genu', 'ineI', 'ntel'].map(letters);
    } else if (entry.function === 1) entry.eax = spec.signature;
    else if (entry.function === CACHE_DESCRIPTORS_LEAF) entry.eax = 1;
    else if (entry.function === EXTENDED_LEAVES) entry.eax = spec.maxExtendedLeaf;
    for (const { cpuid } of featuresOf(spec.features)) {
      if (cpuid?.leaf === entry.function) {
        entry[cpuid.register] = (entry[cpuid.register] | (1 << cpuid.bit)) >>> 0;
      }
    }
  }
  return leaves;
}

/** Works out what follows from the features. */
export function makeCpuModel(spec: CpuModelSpec): CpuModel {
  const { name, features } = spec;
  return {
    name,
    features,
    resetEdx: spec.resetEdx ?? spec.signature,
    cr4Mask: cr4MaskOf(features),
    eflagsMask: EFLAGS_MASK & ~(eflagsOf(ALL_FEATURES) & ~eflagsOf(features)),
    cpuid: spec.maxBasicLeaf === 0 ? [] : cpuidOf(spec),
  };
}
