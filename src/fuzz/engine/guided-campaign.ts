/**
 * A guided campaign: workers that each change their own corpus and are told what the others found. What covers nothing that another
 * worker has not covered before is not passed on.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { FeatureSet } from './coverage-map.ts';
import type { Reproducer } from './fuzz-target.ts';
import type { GuidedResult, GuidedRunner, NewCase } from './guided-worker.ts';

/** Cases of a worker's first task; tasks grow until one takes {@link TASK_MS}. */
const FIRST_TASK = 64;
const LARGEST_TASK = 8192;
const TASK_MS = 200;

/** What to run. */
export interface GuidedOptions {
  /** New cases in all. */
  readonly runs: number;
  /** Milliseconds after which no task is begun. */
  readonly timeMs: number;
  /** Cases to begin with. */
  readonly texts: readonly string[];
  /** A clock in milliseconds: the engine has none of its own. */
  now(): number;
  /** Asked before each task. */
  isStopped(): boolean;
  /** Told of each case that covers something new, as soon as it is known. */
  keep(text: string): void;
  /** Told of a text that is no case. @throws to end the campaign. */
  refuse(index: number, why: string): void;
  /** Told after each task. */
  progress(state: GuidedState): void;
}

/** Where a campaign is. */
export interface GuidedState {
  readonly runs: number;
  readonly elapsedMs: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly finding: Reproducer | null;
  /** Edges covered, edges that there are, and features (edges with classes of counts; distances). */
  readonly edges: number;
  readonly allEdges: number;
  readonly features: number;
  /** Cases that cover all of it, and how many of those are new. */
  readonly corpus: number;
  readonly added: number;
  /** Of the first worker's corpus. */
  readonly favoured: number;
  readonly cycles: number;
  /** Share of the cases that cover the same when they are run again, 0 to 1. */
  readonly stability: number;
  /** When the last edge was found, in milliseconds of the campaign; null before the first new one. */
  readonly lastEdgeMs: number | null;
}

/** Runs a campaign. @returns how it ended. */
export async function runGuidedCampaign(runner: GuidedRunner, options: GuidedOptions): Promise<GuidedState> {
  return new Campaign(runner, options).run();
}

class Campaign {
  readonly #runner: GuidedRunner;
  readonly #options: GuidedOptions;
  readonly #covered = new FeatureSet();
  readonly #counts: Record<string, number> = {};
  /** What each worker has not been told yet, and its last answer. */
  readonly #mail: string[][];
  readonly #last: (GuidedResult | null)[];
  readonly #start: number;
  #left: number;
  #runs = 0;
  #corpus = 0;
  #added = 0;
  #finding: Reproducer | null = null;
  #lastEdgeMs: number | null = null;

  constructor(runner: GuidedRunner, options: GuidedOptions) {
    this.#runner = runner;
    this.#options = options;
    this.#mail = Array.from({ length: runner.workers }, () => [...options.texts]);
    this.#last = Array.from({ length: runner.workers }, () => null);
    this.#start = options.now();
    this.#left = options.runs;
  }

  async run(): Promise<GuidedState> {
    await Promise.all(this.#mail.map((_, worker) => this.#work(worker)));
    return this.#state();
  }

  async #work(worker: number): Promise<void> {
    const { now, isStopped, timeMs } = this.#options;
    for (let size = FIRST_TASK; ; ) {
      const isOver = this.#finding !== null || isStopped() || now() - this.#start >= timeMs;
      const runs = Math.min(size, this.#left);
      if (isOver || runs === 0) return;
      this.#left -= runs;
      const begun = now();
      const result = await this.#runner.run(worker, { texts: this.#mail[worker].splice(0), runs });
      this.#left += runs - result.runs;
      this.#enter(worker, result);
      const isShort = (result.ms ?? now() - begun) < TASK_MS / 2;
      size = isShort ? Math.min(size * 2, LARGEST_TASK) : Math.max(size >> 1, 1);
      this.#options.progress(this.#state());
      // Lets Ctrl-C through.
      await nextTurn();
    }
  }

  #enter(worker: number, result: GuidedResult): void {
    for (const { index, why } of result.refused) this.#options.refuse(index, why);
    this.#last[worker] = result;
    this.#runs += result.runs;
    for (const [name, count] of Object.entries(result.counts)) {
      this.#counts[name] = (this.#counts[name] ?? 0) + count;
    }
    for (const added of result.added) this.#pass(worker, added);
    this.#finding ??= result.finding;
  }

  #pass(worker: number, { text, features, isImported }: NewCase): void {
    const { edges } = this.#covered;
    if (this.#covered.add(features) === 0) return;
    this.#corpus++;
    if (isImported) return;
    this.#added++;
    if (this.#covered.edges > edges) this.#lastEdgeMs = this.#options.now() - this.#start;
    this.#options.keep(text);
    for (const [other, mail] of this.#mail.entries()) if (other !== worker) mail.push(text);
  }

  #state(): GuidedState {
    const results = this.#last.filter((result) => result !== null);
    const sum = (of: (result: GuidedResult) => number): number => results.reduce((n, r) => n + of(r), 0);
    return {
      runs: this.#runs,
      elapsedMs: this.#options.now() - this.#start,
      counts: this.#counts,
      finding: this.#finding,
      edges: this.#covered.edges,
      allEdges: results[0]?.edges ?? 0,
      features: this.#covered.size,
      corpus: this.#corpus,
      added: this.#added,
      favoured: results[0]?.favoured ?? 0,
      cycles: results[0]?.cycles ?? 0,
      stability:
        sum(({ stable }) => stable) /
        Math.max(
          sum(({ corpus }) => corpus),
          1,
        ),
      lastEdgeMs: this.#lastEdgeMs,
    };
  }
}
