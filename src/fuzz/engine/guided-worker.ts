/**
 * One worker of a guided campaign: runs what it is sent and gives back what was new. All that crosses the line is JSON, so that it may be
 * this thread or another.
 */
import { Prng } from '../prng.ts';
import type { EdgeCounters } from './edge-counters.ts';
import type { CaseOperations, FuzzTarget, Reproducer } from './fuzz-target.ts';
import { GuidedFuzzer } from './guided-fuzzer.ts';

/** What a worker is sent. */
export interface GuidedTask {
  /** Cases of others to look at first. */
  readonly texts: readonly string[];
  /** New cases to run then. */
  readonly runs: number;
}

/** A case that covers something new. */
export interface NewCase {
  readonly text: string;
  readonly features: readonly number[];
  /** Whether it came from outside. */
  readonly isImported: boolean;
}

/** What came of a task. It ends at its first finding. */
export interface GuidedResult {
  readonly runs: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly added: readonly NewCase[];
  /** Texts that are no cases: which of the task's, and why. */
  readonly refused: readonly { readonly index: number; readonly why: string }[];
  readonly finding: Reproducer | null;
  /** Edges of the code under test. */
  readonly edges: number;
  /** The worker's own corpus: cases, favoured ones, those that cover the same twice, and rounds through it. */
  readonly corpus: number;
  readonly favoured: number;
  readonly stable: number;
  readonly cycles: number;
  /** Milliseconds that it took where it ran; a runner that cannot tell leaves it out. */
  readonly ms?: number;
}

/** Who runs tasks: worker 0 to `workers`−1, each one task at a time. */
export interface GuidedRunner {
  readonly workers: number;
  run(worker: number, task: GuidedTask): Promise<GuidedResult>;
  close(): Promise<void>;
}

/** See the opening comment. */
export class GuidedWorker {
  readonly #target: FuzzTarget;
  readonly #cases: CaseOperations<unknown>;
  readonly #fuzzer: GuidedFuzzer<unknown>;

  /** @param target of the instrumented build whose `counters` these are. @param worker its number: each does other work. */
  constructor(
    target: FuzzTarget & { readonly cases: CaseOperations<unknown> },
    counters: EdgeCounters,
    seed: number,
    worker: number,
  ) {
    this.#target = target;
    this.#cases = target.cases;
    this.#fuzzer = new GuidedFuzzer(target.cases, counters, new Prng(seed, worker));
  }

  async run({ texts, runs }: GuidedTask): Promise<GuidedResult> {
    const added: NewCase[] = [];
    const refused: { index: number; why: string }[] = [];
    for (const [index, text] of texts.entries()) {
      try {
        const entry = this.#fuzzer.take(text);
        if (entry !== null) added.push({ text, features: entry.features, isImported: true });
      } catch (error) {
        refused.push({ index, why: error instanceof Error ? error.message : String(error) });
      }
    }
    const differing = this.#fuzzer.takeFinding();
    // Cases from outside have been run before: they are not counted again.
    this.#target.takeCounts();
    const slice = differing === null ? this.#fuzzer.run(runs) : { runs: 0, added: [], finding: differing };
    for (const { text, features } of slice.added) added.push({ text, features, isImported: false });
    const counts = this.#target.takeCounts();
    const finding = slice.finding === null ? null : await this.#cases.reproduce(slice.finding);
    this.#target.takeCounts();
    const { corpus, edges } = this.#fuzzer;
    const { size, favoured, stable, cycles } = corpus;
    return {
      runs: slice.runs,
      counts,
      added,
      refused,
      finding,
      edges,
      corpus: size,
      favoured,
      stable,
      cycles,
    };
  }

  /** What each case covers by itself; null for one that differs from its oracle. @throws EmulatorError for text that is no case. */
  measure(text: string): { readonly features: readonly number[]; readonly size: number } | null {
    return this.#fuzzer.measure(text);
  }
}

/** The runner of one thread. */
export function localGuidedRunner(worker: GuidedWorker): GuidedRunner {
  return { workers: 1, run: (_worker, task) => worker.run(task), close: () => Promise.resolve() };
}
