/**
 * The reference model's RAM: remembers what each store replaced, so that a case can be taken back in as many steps
 * as it made stores.
 */

/** RAM with an undo log. */
export class UndoRam {
  readonly bytes: Uint8Array;
  #addresses = new Int32Array(1 << 10);
  #oldBytes = new Uint8Array(1 << 10);
  #count = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Stores one byte. */
  write(addr: number, value: number): void {
    if (this.#count === this.#addresses.length) this.#grow();
    this.#addresses[this.#count] = addr;
    this.#oldBytes[this.#count++] = this.bytes[addr];
    this.bytes[addr] = value;
  }

  /** Stores since the last {@link undo}. */
  get count(): number {
    return this.#count;
  }

  /** Where store number `i` went. */
  address(i: number): number {
    return this.#addresses[i];
  }

  /** Takes all stores back, the last one first. */
  undo(): void {
    for (let i = this.#count - 1; i >= 0; i--) this.bytes[this.#addresses[i]] = this.#oldBytes[i];
    this.#count = 0;
  }

  #grow(): void {
    const addresses = new Int32Array(2 * this.#count);
    addresses.set(this.#addresses);
    this.#addresses = addresses;
    const oldBytes = new Uint8Array(2 * this.#count);
    oldBytes.set(this.#oldBytes);
    this.#oldBytes = oldBytes;
  }
}
