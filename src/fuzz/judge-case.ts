/**
 * Runs one case on the emulator and on the reference model and compares everything a guest or its userspace could
 * see: the accesses in order, registers, flags, memory, the exception taken.
 */
import { countAccesses, logLines, PortWorld } from './port-world.ts';
import { ReferenceModel, type ReferenceSegment, type ReferenceState } from './reference-model.ts';
import { CASE_REGISTERS, CASE_SEGMENTS, caseProblem, type StringIoCase } from './string-io-case.ts';
import { type MachineEnd, StringIoMachine } from './string-io-machine.ts';
import { TwinMemory } from './twin-memory.ts';

const HLT = 0xf4;
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
  /** Vectors of the exceptions taken. */
  readonly vectors: readonly number[];
}

const NOT_JUDGED: CaseVerdict = { differences: [], isJudged: false, kernel: 0, userspace: 0, vectors: [] };

/** The two sides, reused for all cases. */
export class StringIoJudge {
  readonly #machine: StringIoMachine;
  readonly #memory: TwinMemory;

  /** @param machine the emulator under judgement. */
  constructor(machine: StringIoMachine = new StringIoMachine()) {
    this.#machine = machine;
    this.#memory = new TwinMemory(machine.vm.memory);
  }

  /** Judges one case. Both sides are as before afterwards. */
  judge(test: StringIoCase): CaseVerdict {
    if (caseProblem(test) !== null) return NOT_JUDGED;
    try {
      const { cs } = test.segments;
      this.#memory.load(cs.selector * 16 + test.registers.eip, [...test.code.flat(), HLT]);
      const expectedPorts = new PortWorld(test);
      const model = new ReferenceModel(
        modelState(test),
        this.#memory.model,
        expectedPorts,
        test.path === 'forced',
      );
      const end = model.run(MAX_STEPS);
      if (end !== 'hlt') return NOT_JUDGED;

      const differences = this.#compareWith(test, model.state, expectedPorts.log);
      const counts = countAccesses(expectedPorts.log);
      return { differences, isJudged: true, ...counts, vectors: model.vectors };
    } finally {
      this.#memory.restore();
    }
  }

  /** Runs the emulator and says where it differs. */
  #compareWith(test: StringIoCase, expected: ReferenceState, expectedLog: readonly number[]): string[] {
    const ports = new PortWorld(test);
    const differences: string[] = [];
    this.#machine.load(test, ports);
    this.#memory.arm();
    let got: MachineEnd;
    try {
      got = this.#machine.run(ports);
    } catch (error) {
      // No guest may make the emulator throw: that is a finding like any other.
      return [`the emulator threw: ${error instanceof Error ? error.message : String(error)}`];
    }
    if (got.end !== 'HLT') differences.push(`end: expected HLT, got ${got.end}`);
    compareLogs(expectedLog, ports.log, differences);
    for (const name of CASE_REGISTERS) {
      if (expected[name] !== got.registers[name]) {
        differences.push(`${name}: expected ${hex(expected[name])}, got ${hex(got.registers[name])}`);
      }
    }
    if (expected.cs.selector !== got.codeSelector) {
      differences.push(`cs: expected ${hex(expected.cs.selector)}, got ${hex(got.codeSelector)}`);
    }
    const byte = this.#memory.compare();
    if (byte !== null) {
      differences.push(`memory ${hex(byte.addr)}: expected ${hex(byte.expected)}, got ${hex(byte.got)}`);
    }
    return differences;
  }
}

function modelState(test: StringIoCase): ReferenceState {
  const segments = CASE_SEGMENTS.map((name): [string, ReferenceSegment] => {
    const { selector, limit } = test.segments[name];
    return [name, { selector, base: selector * 16, limit }];
  });
  return { ...test.registers, ...Object.fromEntries(segments) } as ReferenceState;
}

function compareLogs(expected: readonly number[], got: readonly number[], differences: string[]): void {
  if (expected.length === got.length && expected.every((value, i) => value === got[i])) return;
  const want = logLines(expected);
  const have = logLines(got);
  for (let i = 0; i < Math.max(want.length, have.length); i++) {
    if (want[i] === have[i]) continue;
    differences.push(`access ${i}: expected ${want[i] ?? 'none'}, got ${have[i] ?? 'none'}`);
    if (differences.length >= MAX_DIFFERENCES) return;
  }
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
