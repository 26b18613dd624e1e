/**
 * The text of events that come again and again, as the bytes that go out: a loop of port accesses has the same few, and only their times
 * differ.
 */

const SLOTS = 64;

const NOTHING = new Uint8Array(0);
const encoder = new TextEncoder();

/** UTF-8. */
export const encodeText = (text: string): Uint8Array => encoder.encode(text);

interface Slot {
  a: number;
  b: number;
  c: number;
  d: number;
  name: string;
  text: Uint8Array;
}

/** Texts by four numbers and a name; each slot remembers one. */
export class TextMemo {
  readonly #slots: Slot[] = Array.from({ length: SLOTS }, () => ({
    a: -1,
    b: -1,
    c: -1,
    d: -1,
    name: '',
    text: NOTHING,
  }));

  /** What {@link set} has put under these, or no bytes. */
  get(a: number, b: number, c: number, d: number, name: string): Uint8Array {
    const slot = this.#slots[(a ^ (b << 2)) & (SLOTS - 1)];
    return slot.a === a && slot.b === b && slot.c === c && slot.d === d && slot.name === name
      ? slot.text
      : NOTHING;
  }

  /** @returns `text` in UTF-8. */
  set(a: number, b: number, c: number, d: number, name: string, text: string): Uint8Array {
    const slot = this.#slots[(a ^ (b << 2)) & (SLOTS - 1)];
    slot.a = a;
    slot.b = b;
    slot.c = c;
    slot.d = d;
    slot.name = name;
    slot.text = encodeText(text);
    return slot.text;
  }
}
