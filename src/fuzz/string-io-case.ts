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

/** What a data segment allows: reads and writes, reads only, or nothing (a null selector). */
export type SegmentAccess = 'rw' | 'ro' | 'null';

/** One segment; its base is selector · 16 in every mode. A limit above 0xffff in real mode is “unreal” mode. */
export interface CaseSegment {
  readonly selector: number;
  readonly limit: number;
  /** Other than `rw` only in protected mode, and not for CS and SS. */
  readonly access: SegmentAccess;
}

/** Processor modes: `prot16` and `prot32` differ in CS.D and SS.B. */
export type CaseMode = 'real' | 'prot16' | 'prot32' | 'v86';
/** All modes; the simplest first, for shrinking. */
export const CASE_MODES: readonly CaseMode[] = ['real', 'prot16', 'prot32', 'v86'];

/** The 32-bit TSS with its I/O permission bit map; only protected and virtual-8086 mode look at it. */
export interface CaseTss {
  readonly limit: number;
  /** Offset of the bit map in the TSS. */
  readonly ioMapBase: number;
  /** Ports whose bit is set; where the map would lie outside {@link CASE_TSS_BYTES} it has no bits. */
  readonly denied: readonly number[];
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
/**
 * Whether userspace drives KVM_RUN itself (`exit`) or hangs a bus on the vCPU (`bus`); `move` drives KVM_RUN and sets
 * RIP behind the code at the first KVM_EXIT_IO.
 */
export type CaseUserspace = 'exit' | 'bus' | 'move';
/** All of them; the simplest first, for shrinking. */
export const CASE_USERSPACES: readonly CaseUserspace[] = ['exit', 'bus', 'move'];

/** Registers of a case, unsigned. */
export type CaseRegisters = Readonly<Record<(typeof CASE_REGISTERS)[number], number>>;

/** See the opening comment. */
export interface StringIoCase {
  readonly mode: CaseMode;
  /** Privilege level in protected mode, 0 or 3. Real mode has 0, virtual-8086 mode 3. */
  readonly cpl: 0 | 3;
  readonly tss: CaseTss;
  readonly path: CasePath;
  readonly userspace: CaseUserspace;
  /** Instructions, one after the other; a HLT follows. */
  readonly code: readonly (readonly number[])[];
  /** Seed of everything that a read returns. */
  readonly portSeed: number;
  readonly devices: readonly CaseDevice[];
  readonly registers: CaseRegisters;
  readonly segments: Readonly<Record<(typeof CASE_SEGMENTS)[number], CaseSegment>>;
}

/** CF PF AF ZF SF IF DF OF IOPL NT: what a case may set. Single-stepping (TF) is another test's business. */
export const CASE_FLAGS = 0x7ed5;
/** Bit 1 of EFLAGS is always set. */
export const FIXED_FLAGS = 2;

/** What the segments of a case may reach: all that a real-mode address reaches, and the bytes of code behind it. */
export const CASE_RAM_BYTES = 0x11_1000;
/** Bytes that a TSS and its bit map may have. */
export const CASE_TSS_BYTES = 0x3000;
/** Instructions a case may have. */
export const MAX_CASE_INSNS = 8;

/**
 * What is wrong with a case that the types cannot say, or null: devices must not overlap (KVM's search order among
 * nested ranges is another test's business), every address must be in RAM.
 */
export function caseProblem(test: StringIoCase): string | null {
  const { code, registers, tss, mode } = test;
  if (code.length === 0 || code.length > MAX_CASE_INSNS) return `needs 1 to ${MAX_CASE_INSNS} instructions`;
  for (const bytes of code) if (bytes.length === 0) return 'an instruction has no bytes';
  if (registers.eip > 0xffff) return 'eip is not below 0x10000';
  if ((mode === 'real' && test.cpl !== 0) || (mode === 'v86' && test.cpl !== 3))
    return 'cpl is not the mode’s';
  if (tss.limit < MIN_TSS_LIMIT || tss.limit >= CASE_TSS_BYTES)
    return `the limit of the TSS is not in ${MIN_TSS_LIMIT} to ${CASE_TSS_BYTES - 1}`;
  if (tss.ioMapBase > 0xffff || tss.ioMapBase < MIN_IO_MAP_BASE)
    return 'the I/O map base lies in the TSS proper';
  return devicesProblem(test.devices) ?? segmentsProblem(test) ?? registersProblem(test);
}

/** Up to ESP0 and SS0, which a fault at CPL 3 needs. */
export const MIN_TSS_LIMIT = 12;
/** Below it the map would lie over ESP0 and SS0. */
export const MIN_IO_MAP_BASE = 0x60;

/** The part of {@link caseProblem} that differs within a family. */
export function registersProblem({ registers, mode }: StringIoCase): string | null {
  if ((registers.eflags & ~CASE_FLAGS) !== FIXED_FLAGS) return 'eflags sets more or less than a case may';
  if (mode !== 'real' && (registers.esp < 0x100 || registers.esp > 0xffff))
    return 'esp is not in 0x100 to 0xffff, which protected mode needs';
  return null;
}

function devicesProblem(devices: readonly CaseDevice[]): string | null {
  for (let i = 0; i < devices.length; i++) {
    const { base, len } = devices[i];
    if (len < 1 || base + len > 0x1_0000) return `device ${i} leaves the ports 0 to 0xffff`;
    for (let j = 0; j < i; j++) {
      const other = devices[j];
      if (base < other.base + other.len && other.base < base + len) return `device ${i} overlaps another`;
    }
  }
  return null;
}

function segmentsProblem({ segments, mode }: StringIoCase): string | null {
  for (const name of CASE_SEGMENTS) {
    const { selector, limit, access } = segments[name];
    if (selector > 0xffff || selector * 16 + limit >= CASE_RAM_BYTES) return `${name} reaches beyond the RAM`;
    const isFixed = name === 'cs' || name === 'ss';
    // Exception delivery through short code and stack segments is not what this is about.
    if ((isFixed || mode === 'v86') && limit !== 0xffff) return `${name} has another limit than 0xffff`;
    if (access !== 'rw' && (isFixed || !isProtected(mode))) return `${name} is always readable and writable`;
  }
  return null;
}

/** Whether the two differ in nothing but registers (EIP is not one of them here) and what reads return. */
export function isSameFamily(a: StringIoCase, b: StringIoCase): boolean {
  return (
    a.code === b.code &&
    a.segments === b.segments &&
    a.devices === b.devices &&
    a.tss === b.tss &&
    a.mode === b.mode &&
    a.cpl === b.cpl &&
    a.path === b.path &&
    a.userspace === b.userspace &&
    a.registers.eip === b.registers.eip
  );
}

/** Protected mode proper: segments have access rights. */
export function isProtected(mode: CaseMode): boolean {
  return mode === 'prot16' || mode === 'prot32';
}
