/**
 * The text of one function while it grows: which registers, segments and objects it uses, fresh names, and the pieces that every
 * template is made of.
 *
 * Names in generated code: `r0`–`r7` guest registers (int32), `fr` and `fa` the lazy flags (cpu/flags.ts), `left` the ticks left,
 * `base<n>` segment bases, `bound<n>` segment bounds (index of `Cpu.segBound`), `tlb`, `ram`, `view`.
 */
import type { InlinePortIo } from '../cpu/inline-port-io.ts';
import type { Insn } from '../decoder/insn.ts';
import { REG_ZERO, REG8_ZERO, REG16_ZERO } from '../decoder/insn.ts';

/** Text that stands for “registers to the arrays” and “registers from the arrays” until all that are used are known. */
export const SAVE = '/*save*/';
export const LOAD = '/*load*/';

/** What is known of the flags at this point of a block, so that a condition need not be worked out of `fr` and `fa`. */
export interface KnownFlags {
  readonly kind: 'add' | 'sub' | 'logic' | 'shift' | 'other';
  /** Operands of an addition or subtraction, as text, and its size; of a logical operation `a` is the result; `a` of a shift is CF, 0 or 1. */
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

/** One function in the making. */
export class Emitter {
  readonly ports: Ports;
  readonly lines: string[] = [];
  /** Bits of the registers that are used, and of those that have been written since somebody set this to 0. */
  used = 0;
  written = 0;
  readonly segments = new Set<number>();
  readonly bounds = new Set<number>();
  /** Objects that the text refers to as `o0`, `o1` … */
  readonly objects: unknown[] = [];
  usesMemory = false;
  flags: KnownFlags | null = null;
  #names = 0;

  constructor(ports: Ports) {
    this.ports = ports;
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
    return `r${n}`;
  }

  /** A register read by its index for `size`; bytes and words are zero-extended. */
  read(index: number, size: number): string {
    if (size === 4) return this.reg(index);
    if (size === 2) return index === REG16_ZERO ? '0' : `(${this.reg(index >> 1)} & 65535)`;
    if (index === REG8_ZERO) return '0';
    const r = this.reg(index >> 2);
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
    const r = this.reg(n);
    if (size === 2) this.line(`${r} = ${r} & -65536 | (${value}) & 65535;`);
    else if ((index & 3) === 0) this.line(`${r} = ${r} & -256 | (${value}) & 255;`);
    else this.line(`${r} = ${r} & -65281 | ((${value}) & 255) << 8;`);
  }

  /** The source operand of a register form: a register or the immediate (the other one is 0). */
  source(insn: Insn, size: number): string {
    const reg = this.read(insn.src, size);
    if (reg === '0') return String(insn.imm);
    return insn.imm === 0 ? reg : `(${reg} + ${insn.imm} | 0)`;
  }

  /** The effective address, cut to the address size. */
  address(insn: Insn): string {
    const parts: string[] = [];
    if (insn.base !== REG_ZERO) parts.push(this.reg(insn.base));
    if (insn.index !== REG_ZERO) {
      const index = this.reg(insn.index);
      parts.push(insn.scale === 0 ? index : `(${index} << ${insn.scale})`);
    }
    if (insn.disp !== 0 || parts.length === 0) parts.push(`(${insn.disp})`);
    return insn.addrMask === -1 ? `(${parts.join(' + ')} | 0)` : `(${parts.join(' + ')} & ${insn.addrMask})`;
  }

  segment(seg: number): string {
    this.segments.add(seg);
    return `base${seg}`;
  }

  bound(index: number): string {
    this.bounds.add(index);
    return `bound${index}`;
  }
}
