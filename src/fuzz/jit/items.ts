/**
 * Random instructions for programs that two engines run (twins.ts): arithmetic, memory, stack, strings, port I/O, jumps forward
 * and back, calls, stores into the program itself.
 */
import type { Prng } from '../prng.ts';
import { CODE, DATA } from '../random-code-layout.ts';

/** One instruction; with `to`, a jump or call to the item of that number. */
export interface EngineItem {
  readonly bytes: readonly number[];
  readonly to?: number;
}

const PAGE_SIZE = 0x1000;
const CALL = 0xe8;
const JMP_NEAR = 0xe9;
const JCC_NEAR = 0x0f;
/** Jumps go so many items at most. */
const NEAR = 14;

const PORTS = [
  0x20, 0x21, 0xa0, 0xa1, 0x40, 0x40, 0x41, 0x42, 0x43, 0x61, 0x80, 0x80, 0xe9, 0x70, 0x71, 0x3f9, 0x3fd,
  0x300,
];
const SHORT_PORTS = [0x20, 0x21, 0xa1, 0x40, 0x40, 0x42, 0x43, 0x61, 0x80, 0xe9, 0x70, 0x71, 0x99];
/** Ports of which some bytes reset the machine or close A20: rarely. */
const WILD_PORTS = [0x92, 0x64, 0x60, 0x3f8, 0xf4];
/** Written to 0x43 these latch, read back or start a count. */
const PIT_COMMANDS = [0x00, 0x04, 0x34, 0x36, 0xc2, 0xd2, 0x10, 0xb0];

const SINGLES: readonly (readonly number[])[] = [
  ...[[0xf8], [0xf9], [0xf5], [0xfc], [0xfd], [0x98], [0x99], [0x90], [0x27], [0x2f], [0x37], [0x3f]],
  ...[[0x9f], [0x9e], [0xd7], [0x9c], [0xfa], [0xfb], [0xfb], [0xd6], [0x60], [0x61], [0xc9], [0xd4, 10]],
  ...[[0xd5, 10], [0x06], [0x1e], [0x16], [0x0f, 0x31], [0x9d], [0xcc], [0xf4], [0x0f, 0xa2], [0x07], [0x1f]],
];
const TWO_BYTE = [
  ...[0xb6, 0xb7, 0xbe, 0xbf, 0x90, 0x94, 0x9c, 0x92, 0x97, 0xa3, 0xab, 0xb3, 0xbb, 0xaf, 0x44, 0x4c, 0x42],
  ...[0xbc, 0xbd, 0xc0, 0xc1, 0xb0, 0xb1],
];

/** Makes the items of programs and the values of their registers. */
export class ItemMaker {
  readonly #random: Prng;
  readonly #is32: boolean;
  readonly #offset: number;

  /** @param offset where the program begins in its page. */
  constructor(random: Prng, is32: boolean, offset: number) {
    this.#random = random;
    this.#is32 = is32;
    this.#offset = offset;
  }

  /** A start value of register `n`: most point to data. */
  register(n: number): number {
    const random = this.#random;
    const flat = this.#is32;
    if (n === 4) return 0x8000 + 2 * random.below(32);
    if (n === 1 && !random.oneIn(4)) return 1 + random.below(60);
    if (n < 3 || random.oneIn(8)) return random.next() | 0;
    if (random.oneIn(6)) {
      return (
        (flat ? CODE : 0) +
        (random.oneIn(2) ? this.#offset + random.below(256) : random.below(PAGE_SIZE + 64))
      );
    }
    if (random.oneIn(8)) return (flat ? DATA : 0) + 0xffe + random.below(4);
    return (flat ? DATA : 0) + random.below(0x3000);
  }

  /** Item `i` of `count`. */
  item(i: number, count: number): EngineItem {
    const random = this.#random;
    switch (random.below(19)) {
      case 0:
      case 1:
      case 2:
        return { bytes: this.#alu() };
      case 3:
        return { bytes: this.#aluImmediate() };
      case 4:
        return { bytes: this.#incDec() };
      case 5:
      case 6:
        return { bytes: this.#mov() };
      case 7:
        return { bytes: this.#shiftOrUnary() };
      case 8:
        return { bytes: random.oneIn(3) ? this.#stack() : this.#twoByte() };
      case 9:
        return { bytes: random.oneIn(2) ? random.pick(SINGLES) : this.#string() };
      case 10:
        return { bytes: this.#portIo() };
      case 11:
        return { bytes: this.#pointer() };
      case 12:
        return { bytes: random.oneIn(3) ? this.#indirect() : this.#lea() };
      default:
        return this.#jump(i, count);
    }
  }

  #jump(i: number, count: number): EngineItem {
    const random = this.#random;
    // Short jumps reach no further than so many instructions.
    const to = Math.min(Math.max(i - NEAR + random.below(2 * NEAR), 0), count - 1);
    const kind = random.below(24);
    if (kind < 16)
      return random.oneIn(8) ? { bytes: [JCC_NEAR, 0x80 + kind], to } : { bytes: [0x70 + kind], to };
    if (kind < 20) return { bytes: [0xe0 + (kind & 3)], to };
    if (kind === 20) return { bytes: [CALL], to };
    return kind === 21
      ? { bytes: random.oneIn(2) ? [0xc3] : [0xc2, 2 * random.below(3), 0] }
      : { bytes: [random.oneIn(4) ? JMP_NEAR : 0xeb], to };
  }

  #size(): number[] {
    const random = this.#random;
    return [
      ...(random.oneIn(4) ? [0x66] : []),
      ...(random.oneIn(24) ? [random.pick([0x26, 0x2e, 0x36, 0x3e])] : []),
    ];
  }

  /** ModRM and what follows, with `reg` in the middle; the destination is more often EAX, ECX, EDX than a pointer. */
  #modrm(reg: number): number[] {
    const random = this.#random;
    const middle = reg << 3;
    if (random.below(5) < 3) return [0xc0 | middle | (random.oneIn(4) ? random.below(8) : random.below(3))];
    const rm = random.pick(this.#is32 ? [3, 5, 6, 7, 3, 6, 7, 4, 0] : [4, 5, 7, 7, 4, 6, 0, 3]);
    const mod = random.below(8) === 0 ? 2 : 1;
    const sib = this.#is32 && rm === 4 ? [random.pick([0x23, 0x26, 0x24, 0x33, 0x0b])] : [];
    const disp =
      mod === 1
        ? [random.below(256)]
        : this.#is32
          ? [random.below(256), random.below(4), 0, 0]
          : [random.below(256), random.below(4)];
    const is0 = mod === 1 && random.oneIn(2) && rm !== 5 && rm !== 6;
    return is0 ? [middle | rm, ...sib] : [(mod << 6) | middle | rm, ...sib, ...disp];
  }

  #target(): number {
    const random = this.#random;
    return random.oneIn(3) ? random.below(8) : random.below(3);
  }

  #alu(): number[] {
    const random = this.#random;
    const op = (random.below(8) << 3) | random.below(4);
    return [...this.#size(), op, ...this.#modrm(this.#target())];
  }

  #aluImmediate(): number[] {
    const random = this.#random;
    const op = random.pick([0x80, 0x83]);
    return [...this.#size(), op, ...this.#modrm(random.below(8)), random.below(256)];
  }

  #incDec(): number[] {
    const random = this.#random;
    if (random.oneIn(3)) return [...this.#size(), random.pick([0xfe, 0xff]), ...this.#modrm(random.below(2))];
    return [...this.#size(), 0x40 + random.below(16)];
  }

  #mov(): number[] {
    const random = this.#random;
    if (random.oneIn(4)) return [0xb0 + random.below(8), random.below(256)];
    const op = random.pick([0x88, 0x89, 0x8a, 0x8b, 0x89, 0x8b, 0x86, 0x87, 0x84, 0x85]);
    return [...this.#size(), op, ...this.#modrm(this.#target())];
  }

  #shiftOrUnary(): number[] {
    const random = this.#random;
    if (random.oneIn(3)) {
      const op = random.pick([0xf6, 0xf7]);
      return [...this.#size(), op, ...this.#modrm(2 + random.below(6))];
    }
    const op = random.pick([0xc0, 0xc1, 0xd0, 0xd1, 0xd2, 0xd3]);
    return [...this.#size(), op, ...this.#modrm(random.below(8)), ...(op < 0xd0 ? [random.below(34)] : [])];
  }

  #stack(): number[] {
    const random = this.#random;
    if (random.oneIn(6)) return [0x6a, random.below(256)];
    const op = 0x50 + random.below(16);
    // POP ESP leads nowhere.
    return [...this.#size(), op === 0x5c ? 0x58 : op];
  }

  #twoByte(): number[] {
    const random = this.#random;
    if (random.oneIn(8)) return [0x0f, 0xc8 + random.below(8)];
    if (random.oneIn(6))
      return [...this.#size(), 0x0f, 0xba, ...this.#modrm(4 + random.below(4)), random.below(32)];
    if (random.oneIn(6))
      return [
        ...this.#size(),
        0x0f,
        random.pick([0xa4, 0xac]),
        ...this.#modrm(this.#target()),
        random.below(33),
      ];
    return [...this.#size(), 0x0f, random.pick(TWO_BYTE), ...this.#modrm(this.#target())];
  }

  #string(): number[] {
    const random = this.#random;
    const rep = random.pick<number[]>([[], [0xf3], [0xf2]]);
    return [...rep, ...this.#size(), random.pick([0xa4, 0xa5, 0xaa, 0xab, 0xac, 0xad, 0xa6, 0xae, 0xaf])];
  }

  #portIo(): number[] {
    const random = this.#random;
    const port = random.oneIn(24) ? random.pick(WILD_PORTS) : random.pick(PORTS);
    switch (random.below(8)) {
      case 0:
        return [0xb0, random.pick(PIT_COMMANDS), 0xe6, 0x43];
      case 1:
        return [0xb0, 0x20, 0xe6, 0x20];
      case 2:
        return [...this.#movImmediate(2, port), random.pick([0xec, 0xed, 0xee, 0xef])];
      case 3:
        return [
          ...this.#movImmediate(2, port),
          ...random.pick<number[]>([[], [0xf3]]),
          0x6c + random.below(4),
        ];
      case 4:
        return [random.oneIn(3) ? 0xe5 : 0xe4, random.pick(SHORT_PORTS)];
      case 5:
        return [random.oneIn(4) ? 0xe7 : 0xe6, random.pick([0x80, 0xe9, 0x61, 0x80, 0x40, 0x42])];
      case 6:
        return [random.pick([0xec, 0xed, 0xee, 0xef, 0xee])];
      default:
        return [...this.#size(), random.pick([0xe5, 0xe4]), random.pick(SHORT_PORTS)];
    }
  }

  #movImmediate(reg: number, value: number): number[] {
    const low = [0xb8 + reg, value & 0xff, (value >>> 8) & 0xff];
    return this.#is32 ? [...low, (value >>> 16) & 0xff, value >>> 24] : low;
  }

  /** A pointer register, or the counter, starts anew. */
  #pointer(): number[] {
    const random = this.#random;
    if (random.oneIn(4)) return this.#movImmediate(1, 1 + random.below(40));
    const reg = random.pick([3, 5, 6, 7]);
    return this.#movImmediate(reg, this.register(reg) & (this.#is32 ? 0xf_ffff : 0xffff));
  }

  #lea(): number[] {
    const modrm = this.#modrm(this.#target());
    return modrm[0] >= 0xc0 ? [0x90] : [0x8d, ...modrm];
  }

  /** CALL, JMP or PUSH through a register or memory, MOV to and from a segment register, POP to memory. */
  #indirect(): number[] {
    const random = this.#random;
    switch (random.below(4)) {
      case 0:
        return [0xff, ...this.#modrm(random.pick([2, 4, 6]))];
      case 1:
        return [0x8c, ...this.#modrm(random.below(4))];
      case 2:
        return [0x8f, ...this.#modrm(0)];
      default:
        return [0x8e, ...this.#modrm(random.pick([0, 2, 3, 3]))];
    }
  }
}

/** Offsets of the items, and behind the last of the end. */
export function itemOffsets(items: readonly EngineItem[], is32: boolean): number[] {
  const at = [0];
  for (const item of items) at.push(at[at.length - 1] + lengthOf(item, is32));
  return at;
}

function lengthOf({ bytes, to }: EngineItem, is32: boolean): number {
  if (to === undefined) return bytes.length;
  return bytes.length + (isNear(bytes) ? (is32 ? 4 : 2) : 1);
}

function isNear([opcode]: readonly number[]): boolean {
  return opcode === CALL || opcode === JMP_NEAR || opcode === JCC_NEAR;
}

/** The bytes of a program, jumps put in; a short one that does not reach becomes two NOPs. */
export function assembleItems(items: readonly EngineItem[], is32: boolean): number[] {
  const at = itemOffsets(items, is32);
  return items.flatMap(({ bytes, to }, i) => {
    if (to === undefined) return [...bytes];
    const by = at[to % items.length] - at[i + 1];
    if (isNear(bytes)) {
      return [...bytes, ...Array.from({ length: is32 ? 4 : 2 }, (_, n) => (by >> (8 * n)) & 0xff)];
    }
    return by >= -128 && by <= 127 ? [...bytes, by & 0xff] : [0x90, 0x90];
  });
}

/** Items where basic blocks begin: the first, the targets of jumps, what follows a jump. */
export function leadersOf(items: readonly EngineItem[]): number[] {
  const leaders = new Set([0]);
  for (const [i, { to }] of items.entries()) {
    if (to === undefined) continue;
    leaders.add(to % items.length);
    if (i + 1 < items.length) leaders.add(i + 1);
  }
  return [...leaders].sort((a, b) => a - b);
}
