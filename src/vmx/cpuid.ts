/**
 * What CPUID tells: the leaves of the processor model, or those that userspace has set instead
 * (Linux: arch/x86/kvm/cpuid.c; Intel SDM vol. 2A, “CPUID—CPU Identification”).
 */
import { EAX, EBX, ECX, EDX } from '../cpu/registers.ts';
import type { KvmVcpu } from '../emulate/kvm-vcpu.ts';
import type { KvmCpuidEntry2 } from '../uapi/kvm.ts';

type Entries = readonly Readonly<KvmCpuidEntry2>[];
type Entry = Readonly<KvmCpuidEntry2>;

/** Leaf 1, EDX: follows IA32_APIC_BASE[11]. */
const FEATURE_APIC = 1 << 9;
/** Leaf 1, ECX: a mode of the local APIC's timer. */
const FEATURE_TSC_DEADLINE_TIMER = 1 << 24;

/** IA32_APIC_BASE: the local APIC is on. */
const MSR_IA32_APICBASE_ENABLE = 1 << 11;

/** KVM_CPUID_FLAG_SIGNIFCANT_INDEX. */
const SIGNIFICANT_INDEX = 1;

/** Ranges of leaves: hypervisor's (a class every 100H), Centaur's, and basic or extended. */
const HYPERVISOR_FIRST = 0x4000_0000;
const HYPERVISOR_LAST = 0x4fff_ffff;
const CENTAUR = 0xc000_0000;
const EXTENDED = 0x8000_0000;
/** EBX of leaf 0 on processors of AMD, which answer zeros out of range. */
const VENDOR_AMD_EBX = 0x6874_7541;

/**
 * The entry for a leaf.
 *
 * @kvm cpuid_entry2_find(entries, nent, function, index) arch/x86/kvm/cpuid.c
 */
export function cpuidEntry2Find(entries: Entries, leaf: number, index: number): Entry | undefined {
  return entries.find(
    (e) => e.function === leaf && ((e.flags & SIGNIFICANT_INDEX) === 0 || e.index === index),
  );
}

/** The first leaf of the range that a leaf belongs to. */
function rangeOf(leaf: number): number {
  if (leaf >= HYPERVISOR_FIRST && leaf <= HYPERVISOR_LAST) return leaf - (leaf % 0x100);
  if (leaf >= CENTAUR) return CENTAUR;
  return leaf >= EXTENDED ? EXTENDED : 0;
}

/**
 * The entry of the highest basic leaf, for a leaf above the highest one of its range: Intel's rule, which KVM keeps.
 *
 * @kvm get_out_of_range_cpuid_entry(vcpu, fn_ptr, index) arch/x86/kvm/cpuid.c (as: of a table)
 */
export function getOutOfRangeCpuidEntry(entries: Entries, leaf: number, index: number): Entry | undefined {
  const basic = cpuidEntry2Find(entries, 0, 0);
  if (basic === undefined || basic.ebx === VENDOR_AMD_EBX) return undefined;
  const range = cpuidEntry2Find(entries, rangeOf(leaf), 0);
  if (range !== undefined && leaf <= range.eax) return undefined;
  return cpuidEntry2Find(entries, basic.eax, index);
}

/** Leaf 1 as the local APIC is now. KVM: it follows IA32_APIC_BASE whatever userspace has set. */
function updateRuntime(vcpu: KvmVcpu, gpr: Int32Array): void {
  gpr[EDX] &= ~FEATURE_APIC;
  if (vcpu.cpuidEntries === null && vcpu.lapicDev === null) gpr[ECX] &= ~FEATURE_TSC_DEADLINE_TIMER;
  else if ((vcpu.apicBase & MSR_IA32_APICBASE_ENABLE) !== 0) gpr[EDX] |= FEATURE_APIC;
}

/**
 * Leaf EAX, index ECX goes to EAX, EBX, ECX, EDX.
 *
 * @kvm kvm_emulate_cpuid(vcpu) arch/x86/kvm/cpuid.c
 */
export function kvmEmulateCpuid(vcpu: KvmVcpu): number {
  const { gpr, model } = vcpu.cpu;
  const entries = vcpu.cpuidEntries ?? model.cpuid;
  const leaf = gpr[EAX] >>> 0;
  const index = gpr[ECX] >>> 0;
  const entry = cpuidEntry2Find(entries, leaf, index) ?? getOutOfRangeCpuidEntry(entries, leaf, index);
  gpr[EAX] = entry?.eax ?? 0;
  gpr[EBX] = entry?.ebx ?? 0;
  gpr[ECX] = entry?.ecx ?? 0;
  gpr[EDX] = entry?.edx ?? 0;
  if (entry?.function === 1) updateRuntime(vcpu, gpr);
  return vcpu.fn.kvmSkipEmulatedInstruction(vcpu);
}
