import { describe, expect, it } from 'vitest';
import { decodeReference, FETCH_FAULT, NOT_MODELLED } from '../../../src/fuzz/reference-decode.ts';

/** Decodes bytes that the segment ends behind. */
const decode = (...bytes: number[]) => decodeReference((i) => bytes[i] ?? -1);

describe('decodeReference', () => {
  it('reads opcodes, sizes and ports', () => {
    expect(decode(0x6c)).toMatchObject({
      kind: 'ins',
      size: 1,
      length: 1,
      port: -1,
      segment: 'ds',
      isRepeated: false,
    });
    expect(decode(0x6f)).toMatchObject({ kind: 'outs', size: 2 });
    expect(decode(0x66, 0xe5, 0x80)).toMatchObject({ kind: 'in', size: 4, length: 3, port: 0x80 });
    expect(decode(0x66, 0xee)).toMatchObject({ kind: 'out', size: 1, length: 2, port: -1 });
    expect(decode(0xf4)).toMatchObject({ kind: 'hlt' });
  });

  it('reads prefixes in any order; the last segment wins, a second 66 or 67 changes nothing', () => {
    expect(decode(0x26, 0xf2, 0x66, 0x67, 0x64, 0x66, 0x67, 0x6f)).toMatchObject({
      kind: 'outs',
      size: 4,
      isAddr32: true,
      isRepeated: true,
      segment: 'fs',
      length: 8,
    });
    expect(decode(0xf0, 0xec)).toMatchObject({ isLocked: true });
  });

  it('faults past the end of the segment and past fifteen bytes', () => {
    const nops = (count: number): number[] => new Array<number>(count).fill(0x3e);
    expect(decode(0xe4)).toBe(FETCH_FAULT);
    expect(decode(0xf3)).toBe(FETCH_FAULT);
    expect(decode(...nops(14), 0xec)).toMatchObject({ length: 15 });
    expect(decode(...nops(15), 0xec)).toBe(FETCH_FAULT);
    expect(decode(...nops(13), 0xe4, 1)).toMatchObject({ length: 15 });
    expect(decode(...nops(14), 0xe4, 1)).toBe(FETCH_FAULT);
  });

  it('knows what it does not know', () => {
    expect(decode(0x90)).toBe(NOT_MODELLED);
    expect(decode(0xf3, 0xa4)).toBe(NOT_MODELLED);
  });
});
