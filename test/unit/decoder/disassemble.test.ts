/** Text for people. */
import { describe, expect, it } from 'vitest';
import { disassemble, instructionLength } from '../../../src/decoder/disassemble.ts';
import { freeFormatters } from '../../../src/decoder/iced.ts';
import { hex } from '../cpu/driver.ts';

const bytes = (code: string): Uint8Array => Uint8Array.from(hex(code));

describe('disassemble', () => {
  it.each<[string, 16 | 32, string]>([
    ['e6 43', 16, 'out 0x43,al'],
    ['ee', 16, 'out dx,al'],
    ['f3 6d', 32, 'rep insd'],
    ['66 e5 10', 16, 'in eax,0x10'],
    ['b8 34 12', 16, 'mov ax,0x1234'],
    ['eb fe', 16, 'jmp 0x100'],
    ['ff ff', 16, '(bad)'],
    ['0f', 16, '(bad)'],
    ['', 16, '(bad)'],
  ])('%s in %i-bit code', (code, bitness, text) => {
    expect(disassemble(bytes(code), bitness, 0x100)).toBe(text);
  });

  it('works on after its formatter was freed', () => {
    freeFormatters();
    expect(disassemble(bytes('90'), 16, 0)).toBe('nop');
    freeFormatters();
  });

  it('knows the length', () => {
    expect([instructionLength(bytes('b8 34 12 90'), 16), instructionLength(bytes('b8 34'), 16)]).toEqual([
      3, 0,
    ]);
  });
});
