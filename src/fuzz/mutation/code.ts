/**
 * Changed machine code: bytes of one instruction, with words from the dictionary.
 */
import type { Prng } from '../prng.ts';
import { codeWords, PORT_IO_OPCODES, PREFIX_BYTES } from './dictionary.ts';
import { mutateNumber } from './numbers.ts';

/** What instructions a target wants. */
export interface CodeMutation {
  /** Bytes of an instruction, at most. */
  readonly maxBytes: number;
  /** Any operation of the table, or port I/O only. */
  readonly operations: 'all' | 'port-io';
}

/** @returns the bytes changed, one at least. */
export function mutateCode(bytes: readonly number[], random: Prng, options: CodeMutation): readonly number[] {
  if (bytes.length === 0) return codeWord(random, options);
  const at = random.below(bytes.length);
  const changed = change(bytes, at, random, options).slice(0, options.maxBytes);
  return changed.length === 0 ? codeWord(random, options) : changed;
}

function change(
  bytes: readonly number[],
  at: number,
  random: Prng,
  options: CodeMutation,
): readonly number[] {
  switch (random.below(8)) {
    case 0:
      return bytes.with(at, mutateNumber(bytes[at], 0xff, random));
    case 1:
      return bytes.toSpliced(at, 1);
    case 2:
      return bytes.toSpliced(at, 0, bytes[at]);
    case 3:
    case 4:
      return bytes.toSpliced(random.oneIn(2) ? 0 : at, 0, random.pick(PREFIX_BYTES));
    case 5:
      return bytes.toSpliced(at, 0, random.below(0x100));
    case 6: {
      const word = codeWord(random, options);
      return bytes.toSpliced(at, word.length, ...word);
    }
    default: {
      // Prefixes stay, another operation.
      const prefixes = bytes.findIndex((byte) => !PREFIX_BYTES.includes(byte));
      return [...bytes.slice(0, Math.max(prefixes, 0)), ...codeWord(random, options)];
    }
  }
}

/** One instruction of the dictionary. */
export function codeWord(random: Prng, { operations }: CodeMutation): readonly number[] {
  if (operations === 'all') return random.pick(codeWords());
  const opcode = random.pick(PORT_IO_OPCODES);
  return opcode >= 0xe4 && opcode <= 0xe7 ? [opcode, random.below(0x100)] : [opcode];
}
