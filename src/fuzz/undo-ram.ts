/**
 * The reference model's RAM: remembers what each store replaced, so that a case can be taken back in as many steps
 * as it made stores.
 */

/** RAM with an undo log. */
export class UndoRam {
  readonly bytes: Uint8Array;
  readonly #addresses: number[] = [];
  readonly #oldBytes: number[] = [];

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Stores one byte. */
  write(addr: number, value: number): void {
    this.#addresses.push(addr);
    this.#oldBytes.push(this.bytes[addr]);
    this.bytes[addr] = value;
  }

  /** Addresses stored to since the last {@link undo}, in order, with repetitions. */
  get written(): readonly number[] {
    return this.#addresses;
  }

  /** Takes all stores back, the last one first. */
  undo(): void {
    for (let i = this.#addresses.length - 1; i >= 0; i--) this.bytes[this.#addresses[i]] = this.#oldBytes[i];
    this.#addresses.length = 0;
    this.#oldBytes.length = 0;
  }
}
