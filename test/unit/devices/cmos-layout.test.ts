import { describe, expect, it } from 'vitest';
import { fillCmosLayout } from '../../../src/devices/cmos-layout.ts';
import { CMOS_LEN } from '../../../src/devices/mc146818-reg.ts';

const MIB = 1 << 20;

function fill(memoryBytes: number, equipment = 0): Uint8Array {
  const regs = new Uint8Array(CMOS_LEN);
  fillCmosLayout(regs, memoryBytes, equipment);
  return regs;
}
const word = (regs: Uint8Array, at: number) => regs[at] | (regs[at + 1] << 8);

describe('CMOS memory', () => {
  it.each([
    ['64 KiB', 0x1_0000, 64, 0, 0],
    ['1 MiB', MIB, 640, 0, 0],
    ['16 MiB', 16 * MIB, 640, 15 * 1024, 0],
    ['64 MiB', 64 * MIB, 640, 63 * 1024, 48 * 16],
    ['3 GiB', 3072 * MIB, 640, 0xffff, 3056 * 16],
  ])('describes %s', (_name, bytes, baseKib, extendedKib, above16MibIn64Kib) => {
    const regs = fill(bytes);
    expect([word(regs, 0x15), word(regs, 0x17), word(regs, 0x30), word(regs, 0x34)]).toEqual([
      baseKib,
      extendedKib,
      extendedKib,
      above16MibIn64Kib,
    ]);
  });

  it('holds the equipment byte and the checksum of 0x10 … 0x2d, high byte first', () => {
    const regs = fill(16 * MIB, 0x2d);
    expect(regs[0x14]).toBe(0x2d);
    const sum = regs.slice(0x10, 0x2e).reduce((a, b) => a + b, 0);
    expect((regs[0x2e] << 8) | regs[0x2f]).toBe(sum);
  });
});
