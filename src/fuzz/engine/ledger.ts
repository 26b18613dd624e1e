/**
 * Which cases of a seed have been run: the book of a long campaign, so that it can be run in pieces. A text file of
 * `done=FIRST+COUNT` lines; ranges that touch are one. `count=N NAME` lines sum up what these cases did.
 */
import { EmulatorError } from '../../errors.ts';

/** Cases `first … first+count−1`. */
export interface RunRange {
  readonly first: number;
  readonly count: number;
}

/** See the opening comment. */
export class Ledger {
  readonly target: string;
  readonly seed: number;
  /** Sorted, apart from each other. */
  #done: RunRange[] = [];
  /** Handed out and not yet done. */
  #open: RunRange[] = [];
  readonly #counts = new Map<string, number>();

  constructor(target: string, seed: number) {
    this.target = target;
    this.seed = seed;
  }

  /** Cases that were run. */
  get total(): number {
    return this.#done.reduce((sum, { count }) => sum + count, 0);
  }

  /** What those cases did, by name, as far as they were finished with counts. */
  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }

  /** The next range below `end` that nobody has, at most `count` long; null when there is none. */
  take(end: number, count: number): RunRange | null {
    let first = 0;
    for (const range of merged([...this.#done, ...this.#open])) {
      if (first < range.first) break;
      first = range.first + range.count;
    }
    const next = merged([...this.#done, ...this.#open]).find((range) => range.first > first)?.first ?? end;
    const taken = { first, count: Math.min(count, Math.min(next, end) - first) };
    if (taken.count <= 0) return null;
    this.#open.push(taken);
    return taken;
  }

  /** A range that was taken: its first `runs` cases have been run and did `counts`, the others are free again. */
  finish(range: RunRange, runs: number, counts: Readonly<Record<string, number>> = {}): void {
    for (const [name, count] of Object.entries(counts)) this.#add(name, count);
    this.#open = this.#open.filter((open) => open.first !== range.first);
    if (runs > 0) this.#done = merged([...this.#done, { first: range.first, count: runs }]);
  }

  #add(name: string, count: number): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + count);
  }

  /** The file's lines. */
  lines(): string[] {
    return [
      '# pio86 fuzz: which cases have been run',
      `target=${this.target}`,
      `seed=${this.seed}`,
      ...this.#done.map(({ first, count }) => `done=${first}+${count}`),
      ...[...this.#counts].map(([name, count]) => `count=${count} ${name}`),
    ];
  }

  /** @throws EmulatorError `E_INPUT` naming the line that is wrong. */
  static parse(text: string): Ledger {
    let target = '';
    let seed = -1;
    const done: RunRange[] = [];
    const counts: [string, number][] = [];
    for (const [i, line] of text.split('\n').entries()) {
      const range = /^done=(\d+)\+(\d+)$/.exec(line);
      const count = /^count=(\d+) (.+)$/.exec(line);
      if (range !== null) done.push({ first: Number(range[1]), count: Number(range[2]) });
      else if (count !== null) counts.push([count[2], Number(count[1])]);
      else if (/^target=[\w-]+$/.test(line)) target = line.slice('target='.length);
      else if (/^seed=\d+$/.test(line)) seed = Number(line.slice('seed='.length));
      else if (line.trim() !== '' && !line.startsWith('#')) {
        throw new EmulatorError(
          'E_INPUT',
          `line ${i + 1}: "${line.slice(0, 40)}" is not target=, seed=, done= or count=`,
        );
      }
    }
    if (target === '' || seed < 0) throw new EmulatorError('E_INPUT', 'target= or seed= is missing');
    const ledger = new Ledger(target, seed);
    ledger.#done = merged(done);
    for (const [name, count] of counts) ledger.#add(name, count);
    return ledger;
  }
}

function merged(ranges: readonly RunRange[]): RunRange[] {
  const result: RunRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.first - b.first)) {
    const last = result.at(-1);
    if (last === undefined || range.first > last.first + last.count) result.push(range);
    else {
      const end = Math.max(last.first + last.count, range.first + range.count);
      result[result.length - 1] = { first: last.first, count: end - last.first };
    }
  }
  return result;
}
