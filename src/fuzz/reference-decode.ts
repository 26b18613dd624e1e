/**
 * The reference model's own reading of instruction bytes: prefixes and the twelve I/O opcodes of 16- and 32-bit code,
 * plus HLT. Intel SDM vol. 2A, “Instruction Prefixes” and the pages of IN, INS, OUT, OUTS.
 *
 * It shares nothing with decoder/: a mistake there must not be made here too.
 */

/** One instruction, as the manual describes it. */
export interface ReferenceInsn {
  /** Bytes, prefixes included. */
  readonly length: number;
  readonly kind: 'in' | 'out' | 'ins' | 'outs' | 'hlt';
  readonly isLocked: boolean;
  readonly isRepeated: boolean;
  /** Bytes an element. */
  readonly size: 1 | 2 | 4;
  /** Whether SI, DI and CX are used as 32-bit registers. */
  readonly isAddr32: boolean;
  /** Segment override, `ds` without one. */
  readonly segment: 'es' | 'cs' | 'ss' | 'ds' | 'fs' | 'gs';
  /** Port of the immediate forms; −1 means DX. */
  readonly port: number;
}

/** The processor refuses to fetch: #GP. */
export const FETCH_FAULT = 'fetch-fault';
/** Not one of the instructions that the model knows. */
export const NOT_MODELLED = 'not-modelled';

/** Intel SDM vol. 2A: an instruction has at most 15 bytes. */
const MAX_LENGTH = 15;

/** The segment that a prefix byte names, null when it is no segment prefix. */
function segmentPrefix(byte: number): ReferenceInsn['segment'] | null {
  switch (byte) {
    case 0x26:
      return 'es';
    case 0x2e:
      return 'cs';
    case 0x36:
      return 'ss';
    case 0x3e:
      return 'ds';
    case 0x64:
      return 'fs';
    case 0x65:
      return 'gs';
    default:
      return null;
  }
}

/**
 * Reads the instruction that starts where `byteAt(0)` is.
 *
 * @param byteAt byte `i` of the instruction, or −1 beyond the code segment's limit.
 * @param isCode32 CS.D: what 66 and 67 turn around.
 */
export function decodeReference(
  byteAt: (i: number) => number,
  isCode32 = false,
): ReferenceInsn | typeof FETCH_FAULT | typeof NOT_MODELLED {
  let segment: ReferenceInsn['segment'] = 'ds';
  let isLocked = false;
  let isRepeated = false;
  let isAddr32 = isCode32;
  let isOperand32 = isCode32;
  for (let i = 0; i < MAX_LENGTH; i++) {
    const byte = byteAt(i);
    if (byte < 0) return FETCH_FAULT;
    const override = segmentPrefix(byte);
    if (override !== null) segment = override;
    else if (byte === 0xf0) isLocked = true;
    else if (byte === 0xf2 || byte === 0xf3) isRepeated = true;
    else if (byte === 0x66) isOperand32 = !isCode32;
    else if (byte === 0x67) isAddr32 = !isCode32;
    else {
      const kind = kindOf(byte);
      if (kind === null) return NOT_MODELLED;
      const hasImmediate = byte >= 0xe4 && byte <= 0xe7;
      const length = i + (hasImmediate ? 2 : 1);
      if (length > MAX_LENGTH) return FETCH_FAULT;
      const port = hasImmediate ? byteAt(i + 1) : -1;
      if (hasImmediate && port < 0) return FETCH_FAULT;
      const size = (byte & 1) === 0 ? 1 : isOperand32 ? 4 : 2;
      return { length, kind, isLocked, isRepeated, size, isAddr32, segment, port };
    }
  }
  return FETCH_FAULT;
}

/** What an opcode byte does, null for everything that is not modelled. */
function kindOf(opcode: number): ReferenceInsn['kind'] | null {
  switch (opcode) {
    case 0x6c:
    case 0x6d:
      return 'ins';
    case 0x6e:
    case 0x6f:
      return 'outs';
    case 0xe4:
    case 0xe5:
    case 0xec:
    case 0xed:
      return 'in';
    case 0xe6:
    case 0xe7:
    case 0xee:
    case 0xef:
      return 'out';
    case 0xf4:
      return 'hlt';
    default:
      return null;
  }
}
