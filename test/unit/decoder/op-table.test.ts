/** The rows of the operation table are encodings that the decoder really gives. */
import { describe, expect, it } from 'vitest';
import { lower } from '../../../src/decoder/lower.ts';
import { codeNames, OP_TABLE } from '../../../src/decoder/op-table.ts';
import { allCodeNames } from '../../../src/decoder/opcode-tables.ts';
import { allEncodings, encode } from '../../encode.ts';

const IMMEDIATES = { imm8: 3, second: 3, imm16: 8, farSelector: 8, farOffset: 0x400, offset: 0xfff, reg: 3 };

describe('the operation table', () => {
  it('names each encoding once, and none that the opcode maps lack', () => {
    const names = OP_TABLE.flatMap(codeNames);
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
    const known = new Set(allCodeNames());
    expect(names.filter((name) => !known.has(name))).toEqual([]);
  });

  it.each([16, 32] as const)('has no row that no bytes decode to, in %i-bit code', (bitness) => {
    const dead: string[] = [];
    for (const { code, name, memory } of allEncodings()) {
      for (const isMemory of [true, false]) {
        if (memory === (isMemory ? 'never' : 'always')) continue;
        const bytes = encode(code, bitness, isMemory, IMMEDIATES);
        const insn = lower(bytes, bytes.length, bitness === 32 ? 1 : 0);
        if (insn?.code !== code || insn.len !== bytes.length) dead.push(`${name} ${isMemory}`);
      }
    }
    expect(dead).toEqual([]);
  });
});
