/**
 * What CPUID tells: a processor of the P6 family without FPU, SSE and local APIC, and only features that pio86 has
 * (Linux: arch/x86/kvm/cpuid.c; Intel SDM vol. 2A, “CPUID—CPU Identification”).
 */
import { EAX, EBX, ECX, EDX } from '../cpu/registers.ts';
import type { KvmVcpu } from '../emulate/kvm-vcpu.ts';

/** Leaf 1, EDX. */
const FEATURE_PSE = 1 << 3;
const FEATURE_TSC = 1 << 4;
const FEATURE_MSR = 1 << 5;
const FEATURE_PAE = 1 << 6;
const FEATURE_CX8 = 1 << 8;
const FEATURE_PGE = 1 << 13;
const FEATURE_CMOV = 1 << 15;
const FEATURE_PSE36 = 1 << 17;
const PAGING_FEATURES = FEATURE_PSE | FEATURE_PAE | FEATURE_PGE | FEATURE_PSE36;
/** Leaf 1, ECX. */
const FEATURE_MOVBE = 1 << 22;
const FEATURE_POPCNT = 1 << 23;
/** Leaf 80000001H, EDX. Leaf 80000008H is absent: physical addresses have 36 bits. */
const FEATURE_NX = 1 << 20;

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

/**
 * Leaf EAX goes to EAX, EBX, ECX, EDX. A leaf above the highest one answers as that does (Intel's rule, which KVM keeps).
 *
 * @kvm kvm_emulate_cpuid(vcpu) arch/x86/kvm/cpuid.c
 */
export function kvmEmulateCpuid(vcpu: KvmVcpu): number {
  const { gpr } = vcpu.cpu;
  if (gpr[EAX] === 0) {
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
  }
  return vcpu.fn.kvmSkipEmulatedInstruction(vcpu);
}
