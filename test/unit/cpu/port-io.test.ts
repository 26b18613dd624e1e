/** IN, OUT, INS, OUTS leave with exit information and change nothing. */
import { describe, expect, it } from 'vitest';
import {
  EXIT_REASON_IO_INSTRUCTION,
  ioQualIsIn,
  ioQualIsString,
  ioQualPort,
  ioQualSize,
} from '../../../src/uapi/vmx.ts';
import { hex, TestCpu } from './driver.ts';

const IMM = 1 << 6;
const REP = 1 << 5;

describe('the exit of a port access', () => {
  it.each<[string, string, boolean, number, number, number]>([
    ['in al,0x61', 'e4 61', true, 1, 0x61, IMM],
    ['in ax,0xff', 'e5 ff', true, 2, 0xff, IMM],
    ['o32 in eax,0', '66 e5 00', true, 4, 0, IMM],
    ['out 0x80,al', 'e6 80', false, 1, 0x80, IMM],
    ['o32 out 0x80,eax', '66 e7 80', false, 4, 0x80, IMM],
    ['in al,dx', 'ec', true, 1, 0xb1b2, 0],
    ['in ax,dx', 'ed', true, 2, 0xb1b2, 0],
    ['out dx,al', 'ee', false, 1, 0xb1b2, 0],
    ['o32 out dx,eax', '66 ef', false, 4, 0xb1b2, 0],
    ['rep out dx,al repeats nothing', 'f3 ee', false, 1, 0xb1b2, 0],
    ['o16 in al,dx stays a byte', '66 ec', true, 1, 0xb1b2, 0],
  ])('%s', (_, code, isIn, size, port, bits) => {
    const test = new TestCpu().reset({}).poke('eip', `90 ${code}`);
    const before = test.state;
    expect(test.run(10)).toBe(EXIT_REASON_IO_INSTRUCTION);
    const { exitQualification: qual, exitInstructionLength, exitInsn, retired } = test.cpu;
    expect([ioQualIsIn(qual), ioQualSize(qual), ioQualPort(qual), ioQualIsString(qual)]).toEqual([
      isIn,
      size,
      port,
      false,
    ]);
    expect(qual & (IMM | REP)).toBe(bits);
    expect([exitInstructionLength, exitInsn?.len, retired]).toEqual([hex(code).length, hex(code).length, 1]);
    expect(test.state).toEqual({ ...before, eip: 0x101 });
  });

  it.each<[string, string, boolean, number, number, number, number]>([
    // instruction information: address size in 9:7, segment in 17:15; linear address
    ['insb', '6c', true, 1, 0, 0, 0x3_0040],
    ['rep insw', 'f3 6d', true, 2, REP, 0, 0x3_0040],
    ['fs insb: the override does not count', '64 6c', true, 1, 0, 0, 0x3_0040],
    ['o32 a32 rep insd', '66 67 f3 6d', true, 4, REP, 1 << 7, (0x3_0000 + 0x8888_0040) | 0],
    ['outsb', '6e', false, 1, 0, 3 << 15, 0x2_0020],
    ['repne outsw', 'f2 6f', false, 2, REP, 3 << 15, 0x2_0020],
    ['gs outsb', '65 6e', false, 1, 0, 5 << 15, 0x6_0020],
    ['ss a32 outsb', '36 67 6e', false, 1, 0, (1 << 7) | (2 << 15), 0x4_0000 + 0x7777_0020],
  ])('%s', (_, code, isIn, size, bits, info, linear) => {
    const test = new TestCpu().reset({}).poke('eip', code);
    const before = test.state;
    expect(test.run(1)).toBe(EXIT_REASON_IO_INSTRUCTION);
    const { cpu } = test;
    const qual = cpu.exitQualification;
    expect([ioQualIsIn(qual), ioQualSize(qual), ioQualPort(qual), ioQualIsString(qual)]).toEqual([
      isIn,
      size,
      0xb1b2,
      true,
    ]);
    expect(qual & (IMM | REP)).toBe(bits);
    const infoMask = isIn ? 7 << 7 : (7 << 7) | (7 << 15);
    expect(cpu.exitInstructionInfo & infoMask).toBe(info & infoMask);
    expect(cpu.exitGuestLinearAddress).toBe(linear);
    expect(test.state).toEqual(before);
    expect(cpu.retired).toBe(0);
  });
});
