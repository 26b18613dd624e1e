/**
 * What two boards differ in: for whoever runs one guest on two of them (the lock step of `--jit verify`, the fuzzer of the two
 * engines).
 *
 * Compared is everything that a snapshot holds (kvm/snapshot.ts) but scratch: what the processor notes down about an exit or a
 * fault that is over, and in which form it keeps the status flags. A port access that nobody observes leaves no exit
 * information, for example, and that is no difference.
 */
import { CPU_FIELDS, VCPU_FIELDS, VM_FIELDS } from '../kvm/snapshot.ts';
import { type FieldSpec, type FieldsState, saveFields } from '../kvm/state-fields.ts';
import type { Board } from './board.ts';

type Vcpu = Board['vcpu'];
type GuestMemory = Board['vm']['memory'];

/** One thing that is not the same. */
export interface Difference {
  /** For example `eax`, `i8254.channels[0].count`, `memory 0x00012345`. */
  readonly what: string;
  /** On the first board and on the second. */
  readonly first: string;
  readonly second: string;
}

const PAGE_SIZE = 4096;
const GPR_NAMES = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'];

function without(spec: FieldSpec, scratch: readonly string[]): FieldSpec {
  return { ...spec, wiring: [...spec.wiring, ...scratch] };
}

const CPU_COMPARED = without(CPU_FIELDS, [
  // Registers and flags are compared by name.
  ...['gpr', 'r16', 'r8', 'lazy', 'sysFlags', 'eip'],
  // A REP that is under way keeps its first flags in the same form as `lazy`.
  ...['repStarted', 'repResult', 'repAux'],
  // Of this `runGuest` or the last.
  ...[
    'attention',
    'budgetLeft',
    'startBudget',
    'segmentStart',
    'segmentLeft',
    'ticksAtEntry',
    'retired',
    'generatedYield',
  ],
  ...['inlineExits', 'inlineUserspaceExits', 'inlineTicks', 'oneInstruction'],
  // Of the last fault and the last exit.
  ...['fault', 'faultErrorCode', 'faultAddress', 'ioRefusal', 'internalError'],
  ...['exitReason', 'exitQualification', 'exitInstructionLength', 'exitInstructionInfo', 'exitInsn'],
  ...['exitInterruptionInfo', 'exitGuestLinearAddress', 'exitGuestPhysicalAddress'],
  // Follows from the registers.
  ...['segBound', 'debug'],
]);
const VCPU_COMPARED = without(VCPU_FIELDS, ['run', 'pio', 'ctxt', 'mmioRequest', 'entryTraced']);

const hex = (value: number, digits: number): string =>
  `0x${(value >>> 0).toString(16).padStart(digits, '0')}`;

function shown(value: unknown): string {
  if (typeof value === 'number') {
    return Number.isInteger(value) && Math.abs(value) >= 16
      ? `${value} (0x${value.toString(16)})`
      : `${value}`;
  }
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

/** Gathers differences of plain data up to a limit. */
class Gatherer {
  readonly found: Difference[] = [];
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get isFull(): boolean {
    return this.found.length >= this.#limit;
  }

  add(what: string, first: string, second: string): void {
    if (!this.isFull) this.found.push({ what, first, second });
  }

  value(what: string, first: unknown, second: unknown): void {
    if (Object.is(first, second) || this.isFull) return;
    const isObject = typeof first === 'object' && first !== null;
    if (!isObject || typeof second !== 'object' || second === null) {
      this.add(what, shown(first), shown(second));
      return;
    }
    if (ArrayBuffer.isView(first) || Array.isArray(first)) {
      this.#list(what, first as ArrayLike<unknown>, second as ArrayLike<unknown>);
      return;
    }
    const a = first as Record<string, unknown>;
    const b = second as Record<string, unknown>;
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)]))
      this.value(`${what}.${key}`, a[key], b[key]);
  }

  #list(what: string, first: ArrayLike<unknown>, second: ArrayLike<unknown>): void {
    if (first.length !== second.length) this.add(`${what}.length`, `${first.length}`, `${second.length}`);
    for (let i = 0; i < first.length && !this.isFull; i++) this.value(`${what}[${i}]`, first[i], second[i]);
  }

  fields(what: string, first: FieldsState, second: FieldsState): void {
    for (const [i, key] of first.scalarKeys.entries()) {
      this.value(`${what}${key}`, first.scalars[i], second.scalars[i]);
    }
    for (const [i, key] of first.arrayKeys.entries()) {
      this.value(`${what}${key}`, first.arrays[i], second.arrays[i]);
    }
    for (const [i, key] of first.partKeys.entries())
      this.value(`${what}${key}`, first.parts[i], second.parts[i]);
    for (const [i, key] of first.recordKeys.entries()) {
      this.fields(`${what}${key}.`, first.records[i], second.records[i]);
    }
  }
}

/** Whether general registers, EIP, EFLAGS and the time are the same: cheap, for a look after each slice. */
export function registersAreEqual(first: Board, second: Board): boolean {
  const a = first.vcpu.cpu;
  const b = second.vcpu.cpu;
  for (let i = 0; i < GPR_NAMES.length; i++) if (a.gpr[i] !== b.gpr[i]) return false;
  if (a.eip !== b.eip || first.vm.clock.ticks !== second.vm.clock.ticks) return false;
  return first.vcpu.getRegs().eflags === second.vcpu.getRegs().eflags;
}

function compareRegisters(gatherer: Gatherer, one: Vcpu, other: Vcpu): void {
  const a = one.cpu;
  const b = other.cpu;
  for (const [i, name] of GPR_NAMES.entries()) {
    if (a.gpr[i] !== b.gpr[i]) gatherer.add(name, hex(a.gpr[i], 8), hex(b.gpr[i], 8));
  }
  if (a.eip !== b.eip) gatherer.add('eip', hex(a.eip, 8), hex(b.eip, 8));
  const [first, second] = [one.getRegs().eflags, other.getRegs().eflags];
  if (first !== second) gatherer.add('eflags', hex(first, 8), hex(second, 8));
}

/** Slots are whole pages, and begin at a multiple of four bytes. */
function isSame(first: Uint8Array, second: Uint8Array): boolean {
  const a = new Int32Array(first.buffer, first.byteOffset, first.length >> 2);
  const b = new Int32Array(second.buffer, second.byteOffset, second.length >> 2);
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Bytes of physical memory that differ: of `pages`, or of all. */
function compareMemory(
  gatherer: Gatherer,
  first: GuestMemory,
  second: GuestMemory,
  pages: Iterable<number> | null,
): void {
  for (const [i, { gpa, mem }] of first.slots.entries()) {
    const other = second.slots[i]?.mem;
    if (other === undefined) return;
    if (pages === null && isSame(mem, other)) continue;
    const all = Array.from({ length: mem.length / PAGE_SIZE }, (_, n) => gpa / PAGE_SIZE + n);
    for (const page of pages ?? all) {
      const from = page * PAGE_SIZE - gpa;
      if (from < 0 || from >= mem.length) continue;
      const to = from + PAGE_SIZE;
      if (isSame(mem.subarray(from, to), other.subarray(from, to))) continue;
      for (let at = from; at < from + PAGE_SIZE && !gatherer.isFull; at++) {
        if (mem[at] !== other[at])
          gatherer.add(`memory ${hex(gpa + at, 8)}`, hex(mem[at], 2), hex(other[at], 2));
      }
    }
  }
}

/**
 * How `second` differs from `first`, which must be a board of the same kind: registers first, `limit` entries at most.
 *
 * @param pages physical pages that may differ; null: look at all of memory.
 */
export function boardDifferences(
  first: Board,
  second: Board,
  pages: Iterable<number> | null = null,
  limit = 16,
): Difference[] {
  const gatherer = new Gatherer(limit);
  const a = first.vcpu;
  const b = second.vcpu;
  gatherer.value('ticks', first.vm.clock.ticks, second.vm.clock.ticks);
  compareRegisters(gatherer, a, b);
  gatherer.value('a20Mask', a.cpu.a20Mask, b.cpu.a20Mask);
  gatherer.fields('', saveFields(a.cpu, CPU_COMPARED), saveFields(b.cpu, CPU_COMPARED));
  gatherer.fields('vcpu.', saveFields(a, VCPU_COMPARED), saveFields(b, VCPU_COMPARED));
  gatherer.value('clock', first.vm.clock.saveState(), second.vm.clock.saveState());
  gatherer.fields('', saveFields(first.vm, VM_FIELDS), saveFields(second.vm, VM_FIELDS));
  gatherer.value('devices', first.saveDevices(), second.saveDevices());
  compareMemory(gatherer, first.vm.memory, second.vm.memory, pages);
  return gatherer.found;
}
