/**
 * Model-specific registers that the processor itself holds. The others are KVM's (kvm/vcpu-msrs.ts).
 *
 * Intel SDM vol. 4, “IA-32 Architectural MSRs”.
 */
import { FEATURE_NX, FEATURE_RDTSCP, FEATURE_SEP, FEATURE_TSC } from '../decoder/features.ts';
import { setEfer } from './control-registers.ts';
import type { Cpu } from './cpu.ts';
import type { CpuModel } from './cpu-model.ts';

/** Numbers, int32 as ECX holds them. */
export const MSR_IA32_TSC = 0x10;
export const MSR_IA32_SYSENTER_CS = 0x174;
export const MSR_IA32_SYSENTER_ESP = 0x175;
export const MSR_IA32_SYSENTER_EIP = 0x176;
export const MSR_EFER = 0xc000_0080 | 0;
export const MSR_TSC_AUX = 0xc000_0103 | 0;

/** Which feature brings each. */
const FEATURE_OF: ReadonlyMap<number, number> = new Map([
  [MSR_IA32_TSC, FEATURE_TSC],
  [MSR_IA32_SYSENTER_CS, FEATURE_SEP],
  [MSR_IA32_SYSENTER_ESP, FEATURE_SEP],
  [MSR_IA32_SYSENTER_EIP, FEATURE_SEP],
  [MSR_EFER, FEATURE_NX],
  [MSR_TSC_AUX, FEATURE_RDTSCP],
]);

const TWO_32 = 0x1_0000_0000;
/** Of the upper half these many values are kept, so that a count is a double: virtual time never gets there. */
const HIGH_LIMIT = 0x20_0000;

/** Whether a processor of this model holds this register. */
export function modelHasMsr(model: CpuModel, index: number): boolean {
  return ((FEATURE_OF.get(index) ?? 0) & model.features) !== 0;
}

/** Whether this processor holds this register. */
export function holdsMsr(cpu: Cpu, index: number): boolean {
  return modelHasMsr(cpu.model, index);
}

/** The time-stamp counter inside a run: one count a tick. */
export function timeStamp(cpu: Cpu): number {
  return cpu.ticksAtEntry + cpu.retired + cpu.tscOffset;
}

/** A 64-bit count of two halves, as far as a double holds it. */
export function countOf(low: number, high: number): number {
  return ((high >>> 0) % HIGH_LIMIT) * TWO_32 + (low >>> 0);
}

/** The value of a register that {@link holdsMsr}, inside a run. */
export function readMsr(cpu: Cpu, index: number): number {
  switch (index) {
    case MSR_IA32_TSC:
      return timeStamp(cpu);
    case MSR_IA32_SYSENTER_CS:
      return cpu.sysenterCs >>> 0;
    case MSR_IA32_SYSENTER_ESP:
      return cpu.sysenterEsp >>> 0;
    case MSR_IA32_SYSENTER_EIP:
      return cpu.sysenterEip >>> 0;
    case MSR_EFER:
      return cpu.efer;
    default: // MSR_TSC_AUX
      return cpu.tscAux >>> 0;
  }
}

/** Writes a register that {@link holdsMsr}, inside a run. Of the SYSENTER MSRs the low 32 bits are kept. @returns false for #GP(0). */
export function writeMsr(cpu: Cpu, index: number, low: number, high: number): boolean {
  switch (index) {
    case MSR_IA32_TSC:
      cpu.tscOffset = countOf(low, high) - (cpu.ticksAtEntry + cpu.retired);
      return true;
    case MSR_IA32_SYSENTER_CS:
      cpu.sysenterCs = low;
      return true;
    case MSR_IA32_SYSENTER_ESP:
      cpu.sysenterEsp = low;
      return true;
    case MSR_IA32_SYSENTER_EIP:
      cpu.sysenterEip = low;
      return true;
    case MSR_EFER:
      return setEfer(cpu, low, high);
    default: // MSR_TSC_AUX: the upper half is reserved.
      if (high !== 0) return false;
      cpu.tscAux = low;
      return true;
  }
}
