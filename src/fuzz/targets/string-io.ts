/**
 * Target `string-io`: IN, OUT, INS and OUTS in random states, against the reference model.
 */
import { caseFromText, caseToText } from '../case-text.ts';
import type {
  CaseOperations,
  ExportFormat,
  FuzzTarget,
  ReplayVerdict,
  Reproducer,
} from '../engine/fuzz-target.ts';
import { CaseSource, randomCase } from '../generate-case.ts';
import { type CaseJudge, type CaseVerdict, StringIoJudge } from '../judge-case.ts';
import { mutateStringIo, varyStringIo } from '../mutation/string-io.ts';
import { exportCase } from '../report/export-case.ts';
import { shrinkCase } from '../shrink-case.ts';
import type { StringIoCase } from '../string-io-case.ts';

/** See the opening comment. */
export class StringIoTarget implements FuzzTarget {
  readonly name: string;
  readonly cases: CaseOperations<StringIoCase>;
  readonly #judge: CaseJudge;
  readonly #replayOptions: string;
  #source = new CaseSource(0);
  #seed = 0;
  #counts = noCounts();

  /**
   * @param judge with a witness: `--oracle kvm`.
   * @param how the name of a campaign of it, and the options that the command line needs to judge like this.
   */
  constructor(
    judge: CaseJudge = new StringIoJudge(),
    { name = 'string-io', replayOptions = '' }: { name?: string; replayOptions?: string } = {},
  ) {
    this.name = name;
    this.#judge = judge;
    this.#replayOptions = replayOptions;
    this.cases = {
      generate: randomCase,
      judge: (test) => this.#run(test),
      mutate: mutateStringIo,
      vary: varyStringIo,
      forget: () => this.#judge.forget(),
      toText: (test) => caseToText(test, [], replayOptions),
      fromText: caseFromText,
      size: sizeOf,
      reproduce: (test) => this.#reproduce(test, []),
    };
  }

  run(seed: number, run: number): readonly string[] {
    return this.#run(this.#cases(seed).at(run)).differences;
  }

  #run(test: StringIoCase): CaseVerdict {
    const verdict = this.#judge.judge(test);
    const counts = this.#counts;
    counts.kernelAccesses += verdict.kernel;
    counts.userspaceAccesses += verdict.userspace;
    counts.faults += verdict.faults;
    if (!verdict.isJudged) counts.notJudged++;
    return verdict;
  }

  takeCounts(): Readonly<Record<string, number>> {
    const counts = this.#counts;
    this.#counts = noCounts();
    const generated = this.#judge.takeGeneratedCases();
    return {
      ...counts,
      ...(generated === 0 ? {} : { generatedCases: generated }),
      ...this.#takeHostCounts(),
    };
  }

  async reproduce(seed: number, run: number): Promise<Reproducer> {
    return this.#reproduce(this.#cases(seed).at(run), [`seed=${seed}`, `run=${run}`]);
  }

  async #reproduce(test: StringIoCase, origin: readonly string[]): Promise<Reproducer> {
    const judge = this.#judge;
    const small = await shrinkCase(test, (candidate) => judge.judge(candidate).differences.length > 0);
    return {
      lines: caseToText(small, origin, this.#replayOptions),
      differences: judge.judge(small).differences,
    };
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

/** Bytes of code, elements of REP (they are what a case costs), devices and denied ports. */
function sizeOf({ code, devices, tss, registers }: StringIoCase): number {
  const bytes = code.reduce((sum, { length }) => sum + length, 0);
  return bytes * 4 + (registers.ecx & 0xffff) + (devices.length + tss.denied.length) * 2;
}

function noCounts(): {
  kernelAccesses: number;
  userspaceAccesses: number;
  faults: number;
  notJudged: number;
} {
  return { kernelAccesses: 0, userspaceAccesses: 0, faults: 0, notJudged: 0 };
}
