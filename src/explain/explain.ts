/**
 * `pio86 explain`: what an I/O instruction, or an exit qualification, means to the processor and to KVM.
 */
import { disassemble } from '../decoder/disassemble.ts';
import { type Insn, REP_NONE } from '../decoder/insn.ts';
import { LOWER_TRUNCATED, lower } from '../decoder/lower.ts';
import { Op } from '../decoder/op.ts';
import { EmulatorError } from '../errors.ts';
import { hexBytes } from '../trace/hex-text.ts';
import {
  EXIT_REASON_IO_INSTRUCTION,
  IO_QUAL_IMM,
  IO_QUAL_PORT_SHIFT,
  IO_QUAL_REP,
  ioQualIsIn,
  ioQualIsString,
  ioQualPort,
  ioQualSize,
} from '../uapi/vmx.ts';
import type { BitField } from './bit-field.ts';
import { instructionInformation, instructionInformationFields } from './instruction-information.ts';
import { explainIoExit, type IoExit, type PortSpan } from './io-exit.ts';
import { kvmNotes } from './kvm-notes.ts';
import { type KvmPath, kvmPath } from './kvm-path.ts';
import { problemsOf, qualificationFields } from './qualification.ts';

/** Version of the shape of {@link Explanation}. */
export const EXPLAIN_SCHEMA_VERSION = 1;

/** Processor modes that decode differently. */
export type ExplainMode = 'real' | 'prot16' | 'prot32';

/** A packed value and its fields. */
export interface ExplainedValue {
  readonly value: number;
  readonly fields: readonly BitField[];
}

/** What is known about an instruction or a qualification. */
export interface Explanation {
  readonly schemaVersion: number;
  /** Only of bytes: the instruction. */
  readonly instruction: {
    readonly bytes: string;
    readonly text: string;
    readonly mode: ExplainMode;
    readonly length: number;
    /** Bytes after the instruction, which were not looked at. */
    readonly rest: string;
  } | null;
  readonly exitReason: number;
  readonly exitQualification: ExplainedValue;
  /** Only of INS and OUTS, from bytes. */
  readonly instructionInformation: ExplainedValue | null;
  /** Whether it exits under the bitmaps that were given; null without any, or when the port is not known. */
  readonly ioExit: IoExit | null;
  readonly path: KvmPath;
  readonly notes: readonly string[];
  /** Undefined or contradictory fields. */
  readonly problems: readonly string[];
}

/** Explains an exit qualification; what is wrong with it is in `problems`. */
export function explainQualification(
  low: number,
  high = 0,
  bitmap: readonly PortSpan[] | null = null,
): Explanation {
  const fields = qualificationFields(low, high);
  const isIn = ioQualIsIn(low);
  const isString = ioQualIsString(low);
  return {
    schemaVersion: EXPLAIN_SCHEMA_VERSION,
    instruction: null,
    exitReason: EXIT_REASON_IO_INSTRUCTION,
    exitQualification: { value: high * 2 ** 32 + (low >>> 0), fields },
    instructionInformation: null,
    ioExit: bitmap === null ? null : explainIoExit(bitmap, ioQualPort(low), ioQualSize(low)),
    path: kvmPath({ isIn, isString }),
    notes: kvmNotes({
      isIn,
      isString,
      isRep: (low & IO_QUAL_REP) !== 0,
      size: ioQualSize(low),
      hasIdleRep: false,
      isProtected: true,
    }),
    problems: problemsOf(fields),
  };
}

function decode(bytes: Uint8Array, mode: ExplainMode): Insn {
  const shown = hexBytes(bytes);
  const insn = lower(bytes, bytes.length, mode === 'prot32' ? 1 : 0);
  if (insn === LOWER_TRUNCATED) {
    throw new EmulatorError('E_INPUT', `${shown}: the bytes end inside the instruction; give all of it`);
  }
  if (insn.op === Op.TooLong) {
    throw new EmulatorError('E_INPUT', `${shown}: longer than 15 bytes, #GP(0); no VM exit`);
  }
  const text = disassemble(bytes, mode === 'prot32' ? 32 : 16, 0);
  if (text === '(bad)' || insn.op === Op.Undefined) {
    const why = bytes.includes(0xf0) ? ' (LOCK is not allowed with port I/O)' : '';
    throw new EmulatorError('E_INPUT', `${shown}: undefined instruction, #UD${why}; no VM exit`);
  }
  if (insn.op !== Op.PortIo) {
    throw new EmulatorError('E_INPUT', `${shown}: '${text}' is not IN, OUT, INS or OUTS`);
  }
  return insn;
}

/**
 * The ports of an I/O instruction: the first one (null when it is in a DX that is not known) and how many bytes.
 *
 * @throws EmulatorError `E_INPUT` as {@link explainBytes}.
 */
export function portAccessOf(
  bytes: Uint8Array,
  mode: ExplainMode,
  dx: number | null,
): { port: number | null; size: number } {
  const { ioQual } = decode(bytes, mode);
  const port = (ioQual & IO_QUAL_IMM) !== 0 ? ioQualPort(ioQual) : dx;
  return { port, size: ioQualSize(ioQual) };
}

/**
 * Explains the instruction at the start of `bytes`.
 *
 * @param dx the port, for instructions that take it from DX; null when it is not known.
 * @param bitmap ports whose bits are set in the I/O bitmaps.
 * @throws EmulatorError `E_INPUT` when that is no port I/O instruction.
 */
export function explainBytes(
  bytes: Uint8Array,
  mode: ExplainMode,
  dx: number | null,
  bitmap: readonly PortSpan[] | null = null,
): Explanation {
  const insn = decode(bytes, mode);
  const hasImmediate = (insn.ioQual & IO_QUAL_IMM) !== 0;
  const qual = hasImmediate ? insn.ioQual : insn.ioQual | ((dx ?? 0) << IO_QUAL_PORT_SHIFT);
  const isIn = ioQualIsIn(qual);
  const isString = ioQualIsString(qual);
  const isPortKnown = hasImmediate || dx !== null;
  const fields = qualificationFields(qual, 0, isPortKnown ? undefined : 'DX (see --dx)');
  return {
    schemaVersion: EXPLAIN_SCHEMA_VERSION,
    instruction: {
      bytes: hexBytes(bytes.slice(0, insn.len)),
      text: disassemble(bytes, mode === 'prot32' ? 32 : 16, 0),
      mode,
      length: insn.len,
      rest: hexBytes(bytes.slice(insn.len)),
    },
    exitReason: EXIT_REASON_IO_INSTRUCTION,
    exitQualification: { value: qual >>> 0, fields },
    instructionInformation: isString
      ? { value: instructionInformation(insn, isIn), fields: instructionInformationFields(insn, isIn) }
      : null,
    ioExit:
      bitmap === null || !isPortKnown ? null : explainIoExit(bitmap, ioQualPort(qual), ioQualSize(qual)),
    path: kvmPath({ isIn, isString }),
    notes: kvmNotes({
      isIn,
      isString,
      isRep: (qual & IO_QUAL_REP) !== 0,
      size: ioQualSize(qual),
      hasIdleRep: !isString && insn.rep !== REP_NONE,
      isProtected: mode !== 'real',
    }),
    problems: problemsOf(fields),
  };
}
