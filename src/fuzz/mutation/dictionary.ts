/**
 * Words of machine code for mutation, found by asking the lowering: one for every encoding of the operation table in 16-bit code
 * without prefixes, with its ModRM byte and immediates of 0. Intel SDM vol. 2, “Opcode Map”.
 */
import { lower, MAX_INSN_LEN } from '../../decoder/lower.ts';
import { Op } from '../../decoder/op.ts';

/** Every prefix: operand and address size, repeats, LOCK, segments. */
export const PREFIX_BYTES: readonly number[] = [
  0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
];
/** The port I/O opcodes; the first four want an immediate. */
export const PORT_IO_OPCODES = [
  0xe4, 0xe5, 0xe6, 0xe7, 0xec, 0xed, 0xee, 0xef, 0x6c, 0x6d, 0x6e, 0x6f,
] as const;

const TWO_BYTE_ESCAPE = 0x0f;
/** Memory at (BX), and the register 7 in its place. */
const MODRM_FORMS = [0x07, 0xc7] as const;

let words: readonly (readonly number[])[] | null = null;

/** The words, found at the first call. */
export function codeWords(): readonly (readonly number[])[] {
  words ??= findWords();
  return words;
}

function findWords(): number[][] {
  const found = new Map<number, number[]>();
  const bytes = new Uint8Array(MAX_INSN_LEN);
  for (const map of [[], [TWO_BYTE_ESCAPE]]) {
    for (let opcode = 0; opcode < 0x100; opcode++) {
      for (let reg = 0; reg < 8; reg++) {
        for (const form of MODRM_FORMS) {
          bytes.fill(0);
          bytes.set([...map, opcode, form | (reg << 3)]);
          const insn = lower(bytes, bytes.length, 0);
          if (insn === null || insn.op === Op.Undefined || insn.op === Op.TooLong) continue;
          if (!found.has(insn.code)) found.set(insn.code, [...bytes.subarray(0, insn.len)]);
        }
      }
    }
  }
  return [...found.values()];
}
