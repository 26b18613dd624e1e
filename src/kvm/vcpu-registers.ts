/**
 * KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, KVM_GET_MSRS, KVM_SET_MSRS, KVM_SET_CPUID2 (Linux: arch/x86/kvm/x86.c,
 * arch/x86/kvm/cpuid.c).
 */
import type { Cpu } from '../cpu/cpu.ts';
import type { KvmMsrs } from '../emulate/kvm-vcpu.ts';
import { E2BIG, EFAULT, EINVAL } from '../uapi/errno.ts';
import type { KvmCpuidEntry2, KvmDebugregs, KvmMsrEntry } from '../uapi/kvm.ts';
import { isStruct, isU32, toU64 } from './ioctl-args.ts';
import { hasIntegers } from './struct-checks.ts';

const U32_END = 0x1_0000_0000;
/** `MAX_IO_MSRS`. */
const MAX_IO_MSRS = 256;
/** `KVM_MAX_CPUID_ENTRIES`. */
const KVM_MAX_CPUID_ENTRIES = 256;
const CPUID_FIELDS = ['function', 'index', 'flags', 'eax', 'ebx', 'ecx', 'edx'] as const;

/** @kvm kvm_vcpu_ioctl_x86_get_debugregs(vcpu, dbgregs) arch/x86/kvm/x86.c (as: returned) */
export function kvmVcpuIoctlX86GetDebugregs(cpu: Cpu): KvmDebugregs {
  const { dr } = cpu;
  return {
    db: [dr[0] >>> 0, dr[1] >>> 0, dr[2] >>> 0, dr[3] >>> 0],
    dr6: dr[6] >>> 0,
    dr7: dr[7] >>> 0,
    flags: 0,
  };
}

/**
 * KVM: DR6 and DR7 are stored as given, without their fixed bits.
 *
 * @returns 0; −EINVAL for flags and for values beyond 32 bits.
 * @kvm kvm_vcpu_ioctl_x86_set_debugregs(vcpu, dbgregs) arch/x86/kvm/x86.c
 */
export function kvmVcpuIoctlX86SetDebugregs(cpu: Cpu, dbgregs: Readonly<KvmDebugregs>): number {
  if (!isStruct(dbgregs)) return -EFAULT;
  const { db } = dbgregs;
  if (dbgregs.flags !== 0 || !hasIntegers(dbgregs, ['dr6', 'dr7'], 0, U32_END)) return -EINVAL;
  if (!Array.isArray(db) || db.length !== 4 || !db.every(isU32)) return -EINVAL;
  for (let i = 0; i < 4; i++) cpu.dr[i] = db[i] | 0;
  cpu.dr[6] = dbgregs.dr6 | 0;
  cpu.dr[7] = dbgregs.dr7 | 0;
  cpu.debug.update(cpu);
  return 0;
}

/** KVM_GET_MSRS: those up to the first that does not exist. */
export function getMsrs(indices: readonly number[], msrs: KvmMsrs): KvmMsrEntry[] | number {
  if (!Array.isArray(indices)) return -EFAULT;
  if (indices.length > MAX_IO_MSRS) return -E2BIG;
  if (!indices.every(isU32)) return -EINVAL;
  const entries: KvmMsrEntry[] = [];
  for (const index of indices) {
    if (msrs.get(index) !== 0) break;
    entries.push({ index, data: (BigInt(msrs.high >>> 0) << 32n) | BigInt(msrs.low >>> 0) });
  }
  return entries;
}

/** KVM_SET_MSRS. @returns how many were set before the first that does not exist; −E2BIG, −EINVAL, −EFAULT. */
export function setMsrs(entries: readonly Readonly<KvmMsrEntry>[], msrs: KvmMsrs): number {
  if (!Array.isArray(entries)) return -EFAULT;
  if (entries.length > MAX_IO_MSRS) return -E2BIG;
  for (const entry of entries) {
    if (!isStruct(entry)) return -EFAULT;
    if (!isU32(entry.index) || toU64(entry.data) === null) return -EINVAL;
  }
  let done = 0;
  for (const { index, data } of entries as readonly KvmMsrEntry[]) {
    const value = BigInt.asUintN(64, BigInt(data));
    if (msrs.set(index, Number(value & 0xffff_ffffn), Number(value >> 32n)) !== 0) break;
    done++;
  }
  return done;
}

/** The table of KVM_SET_CPUID2, copied; or −E2BIG, −EINVAL, −EFAULT. */
export function checkedCpuid(entries: readonly Readonly<KvmCpuidEntry2>[]): KvmCpuidEntry2[] | number {
  if (!Array.isArray(entries)) return -EFAULT;
  if (entries.length > KVM_MAX_CPUID_ENTRIES) return -E2BIG;
  for (const entry of entries) {
    if (!isStruct(entry)) return -EFAULT;
    if (!hasIntegers(entry, CPUID_FIELDS, 0, U32_END)) return -EINVAL;
  }
  return entries.map((entry: KvmCpuidEntry2) => ({ ...entry }));
}
