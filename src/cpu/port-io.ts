/**
 * IN, OUT, INS, OUTS: the processor's part. Permission is checked here (before the VM exit), then the instruction leaves
 * with its exit information; everything else is the exit handler's.
 *
 * Intel SDM vol. 3C, “Instructions That Cause VM Exits Unconditionally or Conditionally”, “Exit Qualification for I/O
 * Instructions”.
 */
import { type Insn, SEG_ES } from '../decoder/insn.ts';
import {
  EXIT_REASON_IO_INSTRUCTION,
  INSTR_INFO_ADDR_SIZE_SHIFT,
  INSTR_INFO_SEGMENT_SHIFT,
  IO_QUAL_IMM,
  IO_QUAL_IN,
  IO_QUAL_PORT_SHIFT,
  IO_QUAL_SIZE_MASK,
  IO_QUAL_STRING,
  type IoExitQualification,
  ioQualPort,
  ioQualSize,
} from '../uapi/vmx.ts';
import { raise } from './access.ts';
import { NO_EXIT } from './boundary.ts';
import type { Cpu } from './cpu.ts';
import { INLINE_DONE, INLINE_EXIT, type InlinePortIo, inlinePortIo, outputOf } from './inline-port-io.ts';
import { portAccessIsFree, portAllowed } from './io-permission.ts';
import { nativePortIo } from './native-port-io.ts';
import { DX, EDI, ESI, GP_VECTOR } from './registers.ts';

/** `Cpu.shortIo`, which holds as long as nothing asks for attention. */
export function shortIoOf(cpu: Cpu): InlinePortIo | null {
  return cpu.ioIntercept === null && cpu.mmio === null && cpu.debug.armed === 0 ? cpu.inlineIo : null;
}

/** {@link portIoExit}: no exit was needed. The result (INLINE_*) is added to it. */
export const INLINE_IO = -16;
/** The usual one. */
export const INLINE_IO_DONE = INLINE_IO + INLINE_DONE;

/**
 * IN, OUT, INS or OUTS. What needs no exit and no look at a bit map is short enough for V8 to see through.
 *
 * @param remaining ticks left of this `runGuest`; 0 while each instruction must come back (a trap, a shadow).
 * @returns EXIT_REASON_IO_INSTRUCTION, NO_EXIT with #GP(0) raised or the instruction done, NATIVE_REPEAT, or INLINE_IO plus
 * what has been done (INLINE_*).
 */
export function portIoExit(cpu: Cpu, insn: Insn, remaining: number): number {
  const io = cpu.shortIo;
  if (io === null || remaining === 0 || (insn.ioQual & IO_QUAL_STRING) !== 0 || !portAccessIsFree(cpu))
    return checkedPortIo(cpu, insn, remaining);
  const { ioQual } = insn;
  const port = (ioQual & IO_QUAL_IMM) !== 0 ? ioQual >>> IO_QUAL_PORT_SHIFT : cpu.r16[DX];
  const size = (ioQual & IO_QUAL_SIZE_MASK) + 1;
  const result =
    (ioQual & IO_QUAL_IN) !== 0
      ? io.input(port, size, remaining)
      : io.output(port, size, outputOf(cpu, size), remaining);
  return result === INLINE_EXIT ? checkedPortIo(cpu, insn, 0) : INLINE_IO + result;
}

/** The same with everything that may be in the way. @param remaining 0: no try without an exit (any more). */
function checkedPortIo(cpu: Cpu, insn: Insn, remaining: number): number {
  let qual = insn.ioQual;
  if ((qual & IO_QUAL_IMM) === 0) qual |= cpu.r16[DX] << IO_QUAL_PORT_SHIFT;
  const io = cpu.ioIntercept;
  const isNative = io !== null && !io.exits(ioQualPort(qual), ioQualSize(qual));
  if ((cpu.emulatedHost === 0 || isNative) && !portAllowed(cpu, ioQualPort(qual), ioQualSize(qual))) {
    raise(cpu, GP_VECTOR, 0);
    return NO_EXIT;
  }
  if (isNative) return nativePortIo(cpu, io, insn, qual, ioQualPort(qual), ioQualSize(qual));
  if (cpu.inlineIo !== null && remaining !== 0 && cpu.debug.armed === 0 && cpu.mmio === null) {
    const result = inlinePortIo(cpu, cpu.inlineIo, insn, qual, remaining);
    if (result !== INLINE_EXIT) return INLINE_IO + result;
  }
  return leaveForPortIo(cpu, insn, qual);
}

/** Fills the exit information. */
function leaveForPortIo(cpu: Cpu, insn: Insn, qual: IoExitQualification): number {
  cpu.exitQualification = qual;
  cpu.exitInstructionLength = insn.len;
  cpu.exitInsn = insn;
  if ((qual & IO_QUAL_STRING) !== 0) {
    const isIn = (qual & IO_QUAL_IN) !== 0;
    const seg = isIn ? SEG_ES : insn.seg;
    const offset = cpu.gpr[isIn ? EDI : ESI] & insn.addrMask;
    cpu.exitInstructionInfo =
      ((insn.addrMask === -1 ? 1 : 0) << INSTR_INFO_ADDR_SIZE_SHIFT) | (seg << INSTR_INFO_SEGMENT_SHIFT);
    cpu.exitGuestLinearAddress = (cpu.segBase[seg] + offset) | 0;
  }
  return EXIT_REASON_IO_INSTRUCTION;
}
