/**
 * The opcode maps as flat arrays (opcode-layout.ts), and the numbers of the encodings' names.
 */

import { OPCODE_TABLES } from './opcode-table-maker.ts';

const names = OPCODE_TABLES.names.split(' ');

/** Name of an encoding's number. */
export function codeName(code: number): string {
  return names[code] ?? `code ${code}`;
}

/** Every name that the opcode maps have, in the order of their numbers, which begin at 1. */
export function allCodeNames(): string[] {
  return names.slice(1);
}

/** See {@link OpcodeTables} for what stands where. */
export const NODES = new Int32Array(OPCODE_TABLES.nodes);
export const OPERANDS = new Int32Array(OPCODE_TABLES.operands);
export const FLAGS = new Uint8Array(OPCODE_TABLES.flags);
export const CODES = new Uint16Array(OPCODE_TABLES.codes);
