/**
 * A small machine for single instructions and short programs, on any engine: 256 KiB of RAM, a few lines of code at
 * 0x7C00, and an exception handler a vector that says which one it was by where it stops.
 *
 *     0x00000  real-mode vectors, all to 0000:0600 + 4·vector
 *     0x00600  32 handlers of 4 bytes: out 0xf4,al; hlt
 *     0x01000  GDT      0x01800  IDT: 32-bit interrupt gates, selector 8
 *     0x03000  TSS with the I/O bitmap
 *     0x07c00  code     0x09000  stack of ring 0     0x10000  data
 *
 * A program ends when it writes to {@link END_PORT}.
 */
import { type KernelDeviceStates, readKernelDevices, writeKernelDevices } from '../boards/kernel-devices.ts';
import type { Engine, EngineVcpu, EngineVm } from '../boards/vmm.ts';
import { EmulatorError } from '../errors.ts';
import { orThrow } from '../kvm/or-throw.ts';
import { EINTR, errnoName } from '../uapi/errno.ts';
import {
  KVM_EXIT_HLT,
  KVM_EXIT_IO,
  KVM_EXIT_IO_IN,
  KVM_EXIT_MMIO,
  KVM_PIT_SPEAKER_DUMMY,
  type KvmRegs,
  type KvmSregs,
} from '../uapi/kvm.ts';
import { type BedMode, modeSregs, writeTables } from './bed-modes.ts';

export const BED_RAM = 0x4_0000;
export const CODE = 0x7c00;
export const STACK = 0x7000;
export const DATA = 0x1_0000;
/** OUT of a byte here ends a program. */
export const END_PORT = 0xf4;
const HANDLERS = 0x600;
const HANDLER_SIZE = 4;

/** An engine whose machines a bed can use. */
export interface BedEngine extends Engine {
  /**
   * Whether one machine serves many programs (a kernel's takes milliseconds to make). Otherwise each gets a new one: a
   * bed writes programs into memory behind the back of a decode cache.
   */
  readonly reusesMachine: boolean;
  /** Whether the processor sleeps inside the kernel. */
  isHalted(): boolean;
  /** Events and activity of a processor that is used again: as after power-on. */
  resetVcpu?(): void;
}

/** What happened at one exit. */
export interface BedExit {
  /** KVM_EXIT_*. */
  readonly reason: number;
  /** `kvm_run.io` or `kvm_run.mmio`: 1 for OUT and writes. */
  readonly isOut: boolean;
  readonly size: number;
  /** Port, or address. */
  readonly port: number;
  readonly count: number;
  /** What the guest wrote, or what it was answered. */
  readonly data: Uint8Array;
  readonly regs: KvmRegs;
}

/** Why a program ended: it was done, or the exit that stopped it, or nothing came back in time. */
export type BedEnd =
  | 'done'
  | 'hung'
  | 'too-many-exits'
  | { readonly exit: number; readonly suberror: number };

/** What userspace does with an exit. */
export interface BedHost {
  /** Fills `data` of an IN or a memory read. */
  answer(data: Uint8Array, index: number): void;
  /** Called after exit number `index`, before the guest goes on: interrupt lines. */
  afterExit?(index: number, vm: EngineVm): void;
}

/** A program and everything it starts from. */
export interface BedProgram {
  readonly mode: BedMode;
  readonly code: Uint8Array;
  readonly regs: Readonly<Partial<KvmRegs>>;
  /** Segments that differ from the mode's. */
  readonly adjust?: (sregs: KvmSregs) => void;
  /** Bytes for memory, on top of the tables. */
  readonly memory?: readonly { readonly at: number; readonly bytes: Uint8Array }[];
  /** Fills all memory from {@link DATA} on. */
  readonly fillData?: (data: Uint8Array) => void;
}

/** What a program left. */
export interface BedResult {
  readonly end: BedEnd;
  readonly exits: readonly BedExit[];
  readonly regs: KvmRegs;
  readonly sregs: KvmSregs;
}

/** What every program starts from. */
interface InitialState {
  readonly sregs: KvmSregs;
  readonly devices: KernelDeviceStates | null;
}

const GSIS = 24;
/** Exits of one access: a batch of INS is 1 KiB at most. */
const MAX_FRAGMENTS = 200;
/** Timer signals or slices that a program may take without an exit. */
const MAX_INTERRUPTIONS = 40;

/** The machine. One bed runs many programs, one after the other. */
export class TestBed {
  readonly engine: BedEngine;
  readonly hasIrqchip: boolean;
  readonly ram: Uint8Array;
  vm: EngineVm;
  vcpu: EngineVcpu;
  #initial: InitialState;
  #isFresh = true;

  /** @throws EmulatorError `E_IOCTL` when the engine refuses. */
  constructor(engine: BedEngine, hasIrqchip: boolean) {
    this.engine = engine;
    this.hasIrqchip = hasIrqchip;
    this.ram = engine.allocate(BED_RAM);
    this.vm = this.#createVm();
    this.vcpu = engine.createVcpu();
    this.#initial = this.#initialState();
  }

  #createVm(): EngineVm {
    const vm = this.engine.createVm();
    if (this.hasIrqchip) {
      orThrow(vm.createIrqchip(), 'KVM_CREATE_IRQCHIP');
      orThrow(vm.createPit2({ flags: KVM_PIT_SPEAKER_DUMMY }), 'KVM_CREATE_PIT2');
    }
    const region = { slot: 0, flags: 0, guest_phys_addr: 0, memory_size: BED_RAM, mem: this.ram };
    orThrow(vm.setUserMemoryRegion(region), 'KVM_SET_USER_MEMORY_REGION');
    return vm;
  }

  #initialState(): InitialState {
    const sregs = this.sregs();
    return { sregs, devices: this.hasIrqchip ? readKernelDevices(this.vm) : null };
  }

  /** A machine as if no program had run on it. */
  #renew(): void {
    if (this.#isFresh) {
      this.#isFresh = false;
      return;
    }
    if (!this.engine.reusesMachine) {
      this.vm = this.#createVm();
      this.vcpu = this.engine.createVcpu();
      return;
    }
    this.#completePending();
    const { devices } = this.#initial;
    if (devices !== null) {
      // The levels of the lines are not part of any structure.
      for (let gsi = 0; gsi < GSIS; gsi++) this.vm.irqLine(gsi, 0);
      writeKernelDevices(this.vm, devices);
    }
    this.engine.resetVcpu?.();
  }

  regs(): KvmRegs {
    return orThrow(this.vcpu.getRegs(), 'KVM_GET_REGS');
  }

  sregs(): KvmSregs {
    return orThrow(this.vcpu.getSregs(), 'KVM_GET_SREGS');
  }

  /** Puts a program and its machine state in place. @throws EmulatorError `E_IOCTL` when the engine refuses it. */
  prepare(program: BedProgram): void {
    this.#renew();
    const { ram, vcpu } = this;
    ram.fill(0);
    for (let vector = 0; vector < 256; vector++) {
      const at = HANDLERS + HANDLER_SIZE * (vector & 31);
      ram[4 * vector] = at & 0xff;
      ram[4 * vector + 1] = at >> 8;
    }
    for (let vector = 0; vector < 32; vector++) {
      ram.set([0xe6, END_PORT, 0xf4], HANDLERS + HANDLER_SIZE * vector);
    }
    writeTables(ram, HANDLERS, HANDLER_SIZE);
    program.fillData?.(ram.subarray(DATA));
    for (const { at, bytes } of program.memory ?? []) ram.set(bytes, at);
    ram.set(program.code, CODE);
    const sregs = modeSregs(this.#initial.sregs, program.mode);
    program.adjust?.(sregs);
    orThrow(vcpu.setSregs(sregs), 'KVM_SET_SREGS');
    vcpu.setRegs({ ...ZERO_REGS, eip: CODE, esp: STACK, eflags: 2, ...program.regs });
  }

  /** Runs what {@link prepare} has set up. */
  run(host: BedHost, maxExits: number): BedResult {
    const { vcpu } = this;
    const exits: BedExit[] = [];
    const end = this.#run(host, maxExits, exits);
    const { exit_reason } = vcpu.run;
    if (end !== 'done' && (exit_reason === KVM_EXIT_IO || exit_reason === KVM_EXIT_MMIO))
      this.#completePending();
    return { end, exits, regs: this.regs(), sregs: this.sregs() };
  }

  #run(host: BedHost, maxExits: number, exits: BedExit[]): BedEnd {
    const { vcpu } = this;
    const { run } = vcpu;
    for (let interruptions = 0; exits.length < maxExits; ) {
      const r = vcpu.kvmRun();
      if (r === -EINTR) {
        if (this.engine.isHalted()) return { exit: KVM_EXIT_HLT, suberror: 0 };
        if (++interruptions > MAX_INTERRUPTIONS) return 'hung';
        continue;
      }
      if (r < 0) throw new EmulatorError('E_IOCTL', `KVM_RUN: ${errnoName(r)}`);
      const exit = this.#takeExit(host, exits.length);
      if (exit === null) return { exit: run.exit_reason, suberror: run.internal.suberror };
      if (exit.reason === KVM_EXIT_IO && exit.isOut && exit.port === END_PORT) {
        this.#completePending();
        return 'done';
      }
      exits.push(exit);
      host.afterExit?.(exits.length - 1, this.vm);
    }
    return 'too-many-exits';
  }

  #takeExit(host: BedHost, index: number): BedExit | null {
    const { run } = this.vcpu;
    const reason = run.exit_reason;
    const regs = this.regs();
    if (reason === KVM_EXIT_IO) {
      const { direction, size, port, count } = run.io;
      const isOut = direction !== KVM_EXIT_IO_IN;
      const bytes = run.pioData.subarray(0, size * count);
      if (!isOut) host.answer(bytes, index);
      return { reason, isOut, size, port, count, data: bytes.slice(), regs };
    }
    if (reason === KVM_EXIT_MMIO) {
      const { is_write, len, phys_addr, data } = run.mmio;
      const bytes = data.subarray(0, len);
      if (is_write === 0) host.answer(bytes, index);
      return {
        reason,
        isOut: is_write !== 0,
        size: len,
        port: phys_addr,
        count: 1,
        data: bytes.slice(),
        regs,
      };
    }
    return null;
  }

  /** Finishes an access that is under way, without running on. */
  #completePending(): void {
    const { run } = this.vcpu;
    run.immediate_exit = 1;
    // A write of many bytes to where no memory is leaves eight bytes an exit.
    for (let i = 0; i < MAX_FRAGMENTS && this.vcpu.kvmRun() === 0; i++);
    run.immediate_exit = 0;
  }
}

const ZERO_REGS: KvmRegs = {
  eax: 0,
  ebx: 0,
  ecx: 0,
  edx: 0,
  esi: 0,
  edi: 0,
  esp: 0,
  ebp: 0,
  eip: 0,
  eflags: 2,
};

/** Vector whose handler a program ended in, or null: EIP stands behind the handler's OUT. */
export function vectorOf({ end, regs }: Pick<BedResult, 'end' | 'regs'>): number | null {
  const at = regs.eip - HANDLERS;
  const isHandler = end === 'done' && at >= 0 && at < 32 * HANDLER_SIZE;
  return isHandler ? Math.floor(at / HANDLER_SIZE) : null;
}
