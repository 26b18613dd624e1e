/**
 * What `count()`, `sum()`, `avg()`, `min()`, `max()`, `hist()` and `lhist()` gather (bpftrace:
 * man/adoc/bpftrace.adoc, “Map Functions”).
 */

/** Something that values are added to. */
export interface Aggregate {
  add(value: bigint): void;
  clear(): void;
  /** What it is worth in an expression, and what a map is sorted by. */
  readonly value: bigint;
  /** The rows of a histogram; null for a plain number. */
  rows(): string | null;
}

/** Bars are this long at most. */
const BAR_WIDTH = 52;
const LABEL_WIDTH = 16;
const COUNT_WIDTH = 8;

class Scalar implements Aggregate {
  readonly #step: (sum: bigint, value: bigint) => bigint;
  readonly #result: (sum: bigint, n: bigint) => bigint;
  #sum = 0n;
  #n = 0n;

  constructor(
    step: (sum: bigint, value: bigint, n: bigint) => bigint,
    result: (sum: bigint, n: bigint) => bigint = (sum) => sum,
  ) {
    this.#step = (sum, value) => step(sum, value, this.#n);
    this.#result = result;
  }

  get value(): bigint {
    return this.#n === 0n ? 0n : this.#result(this.#sum, this.#n);
  }

  add(value: bigint): void {
    this.#sum = this.#step(this.#sum, value);
    this.#n++;
  }

  clear(): void {
    this.#sum = 0n;
    this.#n = 0n;
  }

  rows(): null {
    return null;
  }
}

class Histogram implements Aggregate {
  readonly #bucketOf: (value: bigint) => number;
  readonly #label: (bucket: number) => string;
  readonly #counts = new Map<number, bigint>();

  constructor(bucketOf: (value: bigint) => number, label: (bucket: number) => string) {
    this.#bucketOf = bucketOf;
    this.#label = label;
  }

  get value(): bigint {
    let total = 0n;
    for (const count of this.#counts.values()) total += count;
    return total;
  }

  add(value: bigint): void {
    const bucket = this.#bucketOf(value);
    this.#counts.set(bucket, (this.#counts.get(bucket) ?? 0n) + 1n);
  }

  clear(): void {
    this.#counts.clear();
  }

  rows(): string {
    const buckets = [...this.#counts.keys()];
    const most = [...this.#counts.values()].reduce((a, b) => (a > b ? a : b), 1n);
    let text = '';
    for (let bucket = Math.min(...buckets); bucket <= Math.max(...buckets); bucket++) {
      const count = this.#counts.get(bucket) ?? 0n;
      const bar = '@'.repeat(Number((count * BigInt(BAR_WIDTH)) / most)).padEnd(BAR_WIDTH);
      text += `${this.#label(bucket).padEnd(LABEL_WIDTH)}${String(count).padStart(COUNT_WIDTH)} |${bar}|\n`;
    }
    return text;
  }
}

/** `1K` for 1024: powers of two in labels. */
function binaryText(value: bigint): string {
  let [n, unit] = [value, 0];
  for (; n >= 1024n && n % 1024n === 0n && unit < 6; unit++) n /= 1024n;
  return `${n}${' KMGTPE'[unit].trim()}`;
}

/** Bucket of a value: −1 below 0, 0 and 1 for themselves, then powers of two. */
function log2Bucket(value: bigint): number {
  if (value < 0n) return -1;
  return value < 2n ? Number(value) : value.toString(2).length;
}

function log2Label(bucket: number): string {
  if (bucket < 0) return '(..., 0)';
  if (bucket < 2) return `[${bucket}]`;
  return `[${binaryText(1n << BigInt(bucket - 1))}, ${binaryText(1n << BigInt(bucket))})`;
}

function linearHistogram(min: bigint, max: bigint, step: bigint): Histogram {
  const last = Number((max - min + step - 1n) / step);
  return new Histogram(
    (value) => (value < min ? -1 : value >= max ? last : Number((value - min) / step)),
    (bucket) => {
      if (bucket < 0) return `(..., ${min})`;
      if (bucket >= last) return `[${max}, ...)`;
      const from = min + BigInt(bucket) * step;
      return `[${from}, ${from + step})`;
    },
  );
}

/** Names of the functions, and how many arguments each takes. */
export const AGGREGATE_ARGS: Readonly<Record<string, number>> = {
  count: 0,
  sum: 1,
  avg: 1,
  min: 1,
  max: 1,
  hist: 1,
  lhist: 4,
};

/** An empty aggregate; `params` are min, max and step of `lhist`. */
export function createAggregate(name: string, params: readonly bigint[]): Aggregate {
  switch (name) {
    case 'count':
      return new Scalar((sum) => sum + 1n);
    case 'avg':
      return new Scalar(
        (sum, value) => sum + value,
        (sum, n) => sum / n,
      );
    case 'min':
      return new Scalar((least, value, n) => (n === 0n || value < least ? value : least));
    case 'max':
      return new Scalar((most, value, n) => (n === 0n || value > most ? value : most));
    case 'hist':
      return new Histogram(log2Bucket, log2Label);
    case 'lhist':
      return linearHistogram(params[0], params[1], params[2]);
    default: // sum
      return new Scalar((sum, value) => sum + value);
  }
}
