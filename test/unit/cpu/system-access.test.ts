import { describe, expect, it } from 'vitest';
import {
  probeSystemWrite,
  readSystem8,
  readSystem16,
  readSystem32,
  writeSystem8,
  writeSystem16,
  writeSystem32,
} from '../../../src/cpu/system-access.ts';
import { CODE, ProtectedCpu, STACK } from './protected-driver.ts';

const HOLE = 0x8000_0000;

describe('what the processor reads and writes by itself', () => {
  it('comes in three sizes, whatever the level', () => {
    const { cpu, memory } = new ProtectedCpu(3);
    writeSystem32(cpu, 0x5000, 0x8765_4321);
    writeSystem16(cpu, 0x5004, 0x1_abcd);
    writeSystem8(cpu, 0x5006, 0x1ef);
    expect([...memory.read(0x5000, 8)]).toEqual([0x21, 0x43, 0x65, 0x87, 0xcd, 0xab, 0xef, 0]);
    expect([readSystem32(cpu, 0x5000), readSystem16(cpu, 0x5004), readSystem8(cpu, 0x5006)]).toEqual([
      0x8765_4321 | 0,
      0xabcd,
      0xef,
    ]);
    expect(probeSystemWrite(cpu, 0x5000, 100)).toBe(true);
  });

  it('reads ones where no memory is, and writes nothing there', () => {
    const { cpu } = new ProtectedCpu();
    writeSystem32(cpu, HOLE, 0);
    expect([readSystem8(cpu, HOLE), readSystem16(cpu, HOLE), readSystem32(cpu, HOLE)]).toEqual([
      0xff, 0xffff, -1,
    ]);
    expect([cpu.fault, cpu.mmio]).toEqual([0, null]);
  });

  it('so a GDT in a hole has descriptors of ones', () => {
    const test = new ProtectedCpu();
    test.cpu.gdtBase = HOLE | 0;
    test.set({ eax: 0x40 }).exec('0f 03 c8'); // lsl ecx,ax
    expect([test.get('eip'), test.get('esp'), test.get('ecx')]).toEqual([CODE + 3, STACK, 0xffff_ffff]);
  });
});
