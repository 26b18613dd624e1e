/**
 * The maps of a running script and how they are printed (bpftrace: src/output.cpp).
 */
import type { Aggregate } from './aggregates.ts';
import { compareValues, type Value, valueText } from './values.ts';

/** One entry. */
interface Entry {
  readonly key: readonly Value[];
  content: Value | Aggregate;
}

function isAggregate(content: Value | Aggregate): content is Aggregate {
  return typeof content === 'object' && 'rows' in content;
}

function worth(content: Value | Aggregate): Value {
  return isAggregate(content) ? content.value : content;
}

/** Strings and integers that look alike are different keys. */
function identity(key: readonly Value[]): string {
  return JSON.stringify(key, (_name, part: unknown) => (typeof part === 'bigint' ? `#${part}` : part));
}

/** `@name`: entries by key; a map without keys has one entry with an empty key. */
export class ScriptMap {
  readonly #name: string;
  readonly #entries = new Map<string, Entry>();

  constructor(name: string) {
    this.#name = name;
  }

  /** What an expression sees; 0 where there is nothing. */
  get(key: readonly Value[]): Value {
    const entry = this.#entries.get(identity(key));
    return entry === undefined ? 0n : worth(entry.content);
  }

  set(key: readonly Value[], content: Value): void {
    this.#entries.set(identity(key), { key, content });
  }

  /** Adds to the aggregate at `key`, made by `create` when there is none yet. */
  add(key: readonly Value[], value: bigint, create: () => Aggregate): void {
    const id = identity(key);
    let content = this.#entries.get(id)?.content;
    if (content === undefined || !isAggregate(content)) {
      content = create();
      this.#entries.set(id, { key, content });
    }
    content.add(value);
  }

  delete(key: readonly Value[]): void {
    this.#entries.delete(identity(key));
  }

  clear(): void {
    this.#entries.clear();
  }

  /** Keeps the keys and sets everything to 0. */
  zero(): void {
    for (const entry of this.#entries.values()) {
      if (isAggregate(entry.content)) entry.content.clear();
      else entry.content = 0n;
    }
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  /** All entries, the largest last; `top` shows only so many of them, `div` divides numbers. */
  text(top = Number.POSITIVE_INFINITY, div = 1n): string {
    const entries = [...this.#entries.values()].sort(
      (a, b) => compareValues(worth(a.content), worth(b.content)) || compareValues(a.key, b.key),
    );
    const shown = entries.slice(Math.max(0, entries.length - top));
    return `${shown.map((entry) => this.#entryText(entry, div)).join('')}\n`;
  }

  #entryText({ key, content }: Entry, div: bigint): string {
    const name = key.length === 0 ? this.#name : `${this.#name}[${key.map(valueText).join(', ')}]`;
    const rows = isAggregate(content) ? content.rows() : null;
    if (rows !== null) return `${name}: \n${rows}`;
    const value = worth(content);
    return `${name}: ${valueText(typeof value === 'bigint' ? value / div : value)}\n`;
  }
}
