/**
 * Guest RAM under judgement: loads a case, finds every byte that a guest stored where it should not have, and puts
 * back what was there, in microseconds.
 *
 * Three copies are kept: the guest's RAM, what it should be after the case, and the background that each case starts
 * from. The guest's stores clear `PAGE_CLEAN`, so only pages that somebody touched are compared; {@link
 * JudgedMemory.audit} compares all of them and so catches a store that did not mark its page.
 */
import { type GuestMemory, PAGE_CLEAN, PAGE_HAS_CODE, PAGE_SHIFT, PAGE_SIZE } from '../cpu/memory.ts';
import { EmulatorError } from '../errors.ts';
import { type CaseDiff, hex } from './case-diff.ts';

/** RAM from physical address 0 (the direct window) with an opinion. */
export class JudgedMemory {
  readonly memory: GuestMemory;
  readonly #background: Uint8Array;
  readonly #expected: Uint8Array;
  readonly #pages: number;
  /** 1 for each page that the case's setup or its expectation touches. */
  readonly #touched: Uint8Array;

  constructor(memory: GuestMemory) {
    this.memory = memory;
    this.#background = memory.ram.slice();
    this.#expected = memory.ram.slice();
    this.#pages = memory.ram.length >>> PAGE_SHIFT;
    this.#touched = new Uint8Array(this.#pages);
  }

  /** Makes what RAM holds now the background of the following cases. */
  rebase(): void {
    const { ram, code } = this.memory;
    this.#background.set(ram);
    this.#expected.set(ram);
    code?.invalidatePages(0, ram.length);
  }

  /** One byte of the state before the case. */
  load(addr: number, value: number): void {
    this.#touch(addr);
    this.memory.writeByte(addr, value);
    this.#expected[addr] = value;
  }

  /** Some bytes of the state before the case. */
  loadBytes(addr: number, bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) this.load(addr + i, bytes[i]);
  }

  /** The case starts: from here on every store is the guest's. */
  arm(): void {
    this.memory.restrict(0, this.#pages, PAGE_CLEAN);
  }

  /** One byte of the state after the case. */
  expect(addr: number, value: number): void {
    this.#touch(addr);
    this.#expected[addr] = value;
  }

  /** After the case: of this byte only the bits in `mask` are compared. */
  undefinedBits(addr: number, mask: number): void {
    this.#touch(addr);
    this.#expected[addr] = (this.#expected[addr] & mask) | (this.memory.ram[addr] & ~mask);
  }

  /** Writes every byte that is not as expected into `diff`. */
  compare(diff: CaseDiff): void {
    for (let page = 0; page < this.#pages; page++) if (this.#isInvolved(page)) this.#comparePage(page, diff);
  }

  /** Puts the background back, ready for the next case. */
  restore(): void {
    for (let page = 0; page < this.#pages; page++) {
      if (!this.#isInvolved(page)) continue;
      const at = page << PAGE_SHIFT;
      const background = this.#background.subarray(at, at + PAGE_SIZE);
      this.#expected.set(background, at);
      this.#touched[page] = 0;
      this.#restorePage(at, background);
    }
  }

  /**
   * Between cases: compares all of RAM with the background.
   * @returns the address of a store that did not mark its page as written, or −1.
   */
  audit(): number {
    const { ram } = this.memory;
    if (Buffer.compare(ram, this.#background) === 0) return -1;
    return ram.findIndex((byte, i) => byte !== this.#background[i]);
  }

  #isInvolved(page: number): boolean {
    return (this.memory.pageFlags[page] & PAGE_CLEAN) === 0 || this.#touched[page] !== 0;
  }

  #comparePage(page: number, diff: CaseDiff): void {
    const start = page << PAGE_SHIFT;
    const end = start + PAGE_SIZE;
    const { ram } = this.memory;
    if (Buffer.compare(ram.subarray(start, end), this.#expected.subarray(start, end)) === 0) return;
    for (let at = start; at < end; at++) diff.number(`mem ${hex(at, 5)}`, this.#expected[at], ram[at], 2);
  }

  /** Where there is code only what differs is written, as one run: decoded code elsewhere in the page stays. */
  #restorePage(at: number, background: Uint8Array): void {
    const { ram, code, pageFlags } = this.memory;
    if ((pageFlags[at >>> PAGE_SHIFT] & PAGE_HAS_CODE) === 0) {
      ram.set(background, at);
      return;
    }
    let first = 0;
    while (first < PAGE_SIZE && ram[at + first] === background[first]) first++;
    if (first === PAGE_SIZE) return;
    let last = PAGE_SIZE - 1;
    while (ram[at + last] === background[last]) last--;
    ram.set(background.subarray(first, last + 1), at + first);
    code?.invalidate(at + first, last - first + 1);
  }

  #touch(addr: number): void {
    const page = addr >>> PAGE_SHIFT;
    if (page >= this.#pages)
      throw new EmulatorError('E_VECTOR', `address ${hex(addr, 6)} is outside this format's RAM`);
    this.#touched[page] = 1;
  }
}
