/**
 * Every I/O opcode with every set of prefixes in 16- and 32-bit code: what the processor says about it in the exit
 * (Intel SDM vol. 3C, “Exit Qualification for I/O Instructions”), and from there back to an instruction that says the
 * same.
 */
import { describe, expect, it } from 'vitest';
import { AR_DB, AR_REAL_CODE } from '../../src/cpu/registers.ts';
import { SEG_CS } from '../../src/decoder/insn.ts';
import {
  EXIT_REASON_IO_INSTRUCTION,
  INSTR_INFO_ADDR_SIZE_SHIFT,
  INSTR_INFO_SEGMENT_SHIFT,
  IO_QUAL_IMM,
  IO_QUAL_REP,
  ioQualIsIn,
  ioQualIsString,
  ioQualPort,
  ioQualSize,
} from '../../src/uapi/vmx.ts';
import { BareCpu } from './bare-cpu.ts';

const OPCODES = [0x6c, 0x6d, 0x6e, 0x6f, 0xe4, 0xe5, 0xe6, 0xe7, 0xec, 0xed, 0xee, 0xef] as const;
/** Override byte and the number of its segment in the exit information. */
const OVERRIDES = [
  [0x26, 0],
  [0x2e, 1],
  [0x36, 2],
  [0x3e, 3],
  [0x64, 4],
  [0x65, 5],
] as const;
const DS = 3;
const REPEATS = [[], [0xf3], [0xf2], [0xf2, 0xf3]] as const;
const CODE = 0x7c00;
const DX = 0xfedc;
const IMMEDIATE = 0x9a;
const ESI = 0x12348;
const EDI = 0x1_ffe0;
const SELECTORS = [0x100, 0, 0x300, 0x400, 0x500, 0x600];

interface Exit {
  qualification: number;
  length: number;
  /** Undefined for what is not a string instruction. */
  addressSize?: number;
  segment?: number;
  linear?: number;
}

const bare = new BareCpu();

/** Runs `bytes` and reads the exit information. */
function exitOf(bytes: readonly number[], is32: boolean, edx: number): Exit {
  bare.memory.write(CODE, Uint8Array.from(bytes));
  bare.load({ gpr: [0, 0, edx, 0, 0x1000, 0, ESI, EDI], selectors: SELECTORS, eip: CODE, eflags: 2 });
  const { cpu } = bare;
  if (is32) cpu.setSegment(SEG_CS, 0, 0, 0xffff, AR_REAL_CODE | AR_DB);
  expect(bare.run(1, 1)).toBe(EXIT_REASON_IO_INSTRUCTION);
  expect(cpu.eip).toBe(CODE);
  expect(cpu.retired).toBe(0);
  const exit = { qualification: cpu.exitQualification, length: cpu.exitInstructionLength };
  if (!ioQualIsString(cpu.exitQualification)) return exit;
  return {
    ...exit,
    addressSize: (cpu.exitInstructionInfo >> INSTR_INFO_ADDR_SIZE_SHIFT) & 7,
    // Undefined for INS.
    ...(ioQualIsIn(cpu.exitQualification)
      ? {}
      : { segment: (cpu.exitInstructionInfo >> INSTR_INFO_SEGMENT_SHIFT) & 7 }),
    linear: cpu.exitGuestLinearAddress >>> 0,
  };
}

/** The table of the manual, row by row. */
function expectedExit(opcode: number, prefixes: readonly number[], is32: boolean): Exit {
  const isString = opcode < 0x70;
  const isIn = isString ? opcode < 0x6e : (opcode & 2) === 0;
  const isImmediate = opcode >= 0xe4 && opcode <= 0xe7;
  const isOperand32 = prefixes.includes(0x66) !== is32;
  const isAddress32 = prefixes.includes(0x67) !== is32;
  const size = (opcode & 1) === 0 ? 1 : isOperand32 ? 4 : 2;
  const isRepeated = prefixes.includes(0xf2) || prefixes.includes(0xf3);
  let qualification = size - 1;
  if (isIn) qualification |= 1 << 3;
  if (isString) qualification |= 1 << 4;
  if (isString && isRepeated) qualification |= 1 << 5;
  if (isImmediate) qualification |= 1 << 6;
  qualification |= (isImmediate ? IMMEDIATE : DX) << 16;
  const length = prefixes.length + (isImmediate ? 2 : 1);
  if (!isString) return { qualification, length };
  const override = OVERRIDES.find(([byte]) => prefixes.includes(byte));
  const segment = isIn ? 0 : (override?.[1] ?? DS);
  const offset = isIn ? EDI : ESI;
  const linear = SELECTORS[segment] * 16 + (isAddress32 ? offset : offset % 0x1_0000);
  return { qualification, length, addressSize: isAddress32 ? 1 : 0, ...(isIn ? {} : { segment }), linear };
}

/** The shortest 16-bit encoding of an exit. */
function encode(exit: Exit): number[] {
  const qual = exit.qualification;
  const size = ioQualSize(qual);
  const bytes: number[] = [];
  if ((qual & IO_QUAL_REP) !== 0) bytes.push(0xf3);
  if (size === 4) bytes.push(0x66);
  if (exit.addressSize === 1) bytes.push(0x67);
  if (exit.segment !== undefined && exit.segment !== DS) bytes.push(OVERRIDES[exit.segment][0]);
  const wide = size === 1 ? 0 : 1;
  const direction = ioQualIsIn(qual) ? 0 : 2;
  if (ioQualIsString(qual)) return [...bytes, 0x6c | direction | wide];
  if ((qual & IO_QUAL_IMM) !== 0) return [...bytes, 0xe4 | direction | wide, ioQualPort(qual)];
  return [...bytes, 0xec | direction | wide];
}

/** Every subset of 66, 67, a segment override and a repeat prefix. */
function* prefixSets(): Generator<number[]> {
  for (const operand of [[], [0x66], [0x66, 0x66]]) {
    for (const address of [[], [0x67]]) {
      for (const override of [[], ...OVERRIDES.map(([byte]) => [byte])]) {
        for (const repeat of REPEATS) yield [...repeat, ...operand, ...address, ...override];
      }
    }
  }
}

describe('exit information of I/O instructions', () => {
  for (const is32 of [false, true]) {
    it(`is what the manual's table says, in ${is32 ? 32 : 16}-bit code`, () => {
      let checked = 0;
      for (const opcode of OPCODES) {
        for (const prefixes of prefixSets()) {
          const bytes = [...prefixes, opcode, IMMEDIATE];
          const name = bytes.map((byte) => byte.toString(16)).join(' ');
          expect(exitOf(bytes, is32, DX), name).toEqual(expectedExit(opcode, prefixes, is32));
          checked++;
        }
      }
      expect(checked).toBe(12 * 3 * 2 * 7 * 4);
    });
  }

  it('leads back to an instruction with the same exit', () => {
    for (const opcode of OPCODES) {
      for (const prefixes of prefixSets()) {
        const exit = exitOf([...prefixes, opcode, IMMEDIATE], false, DX);
        const bytes = encode(exit);
        const port = ioQualPort(exit.qualification);
        expect(exitOf(bytes, false, port)).toEqual({ ...exit, length: bytes.length });
      }
    }
  });

  it('takes the last of several segment overrides', () => {
    for (const [first] of OVERRIDES) {
      for (const [last, segment] of OVERRIDES) {
        expect(exitOf([first, 0xf3, last, 0x6e], false, DX).segment).toBe(segment);
      }
    }
  });
});
