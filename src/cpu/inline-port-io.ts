/**
 * Port I/O that its exit handler does while the guest runs on: the seam between the processor and whoever knows the buses.
 *
 * An exit that nobody observes need not happen. `Cpu.inlineIo` is set while that is so; what it does not take leaves as an
 * exit like any other, and the result is the same but for the time it takes.
 */
import type { Insn } from '../decoder/insn.ts';
import { IO_QUAL_STRING, type IoExitQualification, ioQualIsIn, ioQualPort, ioQualSize } from '../uapi/vmx.ts';
import type { Cpu } from './cpu.ts';

/** Nothing has been done: the instruction leaves as an exit. */
export const INLINE_EXIT = 0;
/** Done: go on behind the instruction. */
export const INLINE_DONE = 1;
/** Done, and something is due: end this `runGuest`. */
export const INLINE_DONE_YIELD = 2;
/** Elements of a REP are done, `Cpu.inlineTicks` says how many ticks they took: run the instruction again. */
export const INLINE_REPEAT = 3;
/** The same, and end this `runGuest`. */
export const INLINE_REPEAT_YIELD = 4;

/** Who answers accesses of one kind at one port. */
export interface PortSite {
  /**
   * The device; its methods decline as those of a bus device do ({@link InlinePortIo} then knows what comes next). `write` takes
   * an unsigned value.
   */
  readonly device: {
    read(port: number, size: number): number;
    write(port: number, size: number, value: number): boolean;
  };
  /** Whether it is userspace's. */
  readonly isUserspace: boolean;
}

/** Does the work of port I/O exits. Times are given as the ticks left of this `runGuest` before the instruction. */
export interface InlinePortIo {
  /** IN into the low bytes of EAX. @returns INLINE_EXIT, INLINE_DONE or INLINE_DONE_YIELD. */
  input(port: number, size: number, remaining: number): number;
  /** OUT; `value` is unsigned and has no bits beyond `size` bytes. */
  output(port: number, size: number, value: number, remaining: number): number;
  /** The device that is asked first, and how long that stays true; null when nothing is known. */
  site(port: number, size: number): PortSite | null;
  /** What {@link site} has said holds as long as `generation` of this stays the same; so does the board behind the bus. */
  readonly sites: { readonly generation: number };
  /** Whose `ticks` a device sees: set to the time of an access before it. */
  readonly clock: { ticks: number };
  /** What {@link output} does when the device of {@link site} has declined. @returns INLINE_*. */
  outputDeclined(port: number, size: number, value: number): number;
  /** What {@link input} does with what the device of {@link site} has answered. @returns INLINE_*. */
  inputDone(port: number, size: number, read: number): number;
  /** INS, OUTS and their REP forms: as many elements as can be done at once. @returns INLINE_*. */
  string(insn: Insn, isIn: boolean, port: number, size: number, remaining: number): number;
}

/** What OUT of `size` bytes puts out: AL, AX or EAX, unsigned. */
export function outputOf(cpu: Cpu, size: number): number {
  return (cpu.gpr[0] & (-1 >>> (32 - 8 * size))) >>> 0;
}

/** One instruction, permission checked. @returns INLINE_*. */
export function inlinePortIo(
  cpu: Cpu,
  io: InlinePortIo,
  insn: Insn,
  qual: IoExitQualification,
  remaining: number,
): number {
  const port = ioQualPort(qual);
  const size = ioQualSize(qual);
  const isIn = ioQualIsIn(qual);
  if ((qual & IO_QUAL_STRING) !== 0) return io.string(insn, isIn, port, size, remaining);
  return isIn ? io.input(port, size, remaining) : io.output(port, size, outputOf(cpu, size), remaining);
}
