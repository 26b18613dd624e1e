/**
 * Format `sst80286`: single instructions recorded from a real 80286 in real mode (SingleStepTests, Daniel Balsom;
 * vectors/sst80286/FORMAT.md). Here the processor is the judge: a bare CPU without interrupt controller, a bus that
 * answers all ones to every read, REP INS one element at a time.
 *
 * Cases tagged `d386`, where a 386 and later behaves otherwise, are excluded by tag.
 */
import { type Cpu, FAULT_NONE } from '../cpu/cpu.ts';
import { getEflags, setEflags } from '../cpu/flags.ts';
import { AR_REAL_CODE, AR_REAL_DATA, EAX, EBP, EBX, ECX, EDI, EDX, ESI, ESP } from '../cpu/registers.ts';
import { SEG_CS, SEG_DS, SEG_ES, SEG_FS, SEG_GS, SEG_SS } from '../decoder/insn.ts';
import type { UserspaceBus } from '../emulate/kvm-vcpu.ts';
import type { JitOptions } from '../jit/engine.ts';
import { Kvm } from '../kvm/kvm.ts';
import { orThrow } from '../kvm/or-throw.ts';
import type { Vcpu } from '../kvm/vcpu.ts';
import type { Vm } from '../kvm/vm.ts';
import { type IoSize, KVM_EXIT_HLT } from '../uapi/kvm.ts';
import { type CaseDiff, hex } from './case-diff.ts';
import { exitText } from './exit-text.ts';
import { type FlagMasks, flagMasks, maskOf } from './flag-masks.ts';
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

/** Covers everything that seg·16 + offset reaches: 000000h–10FFEFh. */
const RAM_BYTES = 0x11_0000;
/** Far more than any case needs; a CPU that runs away stops here. */
const TICK_BUDGET = 100_000;
/** CF PF AF ZF SF OF: undefined after the #DE of AAM 0, pushed word included. */
const STATUS = 0x8d5;

/** Register names of the format and where they are. */
const GPRS = [
  ['ax', EAX],
  ['bx', EBX],
  ['cx', ECX],
  ['dx', EDX],
  ['sp', ESP],
  ['bp', EBP],
  ['si', ESI],
  ['di', EDI],
] as const;
const SEGMENTS = [
  ['cs', SEG_CS],
  ['ss', SEG_SS],
  ['ds', SEG_DS],
  ['es', SEG_ES],
] as const;

/** Nothing connected: every read is all ones; writes are remembered. */
class OpenBus implements UserspaceBus {
  /** Four numbers an access: 1 for IN, port, size, value. */
  readonly log: number[] = [];

  read(port: number, size: IoSize): number {
    const value = 2 ** (8 * size) - 1;
    this.log.push(1, port, size, value);
    return value;
  }

  write(port: number, size: IoSize, value: number): void {
    this.log.push(0, port, size, value);
  }
}

/** See the opening comment. */
export const SST80286: VectorFormat = {
  name: 'sst80286',
  detect: (first) => typeof first.bytes === 'string' && 'in' in first && 'out' in first,
  open: (_first, folder, jit) => new Sst80286Replayer(folder, 0, jit),
};

/** Runs sst80286 cases on one bare machine. */
export class Sst80286Replayer implements Replayer {
  readonly #masks: FlagMasks;
  readonly #vm: Vm;
  readonly #vcpu: Vcpu;
  readonly #cpu: Cpu;
  readonly #memory: JudgedMemory;
  readonly #bus = new OpenBus();

  /**
   * @param forceEmulation 1: IN and OUT through KVM's instruction emulator, as `--force-emulation` does.
   * @param jit when code is generated; false: never.
   */
  constructor(folder: string, forceEmulation = 0, jit: JitOptions | false = false) {
    this.#masks = flagMasks(folder);
    this.#vm = orThrow(new Kvm().createVm({ jit }), 'KVM_CREATE_VM');
    this.#vm.setUserMemoryRegion({ slot: 0, flags: 0, guest_phys_addr: 0, memory_size: RAM_BYTES });
    this.#vcpu = orThrow(this.#vm.createVcpu(0), 'KVM_CREATE_VCPU');
    this.#vcpu.userspace = this.#bus;
    this.#vcpu.maxInsBatch = 1;
    this.#vcpu.forceEmulation = forceEmulation;
    this.#cpu = this.#vcpu.cpu;
    this.#memory = new JudgedMemory(this.#vm.memory);
  }

  get cpu(): Cpu {
    return this.#cpu;
  }

  exclusions(test: JsonObject): readonly string[] {
    return test.d386 === undefined ? [] : arrayField(test, 'd386').map(String);
  }

  idOf(test: JsonObject): string {
    return `i=${String(test.i)}`;
  }

  describe(test: JsonObject): string {
    return `${stringField(test, 'bytes').replace(/..(?=.)/g, '$& ')}  ${String(test.name)}`;
  }

  replay(test: JsonObject, diff: CaseDiff): void {
    try {
      const before = objectField(test, 'in');
      const registers = objectField(before, 'regs');
      for (const [addr, byte] of bytePairs(before, 'ram')) this.#memory.load(addr, byte);
      this.#load(registers);
      this.#memory.arm();
      this.#bus.log.length = 0;
      this.#vcpu.tickLimit = this.#vm.clock.ticks + TICK_BUDGET;
      const result = this.#vcpu.kvmRun();
      if (result !== 0 || this.#vcpu.run.exit_reason !== KVM_EXIT_HLT) {
        diff.text('end', 'HLT', exitText(result, this.#vcpu.run));
      }
      this.#compare(test, registers, diff);
    } finally {
      this.#memory.restore();
    }
  }

  finish(diff: CaseDiff): void {
    const stray = this.#memory.audit();
    if (stray >= 0)
      diff.text(`mem ${hex(stray, 5)}`, 'no store, or its page marked as written', 'stored unmarked');
  }

  #load(registers: JsonObject): void {
    const cpu = this.#cpu;
    this.#vcpu.resetVcpu();
    cpu.cr0 = 0x10;
    cpu.fault = FAULT_NONE;
    for (const [name, gpr] of GPRS) cpu.gpr[gpr] = numberField(registers, name, 0xffff);
    for (const [name, seg] of SEGMENTS) {
      const selector = numberField(registers, name, 0xffff);
      cpu.setSegment(seg, selector, selector << 4, 0xffff, seg === SEG_CS ? AR_REAL_CODE : AR_REAL_DATA);
    }
    cpu.setSegment(SEG_FS, 0, 0, 0xffff, AR_REAL_DATA);
    cpu.setSegment(SEG_GS, 0, 0, 0xffff, AR_REAL_DATA);
    cpu.eip = numberField(registers, 'ip', 0xffff);
    setEflags(cpu, (numberField(registers, 'flags', 0xffff) & 0xfff) | 2);
  }

  #compare(test: JsonObject, before: JsonObject, diff: CaseDiff): void {
    const cpu = this.#cpu;
    const out = objectField(test, 'out');
    const after = objectField(out, 'regs');
    const want = (name: string): number => numberField(name in after ? after : before, name, 0xffff);
    for (const [name, gpr] of GPRS) diff.number(name, want(name), cpu.gpr[gpr] >>> 0, 4);
    for (const [name, seg] of SEGMENTS) {
      diff.number(name, want(name), cpu.segSelector[seg], 4);
      diff.number(`${name} base`, want(name) << 4, cpu.segBase[seg], 5);
    }
    diff.number('fs', 0, cpu.segSelector[SEG_FS], 4);
    diff.number('gs', 0, cpu.segSelector[SEG_GS], 4);
    diff.number('ip', want('ip'), cpu.eip & 0xffff, 4);

    const bytes = asBytes(test.bytes, 'bytes');
    const exception = test.ex === undefined ? null : objectField(test, 'ex');
    let mask = maskOf(this.#masks, bytes);
    if (exception !== null && isAam0(bytes)) mask &= ~STATUS;
    const eflags = getEflags(cpu);
    diff.flags('flags', want('flags'), eflags & 0xffff, mask);
    diff.number('eflags 31:16', 0, eflags >>> 16, 4);

    for (const [addr, byte] of bytePairs(out, 'ram')) this.#memory.expect(addr, byte);
    if (exception !== null) {
      const at = numberField(exception, 'flags_at', RAM_BYTES - 2);
      this.#memory.undefinedBits(at, mask & 0xff);
      this.#memory.undefinedBits(at + 1, mask >> 8);
    }
    this.#memory.compare(diff);
    this.#compareIo(test, diff);
  }

  #compareIo(test: JsonObject, diff: CaseDiff): void {
    const want = test.io === undefined ? [] : arrayField(test, 'io');
    const { log } = this.#bus;
    const count = Math.max(want.length, log.length / 4);
    for (let i = 0; i < count; i++) {
      const expected = i < want.length ? ioText(asRow(want[i], 'io', 4)) : 'no access';
      const [isIn, port, size, value] = log.slice(4 * i, 4 * i + 4);
      const got = port === undefined ? 'no access' : ioText([isIn === 1 ? 'in' : 'out', port, size, value]);
      if (expected !== got) diff.text(`io ${i}`, expected, got);
    }
  }
}

/** The `[address, byte]` pairs of a field. */
function bytePairs(from: JsonObject, name: string): readonly (readonly [number, number])[] {
  return arrayField(from, name).map((pair) => {
    const row = asRow(pair, name, 2);
    return [asNumber(row[0], name, RAM_BYTES - 1), asNumber(row[1], name, 0xff)] as const;
  });
}

function ioText(row: readonly unknown[]): string {
  return `${String(row[0])} port ${hex(Number(row[1]), 4)} size ${String(row[2])} value ${hex(Number(row[3]), 2)}`;
}

/** Whether the last two bytes before the closing HLT are AAM 0. */
function isAam0(bytes: Uint8Array): boolean {
  return bytes[bytes.length - 3] === 0xd4 && bytes[bytes.length - 2] === 0;
}
