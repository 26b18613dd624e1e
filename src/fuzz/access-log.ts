/**
 * What a fuzz case has seen at its ports, as numbers: kind, port, size, count, then the data. Kept from case to case,
 * so that a case allocates nothing.
 */

/** First number of an entry: where the access went. */
export const KERNEL_READ = 0;
export const KERNEL_WRITE = 1;
export const USER_READ = 2;
export const USER_WRITE = 3;
const WORDS = ['kernel in', 'kernel out', 'exit in', 'exit out'] as const;
/** Numbers before the data. */
const HEAD = 4;

/** One access, taken apart. */
export interface LoggedAccess {
  readonly kind: number;
  readonly port: number;
  readonly size: number;
  /** One a count. */
  readonly values: readonly number[];
}

/** Little-endian elements of `size` bytes. */
function elements(bytes: readonly number[], size: number): number[] {
  const values: number[] = [];
  for (let i = 0; i < bytes.length; i += size) {
    values.push(bytes.slice(i, i + size).reduceRight((value, byte) => value * 256 + byte, 0));
  }
  return values;
}

/** See the opening comment. The kernel's entries have one value, userspace's size · count bytes. */
export class AccessLog {
  #data = new Uint32Array(1 << 12);
  #length = 0;

  /** Empties it. */
  clear(): void {
    this.#length = 0;
  }

  /** An access to a device in the kernel. */
  kernel(kind: number, port: number, size: number, value: number): void {
    this.#head(kind, port, size, 1, 1);
    this.#data[this.#length++] = value;
  }

  /** An exit to userspace. */
  user(kind: number, port: number, size: number, count: number, data: Uint8Array): void {
    const bytes = size * count;
    this.#head(kind, port, size, count, bytes);
    const to = this.#data;
    let at = this.#length;
    for (let i = 0; i < bytes; i++) to[at++] = data[i];
    this.#length = at;
  }

  /** Whether both have seen the same. */
  equals(other: AccessLog): boolean {
    if (other.#length !== this.#length) return false;
    const a = this.#data;
    const b = other.#data;
    for (let i = 0; i < this.#length; i++) if (a[i] !== b[i]) return false;
    return true;
  }

  /** The accesses, in order. */
  entries(): LoggedAccess[] {
    const entries: LoggedAccess[] = [];
    const log = this.#data;
    for (let i = 0; i < this.#length; ) {
      const [kind, port, size, count] = log.subarray(i, i + HEAD);
      const length = kind < USER_READ ? 1 : size * count;
      const data = Array.from(log.subarray(i + HEAD, i + HEAD + length));
      entries.push({ kind, port, size, values: kind < USER_READ ? data : elements(data, size) });
      i += HEAD + length;
    }
    return entries;
  }

  /** One line an access: `exit in port 0x3f8 size 1 data 01 02 03`. */
  lines(): string[] {
    return this.entries().map(({ kind, port, size, values }) => {
      const data = values.map((value) => value.toString(16).padStart(2 * size, '0')).join(' ');
      return `${WORDS[kind]} port 0x${port.toString(16)} size ${size} count ${values.length} data ${data}`;
    });
  }

  #head(kind: number, port: number, size: number, count: number, room: number): void {
    if (this.#length + HEAD + room > this.#data.length) this.#grow(room);
    const to = this.#data;
    const at = this.#length;
    to[at] = kind;
    to[at + 1] = port;
    to[at + 2] = size;
    to[at + 3] = count;
    this.#length = at + HEAD;
  }

  #grow(room: number): void {
    const larger = new Uint32Array(2 * (this.#data.length + room));
    larger.set(this.#data);
    this.#data = larger;
  }
}
