/**
 * Format `kvm pio-*`: one I/O instruction a case on a real Linux KVM without in-kernel irqchip, so that each access
 * leaves as KVM_EXIT_IO (vectors/kvm/FORMAT.md). The recording host ran everything through its instruction emulator:
 * so do we (forced emulation). The replayer is the userspace: it drives KVM_RUN and answers.
 */

import type { Cpu } from '../cpu/cpu.ts';
import { disassemble } from '../decoder/disassemble.ts';
import { EmulatorError } from '../errors.ts';
import type { JitOptions } from '../jit/engine.ts';
import { Kvm } from '../kvm/kvm.ts';
import { orThrow } from '../kvm/or-throw.ts';
import type { Vcpu } from '../kvm/vcpu.ts';
import type { Vm } from '../kvm/vm.ts';
import { KVM_EXIT_HLT, KVM_EXIT_IO, KVM_EXIT_IO_IN, type KvmSegment } from '../uapi/kvm.ts';
import { type CaseDiff, hex } from './case-diff.ts';
import { exitText } from './exit-text.ts';
import {
  arrayField,
  asBytes,
  asNumber,
  asRow,
  type JsonObject,
  numberField,
  objectField,
  stringField,
} from './json-fields.ts';
import { JudgedMemory } from './judged-memory.ts';
import type { Replayer, VectorFormat } from './vector-format.ts';
import { Xorshift64 } from './xorshift64.ts';

const RAM_BYTES = 0x20_0000;
/** Below this all is zero but for vectors, handlers and code; above it the fill begins. */
const FILL_START = 0x1_0000;
const HANDLERS = 0x600;
const HANDLER_COUNT = 32;
const CODE_START = 0x7c00;
const HLT = 0xf4;
/** Tables of the protected modes. */
const GDT = 0x1000;
const IDT = 0x1800;
const TSS = 0x3000;
const IO_BITMAP = 0x3068;
const IO_BITMAP_BYTES = 0x2000;
const RING0_CODE = 8;
const RING0_DATA = 0x10;
const RING0_STACK = 0x9000;
const TR_SELECTOR = 0x28;
/** Upper half of a 32-bit interrupt gate of DPL 0, present. */
const INTERRUPT_GATE = 0x8e00;
/** Where the frame of an exception out of V86 mode lies: not recorded. */
const V86_FRAME_START = 0x8fd8;
const V86_FRAME_END = 0x9000;
const U32 = 0xffff_ffff;
/** Userspace's answers use the case's `fill` with these bits turned over. */
const ANSWER_SEED = 0xd1b5_4a32_d192_ed03n;
/** Far more than any case needs. */
const TICK_BUDGET = 100_000;
/** Exits beyond the expected ones that are still shown. */
const EXTRA_EXITS = 4;

const REGISTERS = ['eax', 'ebx', 'ecx', 'edx', 'esi', 'edi', 'esp', 'ebp'] as const;
const SEGMENTS = ['cs', 'ds', 'es', 'fs', 'gs', 'ss'] as const;

/** See the opening comment. */
export const KVM_PIO: VectorFormat = {
  name: 'kvm pio',
  detect: (first) => 'mode' in first && 'fill' in first && 'exits' in first,
  open: (_first, _folder, jit) => new KvmPioReplayer(jit),
};

class KvmPioReplayer implements Replayer {
  readonly #vm: Vm;
  readonly #vcpu: Vcpu;
  readonly #memory: JudgedMemory;
  readonly #words: Int32Array;

  constructor(jit: JitOptions | false) {
    this.#vm = orThrow(new Kvm().createVm({ jit }), 'KVM_CREATE_VM');
    this.#vm.setUserMemoryRegion({ slot: 0, flags: 0, guest_phys_addr: 0, memory_size: RAM_BYTES });
    this.#vcpu = orThrow(this.#vm.createVcpu(0), 'KVM_CREATE_VCPU');
    this.#vcpu.forceEmulation = 1;
    this.#memory = new JudgedMemory(this.#vm.memory);
    const { ram } = this.#vm.memory;
    this.#words = new Int32Array(ram.buffer, ram.byteOffset, RAM_BYTES / 4);
  }

  get cpu(): Cpu {
    return this.#vcpu.cpu;
  }

  exclusions(test: JsonObject): readonly string[] {
    const mode = stringField(test, 'mode');
    return mode in MODES ? [] : [`needs mode ${mode}`];
  }

  idOf(test: JsonObject): string {
    return `id=${String(test.id)}`;
  }

  describe(test: JsonObject): string {
    const text = stringField(test, 'code').replace(/..(?=.)/g, '$& ');
    return `${text}  ${disassemble(asBytes(test.code, 'code'), test.mode === 'prot' || test.mode === 'prot3' ? 32 : 16, CODE_START)}`;
  }

  replay(test: JsonObject, diff: CaseDiff): void {
    const before = objectField(test, 'in');
    const seed = fillSeed(test);
    const mode = modeOf(test);
    this.#fillRam(seed, asBytes(test.code, 'code'), mode);
    if (mode.isProtected) this.#fillTables(test);
    this.#memory.rebase();
    this.#loadState(test, before, mode);
    this.#memory.arm();
    this.#runExits(test, new Xorshift64(seed ^ ANSWER_SEED), diff);
    this.#compareState(test, before, mode, diff);
    if (mode.isV86) this.#vm.memory.ram.fill(0, V86_FRAME_START, V86_FRAME_END);
    this.#compareMemory(test, diff);
  }

  finish(): void {}

  #fillRam(seed: bigint, code: Uint8Array, mode: Mode): void {
    const { ram } = this.#vm.memory;
    ram.fill(0, 0, FILL_START);
    for (let vector = 0; vector < 256; vector++) {
      const handler = HANDLERS + (vector % HANDLER_COUNT) * 4;
      ram[vector * 4] = handler & 0xff;
      ram[vector * 4 + 1] = handler >> 8;
    }
    for (let i = 0; i < HANDLER_COUNT; i++) ram[HANDLERS + i * 4] = HLT;
    ram.set(code, CODE_START);
    ram.set(mode.end, CODE_START + code.length);
    new Xorshift64(seed).fill(this.#words.subarray(FILL_START / 4));
  }

  /** GDT, IDT, TSS and its I/O bitmap. */
  #fillTables(test: JsonObject): void {
    const { ram, view } = this.#vm.memory;
    ram.set(asBytes(test.gdt, 'gdt'), GDT);
    for (let vector = 0; vector < HANDLER_COUNT; vector++) {
      view.setUint32(IDT + vector * 8, (RING0_CODE << 16) | (HANDLERS + vector * 4), true);
      view.setUint32(IDT + vector * 8 + 4, INTERRUPT_GATE, true);
    }
    view.setUint32(TSS + 4, RING0_STACK, true);
    view.setUint16(TSS + 8, RING0_DATA, true);
    view.setUint16(TSS + 0x66, numberField(test, 'iomap', 0xffff), true);
    for (const pair of arrayField(test, 'iobitmap')) {
      const [at, value] = asRow(pair, 'iobitmap', 2);
      ram[IO_BITMAP + asNumber(at, 'iobitmap', IO_BITMAP_BYTES - 1)] = asNumber(value, 'iobitmap', 0xff);
    }
    ram[IO_BITMAP + IO_BITMAP_BYTES] = 0xff;
  }

  #loadState(test: JsonObject, before: JsonObject, mode: Mode): void {
    const vcpu = this.#vcpu;
    vcpu.resetVcpu();
    const sregs = vcpu.getSregs();
    for (const name of SEGMENTS) sregs[name] = segment(before, name, mode);
    sregs.cr0 = mode.isProtected ? 0x11 : 0x10;
    if (mode.isProtected) {
      const limit = numberField(test, 'tr_limit', U32);
      sregs.tr = {
        ...sregs.tr,
        selector: TR_SELECTOR,
        base: TSS,
        limit,
        type: 11,
        s: 0,
        present: 1,
        unusable: 0,
      };
      sregs.gdt = { base: GDT, limit: 0xff };
      sregs.idt = { base: IDT, limit: 0xff };
    }
    vcpu.setSregs(sregs);
    const regs = vcpu.getRegs();
    for (const name of REGISTERS) regs[name] = numberField(before, name, U32);
    regs.eip = numberField(before, 'eip', U32);
    regs.eflags = numberField(before, 'eflags', U32);
    vcpu.setRegs(regs);
    vcpu.tickLimit = this.#vm.clock.ticks + TICK_BUDGET;
  }

  /** Runs the guest to its HLT, being its userspace; exits are compared in order. */
  #runExits(test: JsonObject, answers: Xorshift64, diff: CaseDiff): void {
    const want = arrayField(test, 'exits');
    const { run } = this.#vcpu;
    for (let i = 0; ; i++) {
      const result = this.#vcpu.kvmRun();
      const isIo = result === 0 && run.exit_reason === KVM_EXIT_IO;
      if (isIo && run.io.direction === KVM_EXIT_IO_IN) {
        const data = run.pioData;
        for (let at = 0; at < run.io.size * run.io.count; at++) data[at] = answers.byte();
      }
      const expected = i < want.length ? wantedExit(asRow(want[i], 'exits', 5)) : 'HLT';
      const isHalt = result === 0 && run.exit_reason === KVM_EXIT_HLT;
      const got = isIo ? this.#exit() : isHalt ? 'HLT' : exitText(result, run);
      if (expected !== got) differentExits(i, expected, got, diff);
      if (!isIo || i >= want.length + EXTRA_EXITS) return;
    }
  }

  #exit(): string {
    const { io, pioData } = this.#vcpu.run;
    const bytes = Buffer.from(pioData.subarray(0, io.size * io.count)).toString('hex');
    return exitLine(io.direction === KVM_EXIT_IO_IN ? 'in' : 'out', io.port, io.size, io.count, bytes);
  }

  #compareState(test: JsonObject, before: JsonObject, mode: Mode, diff: CaseDiff): void {
    const after = objectField(test, 'out');
    const regs = this.#vcpu.getRegs();
    for (const name of REGISTERS)
      if (name !== 'esp' || !mode.isV86)
        diff.number(name, numberField(name in after ? after : before, name, U32), regs[name], 8);
    diff.number('eip', numberField(after, 'eip', U32), regs.eip, 8);
    diff.flags('eflags', numberField(after, 'eflags', U32), regs.eflags, -1);
    const sregs = this.#vcpu.getSregs();
    // What a stack switch and the way out of V86 mode do to the other segment registers is not recorded.
    const ended = 'cs' in after && mode.isProtected;
    for (const name of SEGMENTS) {
      if (ended && name !== 'cs' && (mode.isV86 || name === 'ss')) continue;
      const selector =
        name in after ? numberField(after, name, 0xffff) : segment(before, name, mode).selector;
      diff.number(name, selector, sregs[name].selector, 4);
    }
    const vector = test.vector ?? after.vector;
    const handler = regs.eip - 1 - HANDLERS;
    const got = handler >= 0 && handler < HANDLER_COUNT * 4 ? String(handler / 4) : 'none';
    const expected = vector === undefined ? 'none' : String(asNumber(vector, 'vector', 255));
    if (expected !== got) diff.text('vector', expected, got);
  }

  #compareMemory(test: JsonObject, diff: CaseDiff): void {
    for (const run of arrayField(test, 'mem')) {
      const [addr, bytes] = asRow(run, 'mem', 2);
      const at = asNumber(addr, 'mem', RAM_BYTES - 1);
      for (const [i, byte] of asBytes(bytes, 'mem').entries()) this.#memory.expect(at + i, byte);
    }
    this.#memory.compare(diff);
  }
}

function fillSeed(test: JsonObject): bigint {
  const text = stringField(test, 'fill');
  return BigInt(`0x${Buffer.from(asBytes(text, 'fill')).toString('hex')}`);
}

/** CPU modes of the files. */
interface Mode {
  readonly isProtected: boolean;
  readonly isV86: boolean;
  /** What stands behind the instruction: HLT, or UD2 where HLT is privileged. */
  readonly end: readonly number[];
}

const UD2 = [0x0f, 0x0b];
const MODES: Readonly<Record<string, Mode>> = {
  real: { isProtected: false, isV86: false, end: [HLT] },
  prot: { isProtected: true, isV86: false, end: [HLT] },
  prot3: { isProtected: true, isV86: false, end: UD2 },
  v86: { isProtected: true, isV86: true, end: UD2 },
};

function modeOf(test: JsonObject): Mode {
  const mode = MODES[stringField(test, 'mode')];
  if (mode === undefined) throw new EmulatorError('E_VECTOR', `mode ${String(test.mode)} is not known`);
  return mode;
}

function segment(before: JsonObject, name: string, mode: Mode): KvmSegment {
  const row = asRow(before[name], name, 4);
  const selector = asNumber(row[0], name, 0xffff);
  const limit = asNumber(row[2], name, U32);
  const isFlat = mode.isProtected && !mode.isV86;
  return {
    selector,
    base: asNumber(row[1], name, U32),
    limit,
    type: asNumber(row[3], name, 15),
    present: 1,
    dpl: mode.isV86 ? 3 : isFlat ? selector & 3 : 0,
    db: isFlat ? 1 : 0,
    s: 1,
    l: 0,
    g: limit > 0xfffff ? 1 : 0,
    avl: 0,
    unusable: 0,
  };
}

function wantedExit(row: readonly unknown[]): string {
  return exitLine(String(row[0]), Number(row[1]), Number(row[2]), Number(row[3]), String(row[4]));
}

function exitLine(direction: string, port: number, size: number, count: number, data: string): string {
  return `${direction} port ${hex(port, 4)} size ${size} count ${count} data ${data}`;
}

/** Characters of an exit that a report shows. */
const SHOWN = 90;

/** Reports two exits that differ; long data is cut so that the first difference is in view. */
function differentExits(i: number, expected: string, got: string, diff: CaseDiff): void {
  let first = 0;
  while (expected[first] === got[first]) first++;
  const from = Math.max(0, first - SHOWN / 2);
  const cut = (text: string): string => {
    const part = text.slice(from, from + SHOWN);
    return `${from > 0 ? '…' : ''}${part}${from + SHOWN < text.length ? '…' : ''}`;
  };
  diff.text(`exit ${i}`, cut(expected), cut(got));
}
