/**
 * The text of events that come again and again: a loop of port accesses has the same few, and only their times differ.
 */

const SLOTS = 64;

interface Slot {
  a: number;
  b: number;
  c: number;
  d: number;
  name: string;
  text: string;
}

/** Texts by four numbers and a name; each slot remembers one. */
export class TextMemo {
  readonly #slots: Slot[] = Array.from({ length: SLOTS }, () => ({
    a: -1,
    b: -1,
    c: -1,
    d: -1,
    name: '',
    text: '',
  }));

  /** What {@link set} has put under these, or the empty string. */
  get(a: number, b: number, c: number, d: number, name: string): string {
    const slot = this.#slots[(a ^ (b << 2)) & (SLOTS - 1)];
    return slot.a === a && slot.b === b && slot.c === c && slot.d === d && slot.name === name
      ? slot.text
      : '';
  }

  /** @returns `text`. */
  set(a: number, b: number, c: number, d: number, name: string, text: string): string {
    const slot = this.#slots[(a ^ (b << 2)) & (SLOTS - 1)];
    slot.a = a;
    slot.b = b;
    slot.c = c;
    slot.d = d;
    slot.name = name;
    slot.text = text;
    return text;
  }
}
