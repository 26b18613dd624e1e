/**
 * A target whose cases are lists of steps: what `devices`, `bus` and their like have in common — text form, replay, shrinking.
 */
import { EmulatorError } from '../../errors.ts';
import { mutateList } from '../mutation/lists.ts';
import { mutateTextNumber } from '../mutation/numbers.ts';
import { Prng } from '../prng.ts';
import type { CaseOperations, ExportFormat, FuzzTarget, ReplayVerdict, Reproducer } from './fuzz-target.ts';
import { shrinkList } from './shrink-list.ts';

/** What makes one target differ from another. */
export interface ListTargetOptions<T> {
  readonly name: string;
  /** Options that a replay needs besides. */
  readonly flags?: string;
  generate(random: Prng): readonly T[];
  /** @returns what differs, empty when nothing does. */
  judge(steps: readonly T[]): readonly string[];
  toText(step: T): string;
  /** @throws EmulatorError `E_ARGUMENT`. */
  fromText(line: string): T;
  simpler?(step: T): readonly T[];
  /** Drops what is kept from case to case for speed. */
  forget?(): void;
  /** A changed step; without it a number in the step's text is changed. */
  mutate?(step: T, random: Prng): T;
  /** Counts besides that of steps, since the last call. */
  takeCounts?(): Readonly<Record<string, number>>;
  /** A case in another form; without it there is none. */
  export?(steps: readonly T[], format: ExportFormat): readonly string[] | null;
}

/** Steps that a case may get by mutation. */
const MAX_STEPS = 64;

/** See the opening comment. */
export class ListTarget<T> implements FuzzTarget {
  readonly name: string;
  readonly cases: CaseOperations<readonly T[]>;
  readonly #options: ListTargetOptions<T>;
  readonly #random = new Prng(0, 0);
  #steps = 0;

  constructor(options: ListTargetOptions<T>) {
    this.name = options.name;
    this.#options = options;
    const change = (step: T, random: Prng): T => this.#change(step, random);
    const create = (random: Prng): T => random.pick(options.generate(random));
    this.cases = {
      generate: (random) => options.generate(random),
      judge: (steps) => {
        this.#steps += steps.length;
        return { isJudged: true, differences: this.#judge(steps) };
      },
      mutate: (steps, other, random) =>
        mutateList(steps, other, random, { maxLength: MAX_STEPS, change, create }),
      ...(options.forget === undefined ? {} : { forget: options.forget }),
      toText: (steps) => this.#lines(steps, []),
      fromText: (text) => this.#parse(text),
      size: (steps) => steps.reduce((sum, step) => sum + options.toText(step).length, 0),
      reproduce: (steps) => Promise.resolve(this.#reproduce(steps, [])),
    };
  }

  run(seed: number, run: number): readonly string[] {
    const steps = this.#generate(seed, run);
    this.#steps += steps.length;
    return this.#judge(steps);
  }

  takeCounts(): Readonly<Record<string, number>> {
    const steps = this.#steps;
    this.#steps = 0;
    return { steps, ...this.#options.takeCounts?.() };
  }

  async reproduce(seed: number, run: number): Promise<Reproducer> {
    return this.#reproduce(this.#generate(seed, run), [`seed=${seed}`, `run=${run}`]);
  }

  #reproduce(steps: readonly T[], origin: readonly string[]): Reproducer {
    const fails = (candidate: readonly T[]): boolean => this.#judge(candidate).length > 0;
    const small = shrinkList(steps, fails, this.#options.simpler);
    return { lines: this.#lines(small, origin), differences: this.#judge(small) };
  }

  #lines(steps: readonly T[], origin: readonly string[]): string[] {
    const { flags } = this.#options;
    const words = ['pio86 fuzz', this.name, ...(flags === undefined ? [] : [flags]), '--replay FILE'];
    const head = [`# replay with: ${words.join(' ')}`, `target=${this.name}`];
    return [...head, ...origin, ...steps.map((step) => `step=${this.#options.toText(step)}`)];
  }

  #change(step: T, random: Prng): T {
    const { mutate, toText, fromText, generate } = this.#options;
    if (mutate !== undefined) return mutate(step, random);
    const line = mutateTextNumber(toText(step), random);
    try {
      if (line !== null) return fromText(line);
    } catch (error) {
      if (!(error instanceof EmulatorError)) throw error;
    }
    // No number in it, or one that a step cannot have.
    return random.pick(generate(random));
  }

  replay(text: string): ReplayVerdict {
    return { isJudged: true, differences: this.#judge(this.#parse(text)) };
  }

  export(text: string, format: ExportFormat): readonly string[] {
    const lines = this.#options.export?.(this.#parse(text), format) ?? null;
    if (lines === null) throw new EmulatorError('E_ARGUMENT', `${this.name} has no form "${format}"`);
    return lines;
  }

  #generate(seed: number, run: number): readonly T[] {
    this.#random.reseed(seed, run);
    return this.#options.generate(this.#random);
  }

  /**
   * Whatever the steps are, nothing may be thrown: that is a finding like any other.
   *
   * @throws EmulatorError `E_ORACLE` when the one who knows is gone.
   */
  #judge(steps: readonly T[]): readonly string[] {
    try {
      return this.#options.judge(steps);
    } catch (error) {
      if (error instanceof EmulatorError && error.code === 'E_ORACLE') throw error;
      return [`thrown: ${error instanceof Error ? error.message : String(error)}`];
    }
  }

  #parse(text: string): readonly T[] {
    const lines = text.split('\n').map((line) => line.trim());
    if (!lines.includes(`target=${this.name}`)) {
      throw new EmulatorError('E_ARGUMENT', `target=${this.name} is missing`);
    }
    const steps = lines.filter((line) => line.startsWith('step='));
    return steps.map((line) => this.#options.fromText(line.slice('step='.length)));
  }
}
