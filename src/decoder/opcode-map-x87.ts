/**
 * The x87 escapes D8–DF. Intel SDM vol. 2D, appendix A.5, tables. Without an FPU only the address and the size of a memory
 * operand matter: lower.ts makes one operation of all.
 */
import { type OpcodeRow, opcodeText } from './opcode-row.ts';

/** Types of the memory operand by ModRM.reg (operand-codes.ts); blanks in the manual's tables count as doublewords. */
const MEMORY_TYPES = [
  'd d d d d d d d', // D8
  'd d d d e w e w', // D9
  'd d d d d d d d', // DA
  'd d d d d t d t', // DB
  'q q q q q q q q', // DC
  'q q q q f d f w', // DD
  'w w w w w w w w', // DE
  'w w w w t q t q', // DF
];

/** What the names of all these rows begin with. */
export const ESCAPE_NAME = 'Esc_';

export const X87_MAP: readonly OpcodeRow[] = MEMORY_TYPES.flatMap((types, n) => {
  const opcode = opcodeText(0xd8 + n);
  return types
    .split(' ')
    .map((type, reg): OpcodeRow => [`${opcode} /${reg}`, `E${type}`, `${ESCAPE_NAME}${opcode}_${reg}`]);
});
