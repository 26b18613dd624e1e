/**
 * Judges a case on several engines: each against the reference model, and all against the first in what the model knows nothing
 * of — the time and the exits that were counted.
 */
import { type CaseJudge, type CaseVerdict, StringIoJudge } from './judge-case.ts';
import type { StringIoCase } from './string-io-case.ts';
import type { StringIoEngine } from './string-io-engine.ts';
import { StringIoMachine, TALLY_NAMES } from './string-io-machine.ts';

/** One engine under judgement. */
interface Side {
  readonly name: string;
  readonly machine: StringIoMachine;
  readonly judge: StringIoJudge;
}

/** See the opening comment. */
export class EnginesJudge implements CaseJudge {
  readonly witness = null;
  readonly #first: Side;
  readonly #others: readonly Side[];

  /** @param machines under judgement, by the names that differences are to call them. */
  constructor(machines: readonly [StringIoMachine, ...StringIoMachine[]]) {
    const side = (machine: StringIoMachine): Side => ({
      name: machine.engine,
      machine,
      judge: new StringIoJudge(machine),
    });
    const [first, ...others] = machines;
    this.#first = side(first);
    this.#others = others.map(side);
  }

  forget(): void {
    for (const { judge } of [this.#first, ...this.#others]) judge.forget();
  }

  judge(test: StringIoCase): CaseVerdict {
    const first = this.#first;
    const verdict = first.judge.judge(test);
    if (!verdict.isJudged) return verdict;
    let differences = named(first.name, verdict.differences);
    for (const side of this.#others) {
      const own = named(side.name, side.judge.judge(test).differences);
      // Where the model is contradicted, the rest says nothing.
      differences = [...differences, ...(own.length === 0 ? this.#tallies(side) : own)];
    }
    return { ...verdict, differences };
  }

  takeGeneratedCases(): number {
    return [this.#first, ...this.#others].reduce((sum, { judge }) => sum + judge.takeGeneratedCases(), 0);
  }

  #tallies({ name, machine }: Side): readonly string[] {
    const want = this.#first.machine.tally;
    const differences: string[] = [];
    for (const [i, what] of TALLY_NAMES.entries()) {
      if (want[i] === machine.tally[i]) continue;
      differences.push(`${what}: ${this.#first.name} ${want[i]}, ${name} ${machine.tally[i]}`);
    }
    return differences;
  }
}

function named(name: string, differences: readonly string[]): readonly string[] {
  return differences.map((line) => `${name}: ${line}`);
}

/** The judge of these engines, one or several. */
export function judgeOfEngines([first, ...others]: readonly [
  StringIoEngine,
  ...StringIoEngine[],
]): CaseJudge {
  if (others.length === 0) return new StringIoJudge(new StringIoMachine(first));
  return new EnginesJudge([
    new StringIoMachine(first),
    ...others.map((engine) => new StringIoMachine(engine)),
  ]);
}
