/**
 * VMX exit reasons and the exit information of I/O instructions (Linux: arch/x86/include/uapi/asm/vmx.h).
 */
import type { IoSize } from './kvm.ts';

/** Basic exit reasons. Intel SDM vol. 3D, appendix “VMX Basic Exit Reasons”. */
export const EXIT_REASON_EXCEPTION_NMI = 0;
export const EXIT_REASON_EXTERNAL_INTERRUPT = 1;
export const EXIT_REASON_TRIPLE_FAULT = 2;
export const EXIT_REASON_INTERRUPT_WINDOW = 7;
export const EXIT_REASON_CPUID = 10;
export const EXIT_REASON_HLT = 12;
export const EXIT_REASON_IO_INSTRUCTION = 30;
export const EXIT_REASON_MSR_READ = 31;
export const EXIT_REASON_MSR_WRITE = 32;
export const EXIT_REASON_EPT_VIOLATION = 48;
export const EXIT_REASON_EPT_MISCONFIG = 49;
export const EXIT_REASON_PREEMPTION_TIMER = 52;

/** Symbols as the tracepoint `kvm_exit` prints them (VMX_EXIT_REASONS). */
export const VMX_EXIT_REASONS: Readonly<Record<number, string>> = {
  [EXIT_REASON_EXCEPTION_NMI]: 'EXCEPTION_NMI',
  [EXIT_REASON_EXTERNAL_INTERRUPT]: 'EXTERNAL_INTERRUPT',
  [EXIT_REASON_TRIPLE_FAULT]: 'TRIPLE_FAULT',
  [EXIT_REASON_INTERRUPT_WINDOW]: 'INTERRUPT_WINDOW',
  [EXIT_REASON_CPUID]: 'CPUID',
  [EXIT_REASON_HLT]: 'HLT',
  [EXIT_REASON_IO_INSTRUCTION]: 'IO_INSTRUCTION',
  [EXIT_REASON_MSR_READ]: 'MSR_READ',
  [EXIT_REASON_MSR_WRITE]: 'MSR_WRITE',
  [EXIT_REASON_EPT_VIOLATION]: 'EPT_VIOLATION',
  [EXIT_REASON_EPT_MISCONFIG]: 'EPT_MISCONFIG',
  [EXIT_REASON_PREEMPTION_TIMER]: 'PREEMPTION_TIMER',
};

/** VM-exit interruption information of an exception. Intel SDM vol. 3C, “Information for VM Exits Due to Vectored Events”. */
export const INTR_INFO_VECTOR_MASK = 0xff;
export const INTR_TYPE_HARD_EXCEPTION = 3 << 8;
export const INTR_INFO_VALID_MASK = 1 << 31;

/** Primary processor-based VM-execution controls that decide which port accesses exit. */
export const CPU_BASED_UNCOND_IO_EXITING = 1 << 24;
export const CPU_BASED_USE_IO_BITMAPS = 1 << 25;

/**
 * Exit qualification for I/O instructions, packed in one int32.
 *
 * | bits  | meaning                            |
 * | ----- | ---------------------------------- |
 * | 2:0   | access size − 1 (0, 1 or 3)        |
 * | 3     | direction: 1 = IN                  |
 * | 4     | string instruction (INS, OUTS)     |
 * | 5     | REP prefix                         |
 * | 6     | operand: 1 = immediate, 0 = DX     |
 * | 31:16 | port                               |
 *
 * Intel SDM vol. 3C, “Exit Qualification for I/O Instructions”.
 */
export type IoExitQualification = number;

export const IO_QUAL_SIZE_MASK = 7;
export const IO_QUAL_IN = 1 << 3;
export const IO_QUAL_STRING = 1 << 4;
export const IO_QUAL_REP = 1 << 5;
export const IO_QUAL_IMM = 1 << 6;
export const IO_QUAL_PORT_SHIFT = 16;

/** Access size in bytes. */
export function ioQualSize(qual: IoExitQualification): IoSize {
  return ((qual & IO_QUAL_SIZE_MASK) + 1) as IoSize;
}

/** Port, 0 … 0xffff. */
export function ioQualPort(qual: IoExitQualification): number {
  return qual >>> IO_QUAL_PORT_SHIFT;
}

/** Whether the instruction reads from the port. */
export function ioQualIsIn(qual: IoExitQualification): boolean {
  return (qual & IO_QUAL_IN) !== 0;
}

/** Whether it is INS or OUTS. */
export function ioQualIsString(qual: IoExitQualification): boolean {
  return (qual & IO_QUAL_STRING) !== 0;
}

/**
 * VM-exit instruction information for INS and OUTS: bits 9:7 address size (0 = 16, 1 = 32 bits), bits 17:15
 * segment (0 ES … 5 GS; undefined for INS).
 *
 * Intel SDM vol. 3C, “Format of the VM-Exit Instruction-Information Field as Used for INS and OUTS”.
 */
export const INSTR_INFO_ADDR_SIZE_SHIFT = 7;
export const INSTR_INFO_SEGMENT_SHIFT = 15;
