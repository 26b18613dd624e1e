/**
 * What a host's KVM can do: asked once before anything is compared, so that pio86 takes the same path and what the host
 * cannot run is skipped by name instead of being called a difference.
 */
import { KVM_EXIT_INTERNAL_ERROR, KVM_EXIT_NAMES, type KvmSregs } from '../uapi/kvm.ts';
import { type BedMode, X86_EFLAGS_VM } from './bed-modes.ts';
import { PROBE_ROWS, type ProbeRow } from './probe-list.ts';
import {
  type BedEngine,
  type BedProgram,
  type BedResult,
  DATA,
  END_PORT,
  TestBed,
  vectorOf,
} from './test-bed.ts';

/** Version of the shape of {@link HostProbe}. */
export const PROBE_SCHEMA_VERSION = 1;

/** One answer. */
export interface ProbeAnswer {
  readonly name: string;
  readonly mode: BedMode;
  readonly runs: boolean;
  /** Why not: the exit, or the exception in its place. */
  readonly reason?: string;
}

/** What a host can do. */
export interface HostProbe {
  /** Elements of the first exit of `F3 EC` (rep in al,dx) with ECX = 5: 5 on the emulator's path, 1 on the fast path. */
  readonly repInCount: number;
  /** Whether IN and OUT go through em_in and em_out. */
  readonly emulatesIo: boolean;
  readonly paging: boolean;
  /** Exceptions through a gate, and external interrupts, each in real mode and in 32-bit protected mode. */
  readonly interrupts: readonly ProbeAnswer[];
  /** Whether code of a mode runs as such: V86 mode may be lost. */
  readonly modes: readonly ProbeAnswer[];
  readonly instructions: readonly ProbeAnswer[];
}

const HOST = { answer: (data: Uint8Array): void => void data.fill(0x5a) };
const MAX_EXITS = 64;
const DATA_POINTER = 0x8000;
const PROBE_REGS = { ecx: 8, edx: 0x10, ebx: DATA_POINTER, esi: DATA_POINTER, edi: DATA_POINTER };
const END_OF_PROGRAM = [0xe6, END_PORT];

function bytesOf(hex: string): number[] {
  return [...Buffer.from(hex, 'hex')];
}

function program(mode: BedMode, code: readonly number[], more: Partial<BedProgram> = {}): BedProgram {
  return { mode, code: Uint8Array.from([...code, ...END_OF_PROGRAM]), regs: PROBE_REGS, ...more };
}

function runOn(bed: TestBed, what: BedProgram, afterExit?: () => void): BedResult {
  bed.prepare(what);
  return bed.run(afterExit === undefined ? HOST : { ...HOST, afterExit }, MAX_EXITS);
}

/** In words, when a program did not end at its own last instruction. */
function failure(result: BedResult): string | undefined {
  const { end } = result;
  if (end === 'done') {
    const vector = vectorOf(result);
    return vector === null ? undefined : `exception ${vector}`;
  }
  if (typeof end === 'string') return end;
  const name = KVM_EXIT_NAMES[end.exit] ?? `exit ${end.exit}`;
  return end.exit === KVM_EXIT_INTERNAL_ERROR ? `${name}, suberror ${end.suberror}` : name;
}

function answerOf(name: string, mode: BedMode, reason: string | undefined): ProbeAnswer {
  return reason === undefined ? { name, mode, runs: true } : { name, mode, runs: false, reason };
}

function askInstruction(bed: TestBed, { name, mode, code, vector }: ProbeRow): ProbeAnswer {
  const result = runOn(bed, program(mode, bytesOf(code)));
  if (vector !== undefined && vectorOf(result) === vector) return answerOf(name, mode, undefined);
  const reason = failure(result);
  return answerOf(name, mode, vector === undefined ? reason : (reason ?? `no exception ${vector}`));
}

/** An external interrupt from IRQ 4, through a PIC in its power-on state: vector 4. */
function askInterrupt(bed: TestBed, mode: BedMode): ProbeAnswer {
  const STI_OUT_NOP = [0xfb, 0xe6, 0x10, 0x90, 0x90];
  const raise = (): void => {
    bed.vm.irqLine(4, 1);
    bed.vm.irqLine(4, 0);
  };
  const result = runOn(bed, program(mode, STI_OUT_NOP), raise);
  const name = 'external interrupt';
  return answerOf(name, mode, vectorOf(result) === 4 ? undefined : (failure(result) ?? 'not delivered'));
}

const PAGE_DIRECTORY = 0x2_0000;
const PAGE_TABLE = 0x2_1000;
const PAGES = 64;
const X86_CR0_PG = 0x8000_0000;

/** Identity-mapped pages; a load through them. */
function askPaging(bed: TestBed): boolean {
  const entry = (value: number): number[] => [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, 0];
  const table = Array.from({ length: PAGES }, (_, page) => entry((page << 12) | 7)).flat();
  const what = program('prot32', [0xa1, ...entry(DATA)], {
    memory: [
      { at: PAGE_DIRECTORY, bytes: Uint8Array.from(entry(PAGE_TABLE | 7)) },
      { at: PAGE_TABLE, bytes: Uint8Array.from(table) },
      { at: DATA, bytes: Uint8Array.of(0x78, 0x56, 0x34, 0x12) },
    ],
    adjust: (sregs: KvmSregs) => {
      sregs.cr3 = PAGE_DIRECTORY;
      sregs.cr0 = (sregs.cr0 | X86_CR0_PG) >>> 0;
    },
  });
  try {
    const result = runOn(bed, what);
    return failure(result) === undefined && result.regs.eax === 0x1234_5678;
  } catch {
    return false; // KVM_SET_SREGS refuses
  }
}

/** Whether code of the mode runs as such: its flags at an exit are looked at. */
function askMode(bed: TestBed, mode: BedMode): ProbeAnswer {
  const flags = mode === 'v86' ? { eflags: X86_EFLAGS_VM | 2 } : {};
  const result = runOn(bed, program(mode, [0xe6, 0x10], { regs: { ...PROBE_REGS, ...flags } }));
  const vmLost = mode === 'v86' && ((result.exits[0]?.regs.eflags ?? 0) & X86_EFLAGS_VM) === 0;
  return answerOf(mode, mode, failure(result) ?? (vmLost ? 'EFLAGS.VM is dropped' : undefined));
}

/** Asks everything. @throws EmulatorError `E_IOCTL` when the host refuses a machine. */
export function probeHost(engine: BedEngine, modes: readonly BedMode[]): HostProbe {
  const bed = new TestBed(engine, false);
  const repIn = runOn(bed, program('real', [0xf3, 0xec], { regs: { ...PROBE_REGS, ecx: 5 } }));
  const repInCount = repIn.exits[0]?.count ?? 0;
  const answers = {
    repInCount,
    emulatesIo: repInCount === 5,
    paging: askPaging(bed),
    modes: modes.map((mode) => askMode(bed, mode)),
    instructions: PROBE_ROWS.map((row) => askInstruction(bed, row)),
  };
  const withIrqchip = new TestBed(engine, true);
  return {
    ...answers,
    interrupts: (['real', 'prot32'] as const).map((mode) => askInterrupt(withIrqchip, mode)),
  };
}
