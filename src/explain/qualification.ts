/**
 * An exit qualification for I/O instructions, field by field, in the words of the Intel SDM vol. 3C, “Exit
 * Qualification for I/O Instructions”.
 */
import {
  IO_QUAL_IMM,
  IO_QUAL_IN,
  IO_QUAL_PORT_SHIFT,
  IO_QUAL_REP,
  IO_QUAL_SIZE_MASK,
  IO_QUAL_STRING,
} from '../uapi/vmx.ts';
import type { BitField } from './bit-field.ts';

const SIZES: Readonly<Record<number, string>> = { 0: '1-byte', 1: '2-byte', 3: '4-byte' };
const RESERVED_SHIFT = 7;
const RESERVED_MASK = 0x1ff;

const bit = (low: number, mask: number): number => ((low & mask) !== 0 ? 1 : 0);

/**
 * The fields of a 64-bit exit qualification.
 *
 * @param low bits 31:0.
 * @param high bits 63:32.
 * @param portMeaning text for the port; null when the port is not known because it is in DX.
 */
export function qualificationFields(low: number, high = 0, portMeaning?: string): BitField[] {
  const size = low & IO_QUAL_SIZE_MASK;
  const sizeText = SIZES[size];
  const isIn = bit(low, IO_QUAL_IN);
  const isString = bit(low, IO_QUAL_STRING);
  const rep = bit(low, IO_QUAL_REP);
  const imm = bit(low, IO_QUAL_IMM);
  const reserved = (low >>> RESERVED_SHIFT) & RESERVED_MASK;
  const port = low >>> IO_QUAL_PORT_SHIFT;
  return [
    {
      bits: '2:0',
      field: 'Size of access',
      value: size,
      meaning: sizeText ?? 'not used',
      ...(sizeText === undefined ? { problem: `bits 2:0 are ${size}, only 0, 1 and 3 are sizes` } : {}),
    },
    {
      bits: '3',
      field: 'Direction of the attempted access',
      value: isIn,
      meaning: isIn === 1 ? 'IN' : 'OUT',
    },
    {
      bits: '4',
      field: 'String instruction',
      value: isString,
      meaning: isString === 1 ? 'string (INS, OUTS)' : 'not string',
    },
    {
      bits: '5',
      field: 'REP prefixed',
      value: rep,
      meaning: rep === 1 ? 'REP' : 'not REP',
      ...(rep === 1 && isString === 0 ? { problem: 'bit 5 (REP) is set, but bit 4 (string) is not' } : {}),
    },
    {
      bits: '6',
      field: 'Operand encoding',
      value: imm,
      meaning: imm === 1 ? 'immediate' : 'DX',
      ...immediateProblem(imm, isString, port),
    },
    {
      bits: '15:7',
      field: 'Reserved (cleared to 0)',
      value: reserved,
      meaning: reserved === 0 ? '' : 'not 0',
      ...(reserved === 0 ? {} : { problem: `bits 15:7 are reserved, here 0x${reserved.toString(16)}` }),
    },
    {
      bits: '31:16',
      field: 'Port number',
      value: port,
      meaning: portMeaning ?? `port 0x${port.toString(16)}`,
    },
    {
      bits: '63:32',
      field: 'Reserved (cleared to 0)',
      value: high >>> 0,
      meaning: high === 0 ? '' : 'not 0',
      ...(high === 0 ? {} : { problem: `bits 63:32 are reserved, here 0x${(high >>> 0).toString(16)}` }),
    },
  ];
}

function immediateProblem(imm: number, isString: number, port: number): { problem?: string } {
  if (imm === 0) return {};
  if (isString === 1) return { problem: 'bit 6 (immediate) is set, but INS and OUTS have their port in DX' };
  if (port > 0xff) return { problem: `bit 6 (immediate) is set, but port 0x${port.toString(16)} needs DX` };
  return {};
}

/** Everything that is wrong with a set of fields. */
export function problemsOf(fields: readonly BitField[]): string[] {
  return fields.flatMap((field) => (field.problem === undefined ? [] : [field.problem]));
}
