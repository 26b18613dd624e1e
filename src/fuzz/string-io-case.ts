/**
 * One case of `pio86 fuzz string-io`: everything that a run depends on, as plain data, so that it can be shrunk,
 * printed and read back.
 */

/** What a device in the kernel does with an access to its ports. */
export type DeviceBehaviour =
  /** Answers reads, takes writes. */
  | 'answer'
  /** Takes reads but stores nothing, as KVM's PIT does at 0x43. */
  | 'silent'
  /** Declines everything: userspace gets it although a range matches. */
  | 'decline'
  /** Declines every third access: a device that goes away in the middle of a batch. */
  | 'flaky';

/** All behaviours; the simplest first, for shrinking. */
export const DEVICE_BEHAVIOURS: readonly DeviceBehaviour[] = ['answer', 'silent', 'decline', 'flaky'];

/** A device on KVM's port bus. Devices of one case do not overlap. */
export interface CaseDevice {
  readonly base: number;
  readonly len: number;
  readonly behaviour: DeviceBehaviour;
}

/** One segment; its base is selector · 16. A limit above 0xffff is “unreal” mode. */
export interface CaseSegment {
  readonly selector: number;
  readonly limit: number;
}

/** Names of the registers of a case, in the order in which they are printed. */
export const CASE_REGISTERS = [
  'eax',
  'ebx',
  'ecx',
  'edx',
  'esi',
  'edi',
  'ebp',
  'esp',
  'eip',
  'eflags',
] as const;
/** Names of the segments of a case, in the order in which they are printed. */
export const CASE_SEGMENTS = ['cs', 'ds', 'es', 'fs', 'gs', 'ss'] as const;

/** Whether IN and OUT take KVM's fast path or, as under `--force-emulation`, the instruction emulator. */
export type CasePath = 'fast' | 'forced';
/** Whether userspace drives KVM_RUN itself (`exit`) or hangs a bus on the vCPU (`bus`). */
export type CaseUserspace = 'exit' | 'bus';

/** See the opening comment. */
export interface StringIoCase {
  readonly path: CasePath;
  readonly userspace: CaseUserspace;
  /** Instructions, one after the other; a HLT follows. */
  readonly code: readonly (readonly number[])[];
  /** Seed of everything that a read returns. */
  readonly portSeed: number;
  readonly devices: readonly CaseDevice[];
  readonly registers: Readonly<Record<(typeof CASE_REGISTERS)[number], number>>;
  readonly segments: Readonly<Record<(typeof CASE_SEGMENTS)[number], CaseSegment>>;
}

/** CF PF AF ZF SF IF DF OF IOPL NT: what a case may set. Single-stepping (TF) is another test's business. */
export const CASE_FLAGS = 0x7ed5;
/** Bit 1 of EFLAGS is always set. */
export const FIXED_FLAGS = 2;

/** RAM of the machine that runs cases: all that a real-mode address reaches, and the bytes of code behind it. */
export const CASE_RAM_BYTES = 0x11_1000;
/** Instructions a case may have. */
export const MAX_CASE_INSNS = 8;

/**
 * What is wrong with a case that the types cannot say, or null: devices must not overlap (KVM's search order among
 * nested ranges is another test's business), every address must be in RAM.
 */
export function caseProblem(test: StringIoCase): string | null {
  if (test.code.length === 0 || test.code.length > MAX_CASE_INSNS)
    return `needs 1 to ${MAX_CASE_INSNS} instructions`;
  if (test.code.some((bytes) => bytes.length === 0)) return 'an instruction has no bytes';
  if (test.registers.eip > 0xffff) return 'eip is not below 0x10000';
  if ((test.registers.eflags & ~CASE_FLAGS) !== FIXED_FLAGS)
    return 'eflags sets more or less than a case may';
  for (const [i, { base, len }] of test.devices.entries()) {
    if (len < 1 || base + len > 0x1_0000) return `device ${i} leaves the ports 0 to 0xffff`;
    const overlaps = test.devices.some(
      (other, j) => j < i && base < other.base + other.len && other.base < base + len,
    );
    if (overlaps) return `device ${i} overlaps another`;
  }
  for (const name of CASE_SEGMENTS) {
    const { selector, limit } = test.segments[name];
    if (selector > 0xffff || selector * 16 + limit >= CASE_RAM_BYTES) return `${name} reaches beyond the RAM`;
    // Exception delivery through short code and stack segments is not what this is about.
    if ((name === 'cs' || name === 'ss') && limit !== 0xffff) return `${name} has another limit than 0xffff`;
  }
  return null;
}
