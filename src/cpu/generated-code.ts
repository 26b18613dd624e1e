/**
 * The seam of the second engine: where the interpreter offers a place to generated code (src/jit) and how it enters it.
 *
 * A place is a *head* of the decode cache: an instruction that many jumps lead to. Its slot among the page's instructions stays
 * empty, so the interpreter comes to fetch.ts each time it gets there, and the hot loop pays nothing for the question.
 */
import type { CodePage, Head } from '../decoder/decode-cache.ts';
import type { Insn } from '../decoder/insn.ts';
import type { Cpu } from './cpu.ts';

/** An engine that turns hot guest code into functions. */
export interface CodeGenerator {
  /** Every instruction is a head from the moment it is decoded, not only the targets of jumps backwards. */
  readonly wantsAll: boolean;
  /** Ticks that may be taken at the place that the interpreter offers next; 0 while each instruction must come back. */
  budget: number;
  /**
   * The interpreter is at a head. {@link budget} says how many ticks it may run.
   *
   * @param eip EIP; `at` is its offset in the page.
   * @returns what to execute: the head's own instruction, or one with `Op.Generated` that stands for {@link run}.
   */
  arrive(cpu: Cpu, page: CodePage, head: Head, eip: number, at: number): Insn;
  /**
   * Runs what {@link arrive} has chosen, from `cpu.eip` on. Registers, flags and EIP are as after the same number of interpreted
   * instructions; `cpu.fault` is set at the instruction that faults, which counts as a tick.
   *
   * @param left ticks it may take.
   * @returns ticks left.
   */
  run(cpu: Cpu, left: number): number;
  /** Called before each `runGuest`, with the ticks of the one before: what rests may wake. */
  timePasses(ticks: number): void;
}

/** `Cpu.generatedYield`: end this `runGuest`, something is due. */
export const GENERATED_YIELD = 1;
