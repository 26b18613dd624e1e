/**
 * Format `hw32`: single 32-bit instructions at CPL 3 with paging, recorded from a Xeon (vectors/hw32/FORMAT.md). The machine
 * they run on is in hw32-machine.ts.
 *
 * The x87 files are excluded by name: there is no FPU yet.
 */
import type { Cpu } from '../cpu/cpu.ts';
import { getEflags } from '../cpu/flags.ts';
import { GPR_NAMES, PF_VECTOR, X86_EFLAGS_RF } from '../cpu/registers.ts';
import { SEG_CS, SEG_DS, SEG_ES, SEG_FS, SEG_GS, SEG_SS } from '../decoder/insn.ts';
import { EmulatorError } from '../errors.ts';
import { Jit, type JitOptions } from '../jit/engine.ts';
import { type CaseDiff, hex } from './case-diff.ts';
import {
  HW32_RANGES,
  Hw32Machine,
  type Hw32Paging,
  STACK_TOP,
  USER_CODE,
  USER_DATA,
} from './hw32-machine.ts';
import {
  arrayField,
  asBytes,
  asNumber,
  asRow,
  isObject,
  type JsonObject,
  numberField,
  objectField,
} from './json-fields.ts';
import { JudgedMemory } from './judged-memory.ts';
import type { Replayer, VectorFormat } from './vector-format.ts';

const MAX_U32 = 0xffff_ffff;

/** Segment registers by the format's names, and what they hold at the start. */
const SEGMENTS = [
  ['cs', SEG_CS, USER_CODE],
  ['ds', SEG_DS, USER_DATA],
  ['es', SEG_ES, USER_DATA],
  ['ss', SEG_SS, USER_DATA],
  ['fs', SEG_FS, USER_DATA],
  ['gs', SEG_GS, USER_DATA],
] as const;

/** Doublewords of an event's frame. */
const FRAME_SS = 0;
const FRAME_ESP = 1;
const FRAME_EFLAGS = 2;
const FRAME_CS = 3;
const FRAME_EIP = 4;

/** See the opening comment. */
export const HW32: VectorFormat = {
  name: 'hw32',
  detect: (first) =>
    typeof first.code === 'string' && isObject(first.in) && 'out' in first && 'undef' in first,
  open: (_first, _folder, jit) => new Hw32Replayer('pae', jit),
};

/** Runs hw32 cases. */
export class Hw32Replayer implements Replayer {
  readonly #machine: Hw32Machine;
  readonly #memory: JudgedMemory;

  /**
   * @param paging the paging structures that carry the format's memory map.
   * @param jit when code is generated; false: never.
   */
  constructor(paging: Hw32Paging = 'pae', jit: JitOptions | false = false) {
    this.#machine = new Hw32Machine(paging);
    if (jit !== false) this.#machine.cpu.generator = new Jit(jit);
    this.#memory = new JudgedMemory(this.#machine.memory, linearText);
  }

  get cpu(): Cpu {
    return this.#machine.cpu;
  }

  exclusions(test: JsonObject): readonly string[] {
    return isObject(test.in) && 'fpu' in test.in ? ['x87'] : [];
  }

  idOf(test: JsonObject): string {
    return String(test.id);
  }

  describe(test: JsonObject): string {
    return `${String(test.code)}  ${String(test.asm)}`;
  }

  replay(test: JsonObject, diff: CaseDiff): void {
    try {
      const before = objectField(test, 'in');
      const code = asBytes(test.code, 'code');
      this.#load(test, before, code);
      this.#memory.arm();
      const exit = this.#machine.run(isRepeated(code));
      if (exit >= 0) diff.text('end', 'the instruction', `VM-exit reason ${exit}`);
      this.#compare(test, diff);
    } finally {
      this.#memory.restore();
    }
  }

  finish(diff: CaseDiff): void {
    const stray = this.#memory.audit();
    if (stray >= 0)
      diff.text(`mem ${linearText(stray)}`, 'no store, or its page marked as written', 'stored unmarked');
  }

  #load(test: JsonObject, before: JsonObject, code: Uint8Array): void {
    const { cpu } = this.#machine;
    const memory = this.#memory;
    const eip = numberField(before, 'eip', MAX_U32);
    for (const row of arrayField(test, 'ram')) {
      const [addr, bytes] = asRow(row, 'ram', 2);
      asBytes(bytes, 'ram').forEach((byte, i) => {
        memory.load(physicalOf(asNumber(addr, 'ram', MAX_U32) + i), byte);
      });
    }
    // An instruction may be cut by the end of the range; what lies beyond is not mapped.
    code.forEach((byte, i) => {
      if (isMapped(eip + i)) memory.load(physicalOf(eip + i), byte);
    });
    this.#machine.reset(numberField(before, 'eflags', MAX_U32));
    GPR_NAMES.forEach((name, i) => {
      cpu.gpr[i] = numberField(before, name, MAX_U32);
    });
    cpu.eip = eip | 0;
  }

  #compare(test: JsonObject, diff: CaseDiff): void {
    const machine = this.#machine;
    const { cpu } = machine;
    const out = objectField(test, 'out');
    const { vector } = machine;
    const isEvent = vector >= 0;
    const wanted = test.vector === undefined ? -1 : numberField(test, 'vector', 0xff);
    if (vector !== wanted) diff.text('vector', vectorText(wanted), vectorText(vector));
    if (wanted === PF_VECTOR) diff.number('cr2', numberField(test, 'cr2', MAX_U32), cpu.cr2 >>> 0, 8);

    const defined = definedBits(test);
    GPR_NAMES.forEach((name, i) => {
      const got = isEvent && name === 'esp' ? machine.frame(FRAME_ESP) : cpu.gpr[i];
      const mask = defined.get(name) ?? -1;
      diff.number(name, (numberField(out, name, MAX_U32) & mask) >>> 0, (got & mask) >>> 0, 8);
    });
    const eip = isEvent ? machine.frame(FRAME_EIP) : cpu.eip >>> 0;
    diff.number('eip', numberField(out, 'eip', MAX_U32), eip, 8);
    // The format has no RF: a fault's frame sets it, IRETD may load it.
    const eflags = (isEvent ? machine.frame(FRAME_EFLAGS) : getEflags(cpu)) & ~X86_EFLAGS_RF;
    const undef = numberField(test, 'undef', MAX_U32);
    diff.flags('eflags', numberField(out, 'eflags', MAX_U32), eflags, ~undef);
    for (const [name, seg, initial] of SEGMENTS) {
      let got = cpu.segSelector[seg];
      if (isEvent && seg === SEG_CS) got = machine.frame(FRAME_CS) & 0xffff;
      if (isEvent && seg === SEG_SS) got = machine.frame(FRAME_SS) & 0xffff;
      diff.number(name, name in out ? numberField(out, name, 0xffff) : initial, got, 4);
    }
    this.#compareMemory(test, isEvent, diff);
  }

  #compareMemory(test: JsonObject, isEvent: boolean, diff: CaseDiff): void {
    const memory = this.#memory;
    for (const row of arrayField(test, 'mem')) {
      const [addr, bytes] = asRow(row, 'mem', 2);
      asBytes(bytes, 'mem').forEach((byte, i) => {
        memory.expect(physicalOf(asNumber(addr, 'mem', MAX_U32) + i), byte);
      });
    }
    for (const row of test.undefMem === undefined ? [] : arrayField(test, 'undefMem')) {
      const [addr, len] = asRow(row, 'undefMem', 2);
      for (let i = 0; i < asNumber(len, 'undefMem', 16); i++)
        memory.undefinedBits(physicalOf(asNumber(addr, 'undefMem', MAX_U32) + i), 0);
    }
    // The frame has been looked at already.
    const pushed = isEvent ? this.#machine.frameBytes : 0;
    for (let i = 1; i <= pushed; i++) memory.undefinedBits(STACK_TOP - i, 0);
    memory.compare(diff);
  }
}

function vectorText(vector: number): string {
  return vector < 0 ? 'none' : String(vector);
}

/** `undefReg`: register name → the bits that are defined. */
function definedBits(test: JsonObject): ReadonlyMap<string, number> {
  const defined = new Map<string, number>();
  for (const row of test.undefReg === undefined ? [] : arrayField(test, 'undefReg')) {
    const [name, mask] = asRow(row, 'undefReg', 2);
    defined.set(String(name), ~asNumber(mask, 'undefReg', MAX_U32));
  }
  return defined;
}

function isMapped(linear: number): boolean {
  return HW32_RANGES.some((range) => linear >= range.linear && linear < range.linear + range.bytes);
}

/** Where a linear address of the format lies in RAM. */
function physicalOf(linear: number): number {
  for (const range of HW32_RANGES)
    if (linear >= range.linear && linear < range.linear + range.bytes)
      return linear - range.linear + range.physical;
  throw new EmulatorError('E_VECTOR', `address ${hex(linear, 8)} is outside this format's memory`);
}

/** A physical address as the format names it. */
function linearText(physical: number): string {
  for (const range of HW32_RANGES)
    if (physical >= range.physical && physical < range.physical + range.bytes)
      return hex(physical - range.physical + range.linear, 8);
  return `${hex(physical, 5)} of the machine's own tables`;
}

/** Whether the instruction is a string instruction with F2 or F3. */
function isRepeated(code: Uint8Array): boolean {
  const opcode = code.findIndex((byte) => !PREFIXES.includes(byte));
  const isString = opcode >= 0 && STRING_OPCODES.includes(code[opcode]);
  return isString && code.subarray(0, opcode).some((byte) => byte === 0xf2 || byte === 0xf3);
}

const PREFIXES: readonly number[] = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3];
const STRING_OPCODES: readonly number[] = [0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf];
