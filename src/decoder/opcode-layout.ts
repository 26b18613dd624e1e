/**
 * How the flat opcode tables are laid out (opcode-tables.ts).
 *
 * The nodes are the maps, 256 entries each, and behind them tables that choose by prefix, ModRM.reg or ModRM.rm. An entry that is not
 * negative is the number of an encoding; a negative one is the complement of a table's place · 4 + SELECT_*.
 */

/** By what a table chooses: the mandatory prefix (4 entries: none, 66, F3, F2), */
export const SELECT_PREFIX = 0;
/** ModRM.reg (16 entries: memory, then registers), */
export const SELECT_REG = 1;
/** or ModRM.rm (8 entries). */
export const SELECT_RM = 2;
/** Bits of SELECT_* in an entry. */
export const SELECT_BITS = 2;
/** Entries of a table by SELECT_*. */
export const TABLE_SIZE = [4, 16, 8];

/** Places of the maps. */
export const NODES_ONE_BYTE = 0x000;
export const NODES_0F = 0x100;
export const NODES_0F38 = 0x200;
export const NODES_0F3A = 0x300;
/** VEX maps 1, 2, 3. */
export const NODES_VEX = 0x400;
/** Behind the maps. */
export const NODES_END = 0x700;

/** What is true of an encoding. */
export const ENCODING_MODRM = 1 << 0;
/** LOCK is allowed before its memory form. */
export const ENCODING_LOCK = 1 << 1;
/** x87. */
export const ENCODING_ESCAPE = 1 << 2;
/** With a register in ModRM it is a prefix: VEX, EVEX. */
export const ENCODING_VEX = 1 << 3;

/** The tables as plain arrays. */
export interface OpcodeTables {
  readonly nodes: readonly number[];
  /** By encoding · MAX_OPERANDS: what operand-codes.ts makes of a code; 0 behind the last. */
  readonly operands: readonly number[];
  /** By encoding: ENCODING_*. */
  readonly flags: readonly number[];
  /** By encoding · 4 + (operand size is 32) + 2 · (address size is 32): number of the name, 0 when it has none. */
  readonly codes: readonly number[];
  /** Names by their numbers, with blanks between. */
  readonly names: string;
}
