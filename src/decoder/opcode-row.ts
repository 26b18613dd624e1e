/** How the opcode maps are written down: one row an opcode or a range of opcodes. */

/**
 * Opcode, operands, name.
 *
 * The opcode is two hexadecimal digits or a range (`40-47`); before it a prefix that makes another instruction of it (`66`, `F3`,
 * `F2`, or `NP`: none of them), behind it `/n` (ModRM.reg) and then `mem`, `reg` or `rm=n` (register form with this ModRM.rm).
 * A row refines the ones before it.
 *
 * The operands are the manual's codes (operand-codes.ts), with blanks between.
 *
 * The name is iced-x86's `Code`, in which `{a|b}` stands for a with operand size 16 and b with 32, `%` for `{16|32}`, and
 * `[a|b]` chooses by address size. An empty name: an encoding that no processor modelled here has. It is #UD when it has been
 * fetched whole, since what a fetch can raise goes first (Intel SDM vol. 3A, “Priority Among Concurrent Events”).
 */
export type OpcodeRow = readonly [opcode: string, operands: string, name: string];

/** Condition codes in encoding order: Jcc, SETcc, CMOVcc. */
export const CONDITION_NAMES = 'o no b ae e ne be a s ns p np l ge le g'.split(' ');

/** Two hexadecimal digits. */
export const opcodeText = (opcode: number): string => opcode.toString(16).toUpperCase().padStart(2, '0');
