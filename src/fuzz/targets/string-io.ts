/**
 * Target `string-io`: IN, OUT, INS and OUTS in random states, against the reference model.
 */
import { caseFromText, caseToText } from '../case-text.ts';
import type { ExportFormat, FuzzTarget, ReplayVerdict, Reproducer } from '../engine/fuzz-target.ts';
import { CaseSource } from '../generate-case.ts';
import { StringIoJudge } from '../judge-case.ts';
import { exportCase } from '../report/export-case.ts';
import { shrinkCase } from '../shrink-case.ts';

/** See the opening comment. */
export class StringIoTarget implements FuzzTarget {
  readonly name = 'string-io';
  readonly #judge: StringIoJudge;
  #source = new CaseSource(0);
  #seed = 0;
  #counts = noCounts();

  /** @param judge with a witness: `--oracle kvm`. */
  constructor(judge: StringIoJudge = new StringIoJudge()) {
    this.#judge = judge;
  }

  run(seed: number, run: number): readonly string[] {
    const verdict = this.#judge.judge(this.#cases(seed).at(run));
    const counts = this.#counts;
    counts.kernelAccesses += verdict.kernel;
    counts.userspaceAccesses += verdict.userspace;
    counts.faults += verdict.faults;
    if (!verdict.isJudged) counts.notJudged++;
    return verdict.differences;
  }

  takeCounts(): Readonly<Record<string, number>> {
    const counts = this.#counts;
    this.#counts = noCounts();
    return { ...counts, ...this.#takeHostCounts() };
  }

  async reproduce(seed: number, run: number): Promise<Reproducer> {
    const judge = this.#judge;
    const test = this.#cases(seed).at(run);
    const small = await shrinkCase(test, (candidate) => judge.judge(candidate).differences.length > 0);
    return { lines: caseToText(small, seed, run), differences: judge.judge(small).differences };
  }

  replay(text: string): ReplayVerdict {
    return this.#judge.judge(caseFromText(text));
  }

  export(text: string, format: ExportFormat): readonly string[] {
    return exportCase(caseFromText(text), text, format);
  }

  /** Cases on the host, and those that it could not run, by reason. */
  #takeHostCounts(): Record<string, number> {
    const { witness } = this.#judge;
    if (witness === null) return {};
    const counts: Record<string, number> = {
      comparedWithHost: witness.compared,
      espLeftOut: witness.excluded,
    };
    for (const [reason, count] of witness.skipped) counts[`host cannot: ${reason}`] = count;
    witness.compared = 0;
    witness.excluded = 0;
    witness.skipped.clear();
    return counts;
  }

  #cases(seed: number): CaseSource {
    if (seed !== this.#seed) this.#source = new CaseSource(seed);
    this.#seed = seed;
    return this.#source;
  }
}

function noCounts(): {
  kernelAccesses: number;
  userspaceAccesses: number;
  faults: number;
  notJudged: number;
} {
  return { kernelAccesses: 0, userspaceAccesses: 0, faults: 0, notJudged: 0 };
}
