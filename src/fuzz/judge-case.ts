/**
 * Runs one case on the emulator and on the reference model and compares everything a guest or its userspace could
 * see: the accesses in order, registers, flags, memory, the exception taken.
 */
import type { AccessLog } from './access-log.ts';
import { caseBytes, endOfCode } from './case-memory.ts';
import { pagingRegisters } from './case-paging.ts';
import type { StringIoWitness } from './oracle/string-io-witness.ts';
import { PortWorld } from './port-world.ts';
import { ReferenceModel } from './reference-model.ts';
import {
  NO_SETUP,
  type ReferenceSegment,
  type ReferenceSetup,
  type ReferenceState,
} from './reference-state.ts';
import {
  CASE_REGISTERS,
  CASE_SEGMENTS,
  type CaseRegisters,
  caseProblem,
  isProtected,
  isSameFamily,
  registersProblem,
  type StringIoCase,
} from './string-io-case.ts';
import { type MachineEnd, StringIoMachine } from './string-io-machine.ts';
import { TwinMemory } from './twin-memory.ts';

/** Entries into instructions: far above 65,536 elements each of a few instructions. */
const MAX_STEPS = 600_000;
/** Rows of a verdict. */
const MAX_DIFFERENCES = 8;

/** What came of one case. */
export interface CaseVerdict {
  /** `expected` is the model's word, `got` the emulator's; empty when they agree. */
  readonly differences: readonly string[];
  /** False when the case left what the model knows (it ran into random bytes): it says nothing. */
  readonly isJudged: boolean;
  /** Accesses to devices in the kernel and to userspace. */
  readonly kernel: number;
  readonly userspace: number;
  /** Exceptions taken. */
  readonly faults: number;
}

const NOT_JUDGED: CaseVerdict = { differences: [], isJudged: false, kernel: 0, userspace: 0, faults: 0 };
const NO_DIFFERENCES: readonly string[] = [];

/** Written out: this runs for every case. */
function copyRegisters(from: CaseRegisters, to: ReferenceState): void {
  to.eax = from.eax;
  to.ebx = from.ebx;
  to.ecx = from.ecx;
  to.edx = from.edx;
  to.esi = from.esi;
  to.edi = from.edi;
  to.ebp = from.ebp;
  to.esp = from.esp;
  to.eip = from.eip;
  to.eflags = from.eflags;
}

function areSameRegisters(a: CaseRegisters, b: CaseRegisters): boolean {
  return (
    a.eax === b.eax &&
    a.ebx === b.ebx &&
    a.ecx === b.ecx &&
    a.edx === b.edx &&
    a.esi === b.esi &&
    a.edi === b.edi &&
    a.ebp === b.ebp &&
    a.esp === b.esp &&
    a.eip === b.eip &&
    a.eflags === b.eflags
  );
}

type ModelSegments = Pick<ReferenceState, (typeof CASE_SEGMENTS)[number]>;

/** The segments of a case as the model knows them. Code can be read, not written: only protected mode asks. */
function modelSegments({ segments, mode }: StringIoCase): ModelSegments {
  const model = (name: keyof ModelSegments): ReferenceSegment => {
    const { selector, limit, access } = segments[name];
    const isCode = name === 'cs' && isProtected(mode);
    return { selector, base: selector * 16, limit, access: isCode ? 'ro' : access };
  };
  return {
    cs: model('cs'),
    ds: model('ds'),
    es: model('es'),
    fs: model('fs'),
    gs: model('gs'),
    ss: model('ss'),
  };
}

/** What else the model's run of a case depends on, for all cases of a family. */
function modelSetup(test: StringIoCase): ReferenceSetup {
  const { mode, cpl, tss, path, userspace, paging } = test;
  return {
    mode,
    cpl,
    tssLimit: tss.limit,
    isForced: path === 'forced',
    moveTo: userspace === 'move' ? endOfCode(test) : -1,
    paging: paging === null ? null : pagingRegisters(paging),
  };
}

/** Judges cases, one after the other. */
export interface CaseJudge {
  /** A host's KVM that is asked too, or null. */
  readonly witness: StringIoWitness | null;
  judge(test: StringIoCase): CaseVerdict;
  /** Empties the caches of what is under judgement. */
  forget(): void;
  /** Cases in which generated code has run, since the last call. */
  takeGeneratedCases(): number;
}

/** The two sides, reused for all cases. */
export class StringIoJudge implements CaseJudge {
  readonly #machine: StringIoMachine;
  readonly #memory: TwinMemory;
  readonly #model: ReferenceModel;
  readonly #expectedPorts = new PortWorld();
  readonly #ports = new PortWorld();
  /** The last case that was set up. Cases of a family share their bytes. */
  #last: StringIoCase | null = null;
  #segments: ModelSegments;
  #setup: ReferenceSetup = NO_SETUP;
  #isMemoryEqual = false;

  readonly witness: StringIoWitness | null;

  /**
   * @param machine the emulator under judgement.
   * @param witness a host's KVM: asked about every case that both sides agree about, in the form that it can run.
   */
  constructor(machine: StringIoMachine = new StringIoMachine(), witness: StringIoWitness | null = null) {
    this.#machine = machine;
    this.witness = witness;
    this.#memory = new TwinMemory(machine.vm.memory);
    this.#model = new ReferenceModel(this.#memory.model, this.#expectedPorts);
    this.#segments = this.#model.state;
  }

  /** What the model had at its ports in the last case. */
  get expectedLog(): AccessLog {
    return this.#expectedPorts.log;
  }

  /** Empties the caches of the emulator under judgement. */
  forget(): void {
    this.#machine.forget();
  }

  takeGeneratedCases(): number {
    const { generatedCases } = this.#machine;
    this.#machine.generatedCases = 0;
    return generatedCases;
  }

  /** Judges one case. Both sides are as before afterwards. */
  judge(original: StringIoCase): CaseVerdict {
    const witness = this.witness;
    const test = witness === null ? original : witness.adapt(original);
    if (this.#last === null || !isSameFamily(this.#last, test)) {
      if (caseProblem(test) !== null) return NOT_JUDGED;
      this.#memory.setUp(caseBytes(test));
      witness?.setUp(this.#memory.model.bytes);
      this.#last = test;
      this.#segments = modelSegments(test);
      this.#setup = modelSetup(test);
    }
    if (registersProblem(test) !== null) return NOT_JUDGED;
    this.#isMemoryEqual = false;
    try {
      return this.#judge(test);
    } finally {
      const stores = this.#memory.model.count;
      this.#memory.restore(this.#isMemoryEqual);
      witness?.restore(this.#memory.model, stores);
    }
  }

  #judge(test: StringIoCase): CaseVerdict {
    const expected = this.#expectedPorts;
    expected.begin(test);
    this.#loadModel(test);
    if (this.#model.run(MAX_STEPS) !== 'hlt') return NOT_JUDGED;
    this.#ports.begin(test);
    let end: MachineEnd | string;
    try {
      this.#machine.load(test, this.#ports);
      end = this.#machine.run(test, this.#ports, Math.max(expected.elements, this.#model.moved));
    } catch (error) {
      // No guest may make the emulator throw: that is a finding like any other.
      end = `the emulator threw: ${error instanceof Error ? error.message : String(error)}`;
    }
    const byte = this.#memory.compare();
    this.#isMemoryEqual = byte === null;
    const isSame = typeof end !== 'string' && byte === null && this.#isSame(end);
    const differences = isSame ? this.#ask(test) : this.#differences(end);
    const { kernel, userspace } = expected;
    return { differences, isJudged: true, kernel, userspace, faults: this.#model.vectors.length };
  }

  /** The host's word about a case that the two sides agree about. */
  #ask(test: StringIoCase): readonly string[] {
    if (this.witness === null) return NO_DIFFERENCES;
    const { state, vectors } = this.#model;
    const { log } = this.#expectedPorts;
    return this.witness.judge(test, { state, log, ram: this.#memory.model, faults: vectors.length });
  }

  #loadModel(test: StringIoCase): void {
    const { state } = this.#model;
    copyRegisters(test.registers, state);
    const segments = this.#segments;
    state.cs = segments.cs;
    state.ds = segments.ds;
    state.es = segments.es;
    state.fs = segments.fs;
    state.gs = segments.gs;
    state.ss = segments.ss;
    this.#model.begin(this.#setup);
  }

  /** Everything but memory. */
  #isSame(got: MachineEnd): boolean {
    const { state } = this.#model;
    if (got.end !== 'HLT' || !this.#expectedPorts.log.equals(this.#ports.log)) return false;
    const { selectors } = got;
    return (
      state.cr2 === got.cr2 &&
      areSameRegisters(state, got.registers) &&
      state.cs.selector === selectors[0] &&
      state.ds.selector === selectors[1] &&
      state.es.selector === selectors[2] &&
      state.fs.selector === selectors[3] &&
      state.gs.selector === selectors[4] &&
      state.ss.selector === selectors[5]
    );
  }

  /** In words. */
  #differences(got: MachineEnd | string): string[] {
    if (typeof got === 'string') return [got];
    const { state } = this.#model;
    const differences: string[] = [];
    if (got.end !== 'HLT') differences.push(`end: expected HLT, got ${got.end}`);
    compareLines(this.#expectedPorts.log.lines(), this.#ports.log.lines(), differences);
    for (const name of CASE_REGISTERS) {
      if (state[name] !== got.registers[name]) {
        differences.push(`${name}: expected ${hex(state[name])}, got ${hex(got.registers[name])}`);
      }
    }
    if (state.cr2 !== got.cr2) differences.push(`cr2: expected ${hex(state.cr2)}, got ${hex(got.cr2)}`);
    for (const [i, name] of CASE_SEGMENTS.entries()) {
      const { selector } = state[name];
      if (selector !== got.selectors[i])
        differences.push(`${name}: expected ${hex(selector)}, got ${hex(got.selectors[i])}`);
    }
    const byte = this.#memory.compare();
    if (byte !== null) {
      differences.push(`memory ${hex(byte.addr)}: expected ${hex(byte.expected)}, got ${hex(byte.got)}`);
    }
    return differences;
  }
}

function compareLines(want: readonly string[], have: readonly string[], differences: string[]): void {
  for (let i = 0; i < Math.max(want.length, have.length); i++) {
    if (want[i] === have[i]) continue;
    differences.push(`access ${i}: expected ${want[i] ?? 'none'}, got ${have[i] ?? 'none'}`);
    if (differences.length >= MAX_DIFFERENCES) return;
  }
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** What the reference model alone has at its ports in this case. */
export function expectedAccesses(test: StringIoCase): AccessLog {
  const judge = new StringIoJudge();
  judge.judge(test);
  return judge.expectedLog;
}
