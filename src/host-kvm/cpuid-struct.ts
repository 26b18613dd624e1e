/**
 * `struct kvm_cpuid2`, `kvm_msr_list`, `kvm_msrs`, `kvm_enable_cap` (Linux: arch/x86/include/uapi/asm/kvm.h, include/uapi/linux/kvm.h).
 */
import type { KvmCpuidEntry2, KvmEnableCap, KvmMsrEntry } from '../uapi/kvm.ts';
import { SIZEOF } from './ioctl-numbers.ts';
import { StructView } from './struct-view.ts';

const ENTRIES = 8;
const ENABLE_CAP_ARGS = 8;
const MAX_ARGS = 4;

/** An empty list with room for `count` entries: what KVM_GET_SUPPORTED_CPUID wants to be asked with. */
export function cpuidRequest(count: number): StructView {
  const view = new StructView(ENTRIES + count * SIZEOF.kvm_cpuid_entry2);
  view.setU32(0, count);
  return view;
}

export function unpackCpuid2(view: StructView): KvmCpuidEntry2[] {
  return Array.from({ length: view.u32(0) }, (_, i) => {
    const at = ENTRIES + i * SIZEOF.kvm_cpuid_entry2;
    return {
      function: view.u32(at),
      index: view.u32(at + 4),
      flags: view.u32(at + 8),
      eax: view.u32(at + 12),
      ebx: view.u32(at + 16),
      ecx: view.u32(at + 20),
      edx: view.u32(at + 24),
    };
  });
}

export function packCpuid2(entries: readonly Readonly<KvmCpuidEntry2>[]): StructView {
  const view = cpuidRequest(entries.length);
  entries.forEach((entry, i) => {
    const at = ENTRIES + i * SIZEOF.kvm_cpuid_entry2;
    view.setU32(at, entry.function);
    view.setU32(at + 4, entry.index);
    view.setU32(at + 8, entry.flags);
    view.setU32(at + 12, entry.eax);
    view.setU32(at + 16, entry.ebx);
    view.setU32(at + 20, entry.ecx);
    view.setU32(at + 24, entry.edx);
  });
  return view;
}

/** An empty list with room for `count` numbers: what KVM_GET_MSR_INDEX_LIST wants to be asked with. */
export function msrListRequest(count: number): StructView {
  const view = new StructView(SIZEOF.kvm_msr_list + 4 * count);
  view.setU32(0, count);
  return view;
}

export function unpackMsrList(view: StructView): number[] {
  return Array.from({ length: view.u32(0) }, (_, i) => view.u32(SIZEOF.kvm_msr_list + 4 * i));
}

export function packMsrs(entries: readonly Readonly<KvmMsrEntry>[]): StructView {
  const view = new StructView(SIZEOF.kvm_msrs + entries.length * SIZEOF.kvm_msr_entry);
  view.setU32(0, entries.length);
  entries.forEach(({ index, data }, i) => {
    view.setU32(SIZEOF.kvm_msrs + i * SIZEOF.kvm_msr_entry, index);
    view.setU64(SIZEOF.kvm_msrs + i * SIZEOF.kvm_msr_entry + 8, data);
  });
  return view;
}

/** The first `count` entries. */
export function unpackMsrs(view: StructView, count: number): KvmMsrEntry[] {
  return Array.from({ length: count }, (_, i) => {
    const at = SIZEOF.kvm_msrs + i * SIZEOF.kvm_msr_entry;
    return { index: view.u32(at), data: view.big(at + 8) };
  });
}

export function packEnableCap({ cap, flags, args }: Readonly<KvmEnableCap>): StructView {
  const view = new StructView(SIZEOF.kvm_enable_cap);
  view.setU32(0, cap);
  view.setU32(4, flags ?? 0);
  args.slice(0, MAX_ARGS).forEach((arg, i) => {
    view.setU64(ENABLE_CAP_ARGS + 8 * i, arg);
  });
  return view;
}
