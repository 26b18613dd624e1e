/**
 * Target `insn`: any instructions, on the interpreter as it is and on variants that must not differ: without its decode cache in
 * slices of a few ticks, and with code generated for whatever is met twice. Half of the cases send I/O through KVM's emulator.
 */
import type { UserspaceBus } from '../../emulate/kvm-vcpu.ts';
import { EmulatorError } from '../../errors.ts';
import { Jit } from '../../jit/engine.ts';
import { Kvm } from '../../kvm/kvm.ts';
import { orThrow } from '../../kvm/or-throw.ts';
import type { Vcpu } from '../../kvm/vcpu.ts';
import { EINTR } from '../../uapi/errno.ts';
import { KVM_EXIT_NAMES, type KvmSegment } from '../../uapi/kvm.ts';
import { fillCaseMemory, MACHINE_RAM_BYTES } from '../case-memory.ts';
import { ListTarget } from '../engine/list-target.ts';
import { mutateCode } from '../mutation/code.ts';
import { mutateNumber } from '../mutation/numbers.ts';
import { Prng } from '../prng.ts';

/** Bytes of code, or (the first element) the seed that the registers come from. */
export type InsnStep =
  | { readonly kind: 'registers'; readonly seed: number; readonly is32: boolean }
  | { readonly kind: 'code'; readonly bytes: readonly number[] };

/** How a machine differs from the plain one. */
export interface InsnVariant {
  readonly name: string;
  /** Ticks of one KVM_RUN. */
  readonly slice: number;
  prepare(vcpu: Vcpu): void;
}

const CODE = 0x800;
const TICKS = 100;
const MUTATION = { maxBytes: 16, operations: 'all' } as const;
/** Exits that a run may have. */
const MAX_EXITS = 64;
const NO_LIMIT = 0x7fff_ffff;
/** Opcodes that reach much: stores, string operations, jumps back, stack, arithmetic. */
const OPCODES: readonly (readonly number[])[] = [
  [0xaa],
  [0xab],
  [0xa4],
  [0xa5],
  [0xa6],
  [0xae],
  [0xac],
  [0xfe, 0x07],
  [0xff, 0x04],
  [0x00, 0x0f],
  [0x89, 0x07],
  [0x60],
  [0x61],
  [0x9c],
  [0x9d],
  [0xfc],
  [0xfd],
  [0x6c],
  [0x6e],
  [0xec],
  [0xef],
  [0xf7, 0x27],
  [0xd1, 0x17],
  [0x0f, 0xa4, 0x07, 3],
  [0x0f, 0xb6, 0x07],
  [0x0f, 0xba, 0x2f, 5],
  [0x27],
  [0x37],
  [0xc8, 4, 0, 1],
  [0xc9],
  [0x8e, 0xd8],
  [0x86, 0x07],
  [0x98],
] as const;
const PREFIXES = [0x66, 0x67, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e] as const;

/** The interpreter. */
export const PLAIN: InsnVariant = {
  name: 'plain',
  slice: TICKS,
  prepare: (vcpu) => {
    vcpu.cpu.generator = null;
  },
};
/** No cache, and a run is cut wherever it can be. */
export const SLICED: InsnVariant = {
  name: 'sliced, no decode cache',
  slice: 3,
  prepare: (vcpu) => {
    vcpu.cpu.generator = null;
    vcpu.cpu.cache.enabled = false;
  },
};

/** Code is generated as soon as an instruction is met twice. For one machine: an engine belongs to its processor. */
export function generatedVariant(): InsnVariant {
  const jit = new Jit({ threshold: 2, maxDeaths: NO_LIMIT, maxFunctions: NO_LIMIT });
  return {
    name: 'generated code',
    slice: TICKS,
    prepare: (vcpu) => {
      vcpu.cpu.generator = jit;
    },
  };
}

function generate(random: Prng): InsnStep[] {
  const steps: InsnStep[] = [{ kind: 'registers', seed: random.next(), is32: random.oneIn(2) }];
  for (let i = 1 + random.below(12); i > 0; i--) steps.push({ kind: 'code', bytes: instruction(random) });
  return steps;
}

function instruction(random: Prng): number[] {
  const bytes: number[] = [];
  for (let i = random.oneIn(2) ? random.below(3) : 0; i > 0; i--) bytes.push(random.pick(PREFIXES));
  const kind = random.below(8);
  if (kind === 0) return [...bytes, random.pick([0xeb, 0xe2, 0x75, 0x73]), 0x100 - 2 - random.below(30)];
  if (kind === 1) return [...bytes, 0xb0 + random.below(16), random.below(256), random.below(256)];
  if (kind < 5) return [...bytes, ...random.pick(OPCODES)];
  for (let i = 1 + random.below(5); i > 0; i--) bytes.push(random.below(256));
  return bytes;
}

/** Answers by port and number of the access, and remembers what was asked. */
class HashedBus implements UserspaceBus {
  readonly log: number[] = [];

  read(port: number, size: number): number {
    this.log.push(port, size);
    return ((port * 0x9e37 + this.log.length) & (2 ** (8 * size - 1) - 1)) >>> 0;
  }

  write(port: number, size: number, value: number): void {
    this.log.push(port, size, value);
  }
}

/** One machine, reused for all cases. */
class InsnMachine {
  readonly #vcpu: Vcpu;
  readonly #ram: Uint8Array;
  readonly #variant: InsnVariant;
  readonly #restore: () => void;

  constructor(variant: InsnVariant) {
    const vm = new Kvm().createVm();
    vm.setUserMemoryRegion({ slot: 0, flags: 0, guest_phys_addr: 0, memory_size: MACHINE_RAM_BYTES });
    this.#vcpu = orThrow(vm.createVcpu(0), 'KVM_CREATE_VCPU');
    this.#ram = vm.memory.ram;
    this.#variant = variant;
    fillCaseMemory(this.#ram);
    const snapshot = vm.snapshot();
    this.#restore = () => vm.restore(snapshot);
  }

  /** Empties the caches of the processor. */
  forget(): void {
    this.#vcpu.cpu.cache.clear();
    this.#vcpu.cpu.flushTlb();
  }

  get name(): string {
    return this.#variant.name;
  }

  get ram(): Uint8Array {
    return this.#ram;
  }

  /** Runs a case. @returns what it left, in words. */
  run(steps: readonly InsnStep[]): string[] {
    this.#restore();
    const vcpu = this.#vcpu;
    const bus = new HashedBus();
    vcpu.userspace = bus;
    vcpu.userspaceMmio = { read: (_addr, size) => 2 ** (8 * size) - 1, write: () => {} };
    vcpu.forceEmulation = isForced(steps) ? 1 : 0;
    this.#variant.prepare(vcpu);
    this.#load(steps);
    const { clock } = vcpu.kvm;
    const end = clock.ticks + TICKS;
    const exits: string[] = [];
    for (let i = 0; i < MAX_EXITS && clock.ticks < end; ) {
      vcpu.tickLimit = Math.min(end, clock.ticks + this.#variant.slice);
      const r = vcpu.kvmRun();
      if (r === -EINTR) continue;
      i++;
      exits.push(
        `${KVM_EXIT_NAMES[vcpu.run.exit_reason] ?? vcpu.run.exit_reason} ${r} at ${vcpu.getRegs().eip}`,
      );
      if (r !== 0 || !/HLT/.test(exits.at(-1) ?? '')) break;
    }
    const sregs = vcpu.getSregs();
    const segments = (['cs', 'ds', 'es', 'fs', 'gs', 'ss'] as const).map((name) => {
      const { selector, base, limit, type, dpl } = sregs[name];
      return `${name}=${selector}:${base}:${limit}:${type}:${dpl}`;
    });
    const registers = Object.entries(vcpu.getRegs()).map(
      ([name, value]) => `${name}=0x${value.toString(16)}`,
    );
    const control = `cr0=${sregs.cr0} cr2=${sregs.cr2} idt=${sregs.idt.base} ticks=${clock.ticks - end}`;
    return [...exits, ...registers, ...segments, control, `ports ${bus.log.join(' ')}`];
  }

  #load(steps: readonly InsnStep[]): void {
    const vcpu = this.#vcpu;
    const first = steps.find((step) => step.kind === 'registers');
    const random = new Prng(first?.kind === 'registers' ? first.seed : 0, 0);
    const is32 = first?.kind === 'registers' && first.is32;
    const code = steps.flatMap((step) => (step.kind === 'code' ? step.bytes : []));
    vcpu.kvm.memory.write(CODE, Uint8Array.from([...code, 0xf4]));
    const sregs = vcpu.getSregs();
    sregs.cr0 = is32 ? 0x11 : 0x10;
    sregs.idt = { base: 0, limit: is32 ? 0 : 0x3ff };
    const flat: Partial<KvmSegment> = is32 ? { limit: 0xffff_ffff, db: 1, g: 1 } : { limit: 0xffff };
    for (const name of ['cs', 'ds', 'es', 'fs', 'gs', 'ss'] as const) {
      const type = name === 'cs' ? 11 : 3;
      sregs[name] = { ...sregs[name], selector: 0, base: 0, type, ...flat };
    }
    vcpu.setSregs(sregs);
    const pointer = (): number => (random.oneIn(2) ? CODE + random.below(64) : random.below(0x1_0000));
    vcpu.setRegs({
      eax: random.next(),
      ebx: pointer(),
      ecx: random.below(40),
      edx: random.below(0x1_0000),
      esi: pointer(),
      edi: pointer(),
      ebp: pointer(),
      esp: 0x8000 + random.below(0x1000),
      eip: CODE,
      eflags: (random.next() & 0xcd5) | 2,
    });
  }
}

/** Whether I/O goes through the instruction emulator: a bit of the seed, so that a reproducer has it. */
function isForced(steps: readonly InsnStep[]): boolean {
  const first = steps.find((step) => step.kind === 'registers');
  return first?.kind === 'registers' && (first.seed & 1) !== 0;
}

function differencesOf(
  plain: InsnMachine,
  other: InsnMachine,
  expected: readonly string[],
  got: readonly string[],
): string[] {
  const differences: string[] = [];
  for (let i = 0; i < Math.max(expected.length, got.length); i++) {
    if (expected[i] !== got[i])
      differences.push(`expected ${expected[i] ?? 'nothing'}, ${other.name}: ${got[i] ?? 'nothing'}`);
  }
  if (Buffer.compare(plain.ram, other.ram) !== 0) {
    const at = plain.ram.findIndex((byte, i) => byte !== other.ram[i]);
    differences.push(
      `memory 0x${at.toString(16)}: expected ${plain.ram[at]}, ${other.name}: ${other.ram[at]}`,
    );
  }
  return differences;
}

/** See the opening comment. */
export function createInsnTarget(
  variants: readonly InsnVariant[] = [SLICED, generatedVariant()],
): ListTarget<InsnStep> {
  const plain = new InsnMachine(PLAIN);
  const others = variants.map((variant) => new InsnMachine(variant));
  return new ListTarget({
    name: 'insn',
    generate,
    judge: (steps) => {
      const expected = plain.run(steps);
      return others.flatMap((other) => differencesOf(plain, other, expected, other.run(steps)));
    },
    toText,
    fromText,
    mutate,
    forget: () => {
      for (const machine of [plain, ...others]) machine.forget();
    },
    simpler: (step) =>
      step.kind === 'registers' ? [{ kind: 'registers', seed: step.seed & 1, is32: step.is32 }] : [],
  });
}

function mutate(step: InsnStep, random: Prng): InsnStep {
  if (step.kind === 'code') return { kind: 'code', bytes: mutateCode(step.bytes, random, MUTATION) };
  return random.oneIn(4)
    ? { ...step, is32: !step.is32 }
    : { ...step, seed: mutateNumber(step.seed, 0xffff_ffff, random) };
}

function toText(step: InsnStep): string {
  if (step.kind === 'registers') return `registers ${step.seed} ${step.is32 ? 32 : 16}`;
  return `code ${step.bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(' ')}`;
}

function fromText(line: string): InsnStep {
  const registers = /^registers (\d+) (16|32)$/.exec(line);
  if (registers !== null) {
    return { kind: 'registers', seed: Number(registers[1]), is32: registers[2] === '32' };
  }
  const code = /^code ((?:[0-9a-f]{2} ?)+)$/.exec(line);
  if (code === null) throw new EmulatorError('E_ARGUMENT', `"${line.slice(0, 40)}" is not a step of insn`);
  return {
    kind: 'code',
    bytes: code[1]
      .trim()
      .split(/ +/)
      .map((byte) => Number.parseInt(byte, 16)),
  };
}
