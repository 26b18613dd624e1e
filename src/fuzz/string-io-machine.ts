/**
 * The emulator's side of a fuzz case: one VM, reused for all cases, driven as an embedder drives KVM. A case starts from a
 * reset vCPU; only within a family of cases, and after a clean end, is nothing but registers and segments put back.
 */

import { kvmIoBusRegisterDev, kvmIoBusUnregisterDev } from '../bus/io-bus.ts';
import type { IoDevice } from '../bus/io-device.ts';
import { X86_EFLAGS_RF, X86_EFLAGS_VM } from '../cpu/registers.ts';
import type { BlockWitness } from '../jit/block-witness.ts';
import { EVERY_INSTRUCTION } from '../jit/every-instruction.ts';
import { Kvm } from '../kvm/kvm.ts';
import { orThrow } from '../kvm/or-throw.ts';
import { getRegs, readRegs, setRegs, setSregs } from '../kvm/regs.ts';
import type { Vcpu } from '../kvm/vcpu.ts';
import type { Vm } from '../kvm/vm.ts';
import {
  KVM_EXIT_HLT,
  KVM_EXIT_IO,
  KVM_EXIT_IO_IN,
  KVM_EXIT_NAMES,
  KVM_PIO_BUS,
  type KvmRegs,
} from '../uapi/kvm.ts';
import { MACHINE_RAM_BYTES } from './case-layout.ts';
import { endOfCode, fillCaseMemory } from './case-memory.ts';
import { setCaseSregs } from './case-sregs.ts';
import type { PortWorld } from './port-world.ts';
import { CASE_SEGMENTS, isSameFamily, type StringIoCase } from './string-io-case.ts';
import type { StringIoEngine } from './string-io-engine.ts';
import { WorldBoard } from './world-board.ts';

/** Ticks that any case may take, and how many for each element that the model has moved: an emulator that does not end ends. */
const BASE_TICKS = 2000;
const TICKS_PER_ELEMENT = 4;
/** Numbers of {@link CASE_SEGMENTS} in the processor's own order: ES CS SS DS FS GS. */
const SEGMENT_NUMBERS = [1, 3, 0, 4, 5, 2] as const;
/** Selector, base, limit, attributes. */
const WORDS = 4;

/** What `StringIoMachine.tally` counts. */
export const TALLY_NAMES = ['ticks', 'exits', 'I/O exits', 'exits to userspace', 'emulations'] as const;

/** How a case ended, and the registers then: the machine's own, good until the next case ends. */
export interface MachineEnd {
  /** `HLT`, or what came instead of it. */
  readonly end: string;
  readonly registers: KvmRegs;
  readonly cr2: number;
  /** By position in {@link CASE_SEGMENTS}. */
  readonly selectors: readonly number[];
}

/** See the opening comment. */
export class StringIoMachine {
  readonly vm: Vm;
  readonly vcpu: Vcpu;
  #devices: IoDevice[] = [];
  /** The case that ended well before this one, and the segments that its family starts from. */
  #last: StringIoCase | null = null;
  readonly #segments = new Float64Array(CASE_SEGMENTS.length * WORDS);
  readonly #selectors = [0, 0, 0, 0, 0, 0];
  readonly #registers: KvmRegs;
  readonly engine: StringIoEngine;
  /** Of the last case, by position in {@link TALLY_NAMES}. */
  readonly tally = new Float64Array(TALLY_NAMES.length);
  /** Cases in which generated code has run. */
  generatedCases = 0;
  /** All blocks are one: which of them ran is nobody's question. */
  readonly #blocks: BlockWitness = { entered: new Uint8Array(1), add: () => 0 };

  constructor(engine: StringIoEngine = 'exits') {
    this.engine = engine;
    const jit = engine === 'generated' ? { ...EVERY_INSTRUCTION, witness: this.#blocks } : false;
    this.vm = orThrow(new Kvm().createVm({ jit }), 'KVM_CREATE_VM');
    this.vm.setUserMemoryRegion({ slot: 0, flags: 0, guest_phys_addr: 0, memory_size: MACHINE_RAM_BYTES });
    this.vcpu = orThrow(this.vm.createVcpu(0), 'KVM_CREATE_VCPU');
    this.#registers = getRegs(this.vcpu.cpu);
    fillCaseMemory(this.vm.memory.ram);
  }

  /** Empties the caches of the processor; the next case is set up from scratch. */
  forget(): void {
    this.#last = null;
    this.vcpu.cpu.cache.clear();
    this.vcpu.cpu.flushTlb();
  }

  /** Registers, segments, ports as the case says. The code is already in RAM. */
  load(test: StringIoCase, ports: PortWorld): void {
    const { vcpu } = this;
    const last = this.#last;
    if (last === null || !isSameFamily(last, test)) {
      this.#reset(test);
      this.#wire(test, ports);
    } else {
      this.#restoreSegments();
      if (test.paging !== null) this.#restorePaging();
    }
    this.#last = null;
    // A new vCPU's read-ahead buffer is all zero.
    vcpu.ctxt.ioReadData.fill(0);
    const { eflags } = test.registers;
    const regs = test.mode === 'v86' ? { ...test.registers, eflags: eflags | X86_EFLAGS_VM } : test.registers;
    // KVM_SET_REGS without its look at the structure, which costs more than many a case.
    setRegs(vcpu.cpu, regs);
  }

  /** Runs to the HLT; exits are answered by `ports`. `elements`: how many the model has moved. */
  run(test: StringIoCase, ports: PortWorld, elements: number): MachineEnd {
    const { vcpu } = this;
    const { run } = vcpu;
    vcpu.tickLimit = this.vm.clock.ticks + BASE_TICKS + TICKS_PER_ELEMENT * elements;
    this.#count(-1);
    let moves = test.userspace === 'move';
    let result = vcpu.kvmRun();
    while (result === 0 && run.exit_reason === KVM_EXIT_IO) {
      const { direction, port, size, count } = run.io;
      if (direction === KVM_EXIT_IO_IN) ports.userRead(port, size, count, run.pioData);
      else ports.userWrite(port, size, count, run.pioData);
      if (moves) this.#moveRip(test);
      moves = false;
      result = vcpu.kvmRun();
    }
    const isHalt = result === 0 && run.exit_reason === KVM_EXIT_HLT;
    if (isHalt) this.#last = test;
    this.#count(1);
    this.generatedCases += this.#blocks.entered[0];
    this.#blocks.entered[0] = 0;
    const { segSelector } = vcpu.cpu;
    for (let i = 0; i < CASE_SEGMENTS.length; i++) this.#selectors[i] = segSelector[SEGMENT_NUMBERS[i]];
    const other =
      result === 0 ? (KVM_EXIT_NAMES[run.exit_reason] ?? String(run.exit_reason)) : `errno ${result}`;
    const registers = this.#registers;
    readRegs(vcpu.cpu, registers);
    return { end: isHalt ? 'HLT' : other, registers, cr2: vcpu.cpu.cr2 >>> 0, selectors: this.#selectors };
  }

  /** Begins with what stands on the counters (`sign` −1, before a case), or takes that from what stands there now (1, behind it). */
  #count(sign: 1 | -1): void {
    const { tally } = this;
    const { stat, kvm } = this.vcpu;
    const before = sign < 0 ? 0 : 1;
    tally[0] = before * tally[0] + sign * kvm.clock.ticks;
    tally[1] = before * tally[1] + sign * stat.exits;
    tally[2] = before * tally[2] + sign * stat.io_exits;
    tally[3] = before * tally[3] + sign * stat.userspace_io_exits;
    tally[4] = before * tally[4] + sign * stat.insn_emulation;
  }

  /** Userspace goes on behind the code. A REP that was under way has left RF set: a new place has none. */
  #moveRip(test: StringIoCase): void {
    const regs = this.vcpu.getRegs();
    regs.eip = endOfCode(test);
    regs.eflags &= ~X86_EFLAGS_RF;
    this.vcpu.setRegs(regs);
  }

  /** A vCPU as at power-on, with the control registers and segments of the case. */
  #reset(test: StringIoCase): void {
    const { vcpu } = this;
    vcpu.resetVcpu();
    vcpu.forceEmulation = test.path === 'forced' ? 1 : 0;
    const sregs = vcpu.getSregs();
    setCaseSregs(sregs, test);
    // KVM_SET_SREGS without its look at the structure, as with KVM_SET_REGS.
    setSregs(vcpu.cpu, sregs);
    const { segSelector, segBase, segLimit, segAttr } = vcpu.cpu;
    const saved = this.#segments;
    for (let seg = 0; seg < CASE_SEGMENTS.length; seg++) {
      saved[seg * WORDS] = segSelector[seg];
      saved[seg * WORDS + 1] = segBase[seg];
      saved[seg * WORDS + 2] = segLimit[seg];
      saved[seg * WORDS + 3] = segAttr[seg];
    }
  }

  /** What the family started from. An exception has changed whole segments, with another selector or other rights. */
  #restoreSegments(): void {
    const { cpu } = this.vcpu;
    const saved = this.#segments;
    for (let seg = 0; seg < CASE_SEGMENTS.length; seg++) {
      const at = seg * WORDS;
      const isSame =
        cpu.segSelector[seg] === saved[at] &&
        cpu.segBase[seg] === saved[at + 1] &&
        cpu.segLimit[seg] === saved[at + 2] &&
        cpu.segAttr[seg] === saved[at + 3];
      if (!isSame) cpu.setSegment(seg, saved[at], saved[at + 1], saved[at + 2], saved[at + 3]);
    }
  }

  /** The page tables have been put back behind the processor's back, and its copies of them are wrong. */
  #restorePaging(): void {
    const { cpu } = this.vcpu;
    cpu.cr2 = 0;
    cpu.tlbs.flush(false);
  }

  #wire(test: StringIoCase, ports: PortWorld): void {
    const isInline = this.engine !== 'exits';
    const board = isInline ? new WorldBoard(ports) : ports;
    this.vcpu.userspace = test.userspace === 'bus' ? board : null;
    const bus = this.vm.buses[KVM_PIO_BUS];
    for (const device of this.#devices) kvmIoBusUnregisterDev(bus, device);
    const wired = ports.ioDevices(isInline);
    for (const { base, len, device } of wired) kvmIoBusRegisterDev(bus, base, len, device);
    this.#devices = wired.map(({ device }) => device);
  }
}
