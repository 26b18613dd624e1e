/**
 * The text of one function while it grows: which registers, segments and objects it uses, fresh names, and the pieces that every
 * template is made of.
 *
 * Names in generated code: `r0`–`r7` guest registers (int32), `w0`–`w7` the low words of those whose upper half the function never
 * touches, `fr` and `fa` the lazy flags (cpu/flags.ts), `left` the ticks left,
 * `base<n>` segment bases, `bound<n>` segment bounds (index of `Cpu.segBound`), `tlb`, `ram`, `view`.
 */
import type { InlinePortIo } from '../cpu/inline-port-io.ts';
import { PAGE_SIZE } from '../cpu/memory.ts';
import type { Insn } from '../decoder/insn.ts';
import { REG_ZERO, REG8_ZERO, REG16_ZERO } from '../decoder/insn.ts';

/** Text that stands for “registers to the arrays” and “registers from the arrays” until all that are used are known. */
export const SAVE = '/*save*/';
export const LOAD = '/*load*/';

/** Text that stands for “whoever was called may have changed where pages lead”. */
export const FORGET_PAGES = '/*pages*/';
/** Accesses of one function that remember their page: beyond it the variables cost more than they save. */
const MAX_PAGE_MEMOS = 6;

/** No address is that, whatever is left of its offset to tell whether it is aligned. */
export const NO_PAGE = 0x800;

/** What is known of the flags at this point of a block, so that a condition need not be worked out of `fr` and `fa`. */
export interface KnownFlags {
  readonly kind: 'add' | 'sub' | 'logic' | 'shift' | 'other';
  /** Operands of an addition or subtraction, as text, zero-extended, and its size; of a logical operation `a` is the result; `a` of a shift is CF, 0 or 1. */
  readonly a: string;
  readonly b: string;
  readonly size: number;
}

/** Where port accesses go, as far as it is known beforehand. */
export interface Ports {
  /** The vCPU's port I/O, or null: then every access is a call of what `Cpu.inlineIo` is at run time. */
  readonly io: InlinePortIo | null;
  /** What DX holds as the function is made: a guess at the port of accesses by DX. */
  readonly dx: number;
}

/** A segment as the function finds it, for functions that hold only while it stays so. */
export interface KnownSegments {
  readonly base: Int32Array;
  /** As `Cpu.segBound`. */
  readonly bound: Int32Array;
}

/** One function in the making. */
export class Emitter {
  readonly ports: Ports;
  /** Bits of the registers that are kept as words. */
  readonly #words: number;
  readonly #known: KnownSegments | null;
  /** Bits of the segments, and indices of the bounds, whose present values the text relies on. */
  assumedSegments = 0;
  readonly assumedBounds = new Set<number>();
  readonly lines: string[] = [];
  /** Bits of the registers that are used, and of those that have been written since somebody set this to 0. */
  used = 0;
  written = 0;
  /** Bits of the registers whose upper half is touched. */
  wide = 0;
  readonly segments = new Set<number>();
  readonly bounds = new Set<number>();
  /** Objects that the text refers to as `o0`, `o1` … */
  readonly objects: unknown[] = [];
  /** Whether accesses shall remember their page here. */
  remembersPages = false;
  /** Variables with the page of an access, {@link NO_PAGE} at first. */
  readonly pageMemos: string[] = [];
  flags: KnownFlags | null = null;
  #names = 0;

  /**
   * @param words bits of the registers that are kept as words: none of them may be used by {@link reg}.
   * @param known segments to rely on, or null to read them at the entry.
   */
  constructor(ports: Ports, words: number, known: KnownSegments | null) {
    this.ports = ports;
    this.#words = words;
    this.#known = known;
  }

  line(text: string): void {
    this.lines.push(text);
  }

  /** A fresh name. */
  name(prefix: string): string {
    return `${prefix}${this.#names++}`;
  }

  /** Refers to an object. @returns its name. */
  object(value: unknown): string {
    const at = this.objects.indexOf(value);
    if (at >= 0) return `o${at}`;
    this.objects.push(value);
    return `o${this.objects.length - 1}`;
  }

  /** A general register as int32. */
  reg(n: number): string {
    if (n === REG_ZERO) return '0';
    this.used |= 1 << n;
    this.wide |= 1 << n;
    return `r${n}`;
  }

  /** Its variable, whatever part of it that holds. */
  variable(n: number): string {
    this.used |= 1 << n;
    return this.#isWord(n) ? `w${n}` : `r${n}`;
  }

  #isWord(n: number): boolean {
    return ((this.#words >>> n) & 1) !== 0;
  }

  /** The low word of a register, zero-extended. */
  word(n: number): string {
    return this.#isWord(n) ? this.variable(n) : `(${this.variable(n)} & 65535)`;
  }

  /** Text that sets the low word of a register to `value`, which has no bits above it. */
  setWord(n: number, value: string): string {
    const v = this.variable(n);
    return this.#isWord(n) ? `${v} = ${value};` : `${v} = ${v} & -65536 | ${value};`;
  }

  /** Text that brings a register to the array, and back. */
  save(n: number): string {
    const v = this.variable(n);
    return this.#isWord(n) ? `r16[${2 * n}] = ${v};` : `gpr[${n}] = ${v};`;
  }
  load(n: number): string {
    const v = this.variable(n);
    return this.#isWord(n) ? `${v} = r16[${2 * n}];` : `${v} = gpr[${n}];`;
  }

  /** A register read by its index for `size`; bytes and words are zero-extended. */
  read(index: number, size: number): string {
    if (size === 4) return this.reg(index);
    if (size === 2) return index === REG16_ZERO ? '0' : this.word(index >> 1);
    if (index === REG8_ZERO) return '0';
    const r = this.variable(index >> 2);
    return (index & 3) === 0 ? `(${r} & 255)` : `(${r} >>> 8 & 255)`;
  }

  /** Writes a register by its index for `size`; the rest of it stays. */
  write(index: number, size: number, value: string): void {
    const n = size === 4 ? index : size === 2 ? index >> 1 : index >> 2;
    if (n < REG_ZERO) this.written |= 1 << n;
    if (size === 4) {
      const r = this.reg(index);
      if (r !== '0') this.line(`${r} = ${value};`);
      return;
    }
    if (size === 2) {
      this.line(this.setWord(n, `(${value}) & 65535`));
      return;
    }
    const r = this.variable(n);
    if ((index & 3) === 0) this.line(`${r} = ${r} & -256 | (${value}) & 255;`);
    else this.line(`${r} = ${r} & -65281 | ((${value}) & 255) << 8;`);
  }

  /** The source operand of a register form: a register or the immediate (the other one is 0); zero-extended. */
  source(insn: Insn, size: number): string {
    const reg = this.read(insn.src, size);
    const mask = size === 4 ? -1 : size === 2 ? 0xffff : 0xff;
    if (reg === '0') return String(insn.imm & mask);
    if (insn.imm === 0) return reg;
    return size === 4 ? `(${reg} + ${insn.imm} | 0)` : `(${reg} + ${insn.imm} & ${mask})`;
  }

  /** The effective address, cut to the address size. */
  address(insn: Insn): string {
    const isWord = insn.addrMask === 0xffff;
    const part = (n: number): string => (isWord ? this.word(n) : this.reg(n));
    const parts: string[] = [];
    if (insn.base !== REG_ZERO) parts.push(part(insn.base));
    if (insn.index !== REG_ZERO) {
      const index = part(insn.index);
      parts.push(insn.scale === 0 ? index : `(${index} << ${insn.scale})`);
    }
    if (isWord && insn.disp === 0 && insn.scale === 0 && parts.length === 1) return parts[0];
    if (insn.disp !== 0 || parts.length === 0) parts.push(`(${insn.disp})`);
    return insn.addrMask === -1 ? `(${parts.join(' + ')} | 0)` : `(${parts.join(' + ')} & ${insn.addrMask})`;
  }

  /** The variable in which this access remembers its page, or null: it does not. */
  pageMemo(): string | null {
    if (!this.remembersPages || this.pageMemos.length === MAX_PAGE_MEMOS) return null;
    const memo = this.name('pg');
    this.pageMemos.push(memo);
    return memo;
  }

  /** The base of a segment: a name, or its value where the function relies on that. */
  segment(seg: number): string {
    if (this.#known !== null) {
      this.assumedSegments |= 1 << seg;
      return String(this.#known.base[seg]);
    }
    this.segments.add(seg);
    return `base${seg}`;
  }

  /** What `Cpu.segBound` has at `index`: a name. */
  bound(index: number): string {
    this.bounds.add(index);
    return `bound${index}`;
  }

  /**
   * Whether no offset up to `max` can be refused by a bound (an index of `Cpu.segBound`) that is not refused as crossing a page.
   *
   * The last offsets of a segment, where only the first bytes of an access are within, lie at the end of a page if the base lies at
   * the beginning of one.
   */
  isWithinBound(seg: number, index: number, size: number, max: number): boolean {
    if (this.#known === null) return false;
    const bound = (this.#known.bound[index] ^ (1 << 31)) >>> 0;
    const isAligned = size === 1 || this.#known.base[seg] % PAGE_SIZE === 0;
    if (!isAligned || bound < Math.min(max + 1, 0xffffffff) - (size - 1)) return false;
    this.assumedSegments |= 1 << seg;
    this.assumedBounds.add(index);
    return true;
  }
}
