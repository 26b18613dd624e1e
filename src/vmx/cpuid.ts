/**
 * What CPUID tells: a processor of the P6 family without FPU and SSE, and only features that pio86 has
 * (Linux: arch/x86/kvm/cpuid.c; Intel SDM vol. 2A, “CPUID—CPU Identification”).
 */
import { EAX, EBX, ECX, EDX } from '../cpu/registers.ts';
import type { KvmVcpu } from '../emulate/kvm-vcpu.ts';
import type { KvmCpuidEntry2 } from '../uapi/kvm.ts';

/** Leaf 1, EDX. */
const FEATURE_PSE = 1 << 3;
const FEATURE_TSC = 1 << 4;
const FEATURE_MSR = 1 << 5;
const FEATURE_PAE = 1 << 6;
const FEATURE_CX8 = 1 << 8;
const FEATURE_PGE = 1 << 13;
/** Follows IA32_APIC_BASE[11]. */
const FEATURE_APIC = 1 << 9;
const FEATURE_CMOV = 1 << 15;
const FEATURE_PSE36 = 1 << 17;
const PAGING_FEATURES = FEATURE_PSE | FEATURE_PAE | FEATURE_PGE | FEATURE_PSE36;
/** Leaf 1, ECX. */
const FEATURE_MOVBE = 1 << 22;
const FEATURE_POPCNT = 1 << 23;
/** Leaf 80000001H, EDX. Leaf 80000008H is absent: physical addresses have 36 bits. */
const FEATURE_NX = 1 << 20;
const FEATURE_TSC_DEADLINE_TIMER = 1 << 24;

/** IA32_APIC_BASE: the local APIC is on. */
const MSR_IA32_APICBASE_ENABLE = 1 << 11;

/** Family 6, model 0, stepping 0: what EDX holds after a reset. */
const SIGNATURE = 0x600;
const MAX_BASIC_LEAF = 1;
const EXTENDED_LEAF_0 = 0x8000_0000 | 0;
const EXTENDED_LEAF_1 = 0x8000_0001 | 0;

/** Four letters as a little-endian doubleword. */
function letters(text: string): number {
  let value = 0;
  for (let i = 0; i < 4; i++) value |= text.charCodeAt(i) << (8 * i);
  return value;
}

const VENDOR_EBX = letters('Genu');
const VENDOR_EDX = letters('ineI');
const VENDOR_ECX = letters('ntel');

/** KVM_CPUID_FLAG_SIGNIFCANT_INDEX. */
const SIGNIFICANT_INDEX = 1;
const EXTENDED = 0x8000_0000;

/**
 * The entry that userspace has set for a leaf.
 *
 * @kvm cpuid_entry2_find(entries, nent, function, index) arch/x86/kvm/cpuid.c
 */
export function cpuidEntry2Find(
  entries: readonly KvmCpuidEntry2[],
  leaf: number,
  index: number,
): KvmCpuidEntry2 | undefined {
  return entries.find(
    (e) => e.function === leaf && ((e.flags & SIGNIFICANT_INDEX) === 0 || e.index === index),
  );
}

/** FEATURE_APIC while the local APIC is on. */
function apicFeature(apicBase: number): number {
  return (apicBase & MSR_IA32_APICBASE_ENABLE) !== 0 ? FEATURE_APIC : 0;
}

/** A leaf of the table that userspace has set. KVM: above the highest basic leaf answers as that one; else zeros. */
function fromUserspace(entries: readonly KvmCpuidEntry2[], gpr: Int32Array, apicBase: number): void {
  const leaf = gpr[EAX] >>> 0;
  const index = gpr[ECX] >>> 0;
  let entry = cpuidEntry2Find(entries, leaf, index);
  if (entry === undefined && leaf < EXTENDED) {
    const highest = cpuidEntry2Find(entries, 0, 0)?.eax ?? 0;
    if (leaf > highest) entry = cpuidEntry2Find(entries, highest, index);
  }
  gpr[EAX] = entry?.eax ?? 0;
  gpr[EBX] = entry?.ebx ?? 0;
  gpr[ECX] = entry?.ecx ?? 0;
  gpr[EDX] = entry?.edx ?? 0;
  // KVM: leaf 1 follows IA32_APIC_BASE whatever userspace has set.
  if (entry?.function === 1) gpr[EDX] = (gpr[EDX] & ~FEATURE_APIC) | apicFeature(apicBase);
}

/**
 * Leaf EAX goes to EAX, EBX, ECX, EDX. A leaf above the highest one answers as that does (Intel's rule, which KVM keeps).
 *
 * @kvm kvm_emulate_cpuid(vcpu) arch/x86/kvm/cpuid.c
 */
export function kvmEmulateCpuid(vcpu: KvmVcpu): number {
  const { gpr } = vcpu.cpu;
  if (vcpu.cpuidEntries !== null) {
    fromUserspace(vcpu.cpuidEntries, gpr, vcpu.apicBase);
  } else if (gpr[EAX] === 0) {
    gpr[EAX] = MAX_BASIC_LEAF;
    gpr[EBX] = VENDOR_EBX;
    gpr[ECX] = VENDOR_ECX;
    gpr[EDX] = VENDOR_EDX;
  } else if (gpr[EAX] === EXTENDED_LEAF_0 || gpr[EAX] === EXTENDED_LEAF_1) {
    gpr[EDX] = gpr[EAX] === EXTENDED_LEAF_1 ? FEATURE_NX : 0;
    gpr[EAX] = gpr[EAX] === EXTENDED_LEAF_0 ? EXTENDED_LEAF_1 : 0;
    gpr[EBX] = 0;
    gpr[ECX] = 0;
  } else {
    gpr[EAX] = SIGNATURE;
    gpr[EBX] = 0;
    gpr[ECX] = FEATURE_MOVBE | FEATURE_POPCNT;
    gpr[EDX] = FEATURE_TSC | FEATURE_MSR | FEATURE_CX8 | FEATURE_CMOV | PAGING_FEATURES;
    if (vcpu.lapicDev !== null) {
      gpr[ECX] |= FEATURE_TSC_DEADLINE_TIMER;
      gpr[EDX] |= apicFeature(vcpu.apicBase);
    }
  }
  return vcpu.fn.kvmSkipEmulatedInstruction(vcpu);
}
