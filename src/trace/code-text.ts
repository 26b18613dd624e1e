/**
 * Disassembly of the instruction that a processor stands at, remembered by address as long as its bytes stay.
 */
import { peekLinear } from '../cpu/access.ts';
import type { Cpu } from '../cpu/cpu.ts';
import { disassemble, instructionLength } from '../decoder/disassemble.ts';
import { SEG_CS } from '../decoder/insn.ts';

const MAX_INSTRUCTION = 15;
/** A guest that runs everywhere must not fill the host's memory. */
const MAX_REMEMBERED = 1 << 16;

interface Remembered {
  readonly bytes: Uint8Array;
  readonly text: string;
}

/** Text of the instruction at CS:EIP. */
export class CodeText {
  readonly #cpu: Cpu;
  readonly #known = new Map<number, Remembered>();

  constructor(cpu: Cpu) {
    this.#cpu = cpu;
  }

  /** For example `out dx,al`. */
  current(): string {
    const cpu = this.#cpu;
    const pa = cpu.segBase[SEG_CS] + cpu.eip;
    const key = (pa >>> 0) * 2 + cpu.codeIs32;
    const known = this.#known.get(key);
    if (known !== undefined && this.#holds(pa, known.bytes)) return known.text;
    return this.#remember(key, pa);
  }

  #holds(pa: number, bytes: Uint8Array): boolean {
    for (let i = 0; i < bytes.length; i++) if (this.#byteAt(pa + i) !== bytes[i]) return false;
    return true;
  }

  #byteAt(linear: number): number {
    const byte = peekLinear(this.#cpu, linear);
    return byte < 0 ? 0xff : byte;
  }

  #remember(key: number, pa: number): string {
    const window = new Uint8Array(MAX_INSTRUCTION);
    for (let i = 0; i < MAX_INSTRUCTION; i++) window[i] = this.#byteAt(pa + i);
    const bitness = this.#cpu.codeIs32 === 1 ? 32 : 16;
    const text = disassemble(window, bitness, this.#cpu.eip);
    const bytes = window.slice(0, instructionLength(window, bitness) || MAX_INSTRUCTION);
    if (this.#known.size >= MAX_REMEMBERED) this.#known.clear();
    this.#known.set(key, { bytes, text });
    return text;
  }
}
