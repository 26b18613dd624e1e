/**
 * An independent model of IN, OUT, INS and OUTS under KVM, in real, protected and virtual-8086 mode without paging: plain code written from the Intel SDM and
 * from what is known of KVM's behaviour, sharing no code with cpu/, decoder/ and emulate/. Slow and obvious on
 * purpose: the fuzzer takes its word against the emulator's.
 *
 * What KVM does and the processor alone would not: REP INS is read in batches of at most 1024 bytes, limited by a
 * byte count to the end of the page that is compared with a number of elements; with DF = 0 a batch is stored as one
 * block whose limit is checked whole; OUTS leaves one element an exit; a REP on a plain IN reads ahead when the
 * instruction emulator runs it.
 */
import { IO_NOT_HANDLED, IO_NOTHING_STORED } from '../bus/io-device.ts';
import { IDT_BASE, TSS_BASE, TSS_IO_MAP_BASE } from './case-memory.ts';
import { decodeReference, FETCH_FAULT, NOT_MODELLED, type ReferenceInsn } from './reference-decode.ts';
import { CASE_SEGMENTS, type CaseMode, type SegmentAccess } from './string-io-case.ts';
import type { UndoRam } from './undo-ram.ts';

/** What is behind the ports: the kernel's devices, and userspace for the rest. */
export interface ReferencePorts {
  /** One element from a device in the kernel: its value, IO_NOT_HANDLED or IO_NOTHING_STORED. */
  kernelRead(port: number, size: number): number;
  /** @returns whether a device in the kernel took it. */
  kernelWrite(port: number, size: number, value: number): boolean;
  /** KVM_EXIT_IO for reading: userspace fills `data` (size · count bytes, zeroed before). */
  userRead(port: number, size: number, count: number, data: Uint8Array): void;
  /** KVM_EXIT_IO for writing. */
  userWrite(port: number, size: number, count: number, data: Uint8Array): void;
}

/** One segment register. */
export interface ReferenceSegment {
  selector: number;
  base: number;
  limit: number;
  /** Protected mode: what may be done with it. */
  access: SegmentAccess;
}

/** Registers, unsigned. */
export interface ReferenceState {
  eax: number;
  ebx: number;
  ecx: number;
  edx: number;
  esi: number;
  edi: number;
  ebp: number;
  esp: number;
  eip: number;
  eflags: number;
  es: ReferenceSegment;
  cs: ReferenceSegment;
  ss: ReferenceSegment;
  ds: ReferenceSegment;
  fs: ReferenceSegment;
  gs: ReferenceSegment;
}

/** How a run of the model ended. `not-modelled`: the case says nothing about the emulator. */
export type ReferenceEnd = 'hlt' | 'not-modelled' | 'limit';

/** What a run depends on besides the registers. */
export interface ReferenceSetup {
  readonly mode: CaseMode;
  readonly cpl: number;
  readonly tssLimit: number;
  /** IN and OUT also go through KVM's instruction emulator. */
  readonly isForced: boolean;
  /** Where userspace sets EIP at its first exit; −1: it does not. */
  readonly moveTo: number;
}

const GP = 13;
const SS = 12;
const UD = 6;
const TF_IF_RF_AC = 0x5_0300;
const TF_IF_NT_RF_VM = 0x3_4300;
const RF = 0x1_0000;
const VM = 0x2_0000;
const DF = 0x400;
const IOPL_SHIFT = 12;
/** Bytes of KVM's read-ahead buffer. */
const READ_AHEAD = 1024;
const PAGE = 4096;
/** A segment with this limit has no end to check. */
const U32 = 0xffff_ffff;
/** Limit of the smallest 32-bit TSS. */
const TSS_MIN_LIMIT = 103;
const TSS_ESP0 = 4;
const TSS_SS0 = 8;

/** One virtual CPU of the model. */
export class ReferenceModel {
  readonly state: ReferenceState;
  readonly #ram: UndoRam;
  readonly #ports: ReferencePorts;
  #mode: CaseMode = 'real';
  #cpl = 0;
  #tssLimit = 0;
  #isForced = false;
  #moveTo = -1;
  /** Where a fault of the INS under way leaves EIP; −1: where it is. */
  #faultEip = -1;
  /** Userspace has set registers at the exit of the IN under way. */
  #areRegistersSet = false;
  /** KVM's read-ahead buffer; its bytes survive from one instruction to the next. */
  readonly #ahead = new Uint8Array(READ_AHEAD);
  /** Bytes of it that may differ from zero. */
  #aheadUsed = 0;
  readonly #element = new Uint8Array(4);
  /** Vectors of the exceptions taken. */
  readonly vectors: number[] = [];
  /** Elements that INS and OUTS have moved; more than were asked for where a device went away in the middle of a batch. */
  moved = 0;
  /** The instruction at EIP, while nothing is stored and EIP stays. */
  #insn: ReferenceInsn | typeof FETCH_FAULT | typeof NOT_MODELLED = NOT_MODELLED;
  #insnEip = -1;
  #insnStores = 0;
  readonly #byteAt: (i: number) => number;

  constructor(ram: UndoRam, ports: ReferencePorts) {
    this.state = powerOnState();
    this.#ram = ram;
    this.#ports = ports;
    this.#byteAt = (i) => {
      const { cs, eip } = this.state;
      return eip + i > cs.limit ? -1 : this.#ram.bytes[cs.base + eip + i];
    };
  }

  /** Starts over. The caller fills {@link state}. */
  begin(setup: ReferenceSetup): void {
    this.#mode = setup.mode;
    this.#cpl = setup.cpl;
    this.#tssLimit = setup.tssLimit;
    this.#isForced = setup.isForced;
    this.#moveTo = setup.moveTo;
    this.#ahead.fill(0, 0, this.#aheadUsed);
    this.#aheadUsed = 0;
    this.vectors.length = 0;
    this.moved = 0;
    this.#insnEip = -1;
  }

  /** Runs until HLT, at most `maxSteps` entries into an instruction. */
  run(maxSteps: number): ReferenceEnd {
    for (let step = 0; step < maxSteps; step++) {
      const insn = this.#fetch();
      if (insn === NOT_MODELLED) return 'not-modelled';
      if (insn === FETCH_FAULT) {
        if (!this.#deliver(GP)) return 'not-modelled';
        continue;
      }
      const isHalt = insn.kind === 'hlt' && !insn.isLocked;
      if (isHalt && this.#cpl === 0) {
        this.state.eip += insn.length;
        return 'hlt';
      }
      const vector = insn.isLocked ? UD : isHalt ? GP : this.#execute(insn);
      if (vector !== 0 && !this.#deliver(vector)) return 'not-modelled';
    }
    return 'limit';
  }

  #fetch(): ReferenceInsn | typeof FETCH_FAULT | typeof NOT_MODELLED {
    const { eip } = this.state;
    if (this.#insnEip !== eip || this.#insnStores !== this.#ram.count) {
      this.#insn = decodeReference(this.#byteAt, this.#mode === 'prot32');
      this.#insnEip = eip;
      this.#insnStores = this.#ram.count;
    }
    return this.#insn;
  }

  /** @returns the vector of the fault, 0 without one. */
  #execute(insn: ReferenceInsn): number {
    const port = insn.port >= 0 ? insn.port : this.state.edx & 0xffff;
    if (!this.#mayAccess(port, insn.size)) return GP;
    if (insn.kind === 'ins') return this.#ins(insn, port);
    if (insn.kind === 'outs') return this.#outs(insn, port);
    const next = this.state.eip + insn.length;
    const isMoved =
      insn.kind === 'in' ? this.#in(insn, port) : this.#portWrite(port, insn.size, this.state.eax);
    if (isMoved) this.#move();
    else this.state.eip = next;
    return 0;
  }

  /** The I/O permission bit map. KVM's emulator wants only the first of its two bytes within the limit. */
  #mayAccess(port: number, size: number): boolean {
    if (this.#mode === 'real') return true;
    if (this.#mode !== 'v86' && this.#cpl <= ((this.state.eflags >>> IOPL_SHIFT) & 3)) return true;
    if (this.#tssLimit < TSS_MIN_LIMIT) return false;
    const offset = this.#read(TSS_BASE + TSS_IO_MAP_BASE, 2) + Math.floor(port / 8);
    if ((this.#isForced ? offset : offset + 1) > this.#tssLimit) return false;
    const bits = this.#read(TSS_BASE + offset, 2);
    for (let i = 0; i < size; i++) if ((bits & (1 << ((port % 8) + i))) !== 0) return false;
    return true;
  }

  /** Userspace has answered its first exit. @returns whether it has moved EIP, which it does once. */
  #hasMoved(): boolean {
    return this.#moveTo >= 0;
  }

  #move(): void {
    this.state.eip = this.#moveTo;
    this.#moveTo = -1;
  }

  /** @returns whether the instruction was given up because userspace has moved EIP. */
  #in(insn: ReferenceInsn, port: number): boolean {
    const { size } = insn;
    if (this.#isForced) {
      this.#readAhead(port, size, insn.isRepeated ? this.#batch(insn) : 1);
      // KVM: registers that userspace has set at the exit stay as they are; what was read is lost.
      if (!this.#areRegistersSet) this.#setEax(size, bytesToNumber(this.#ahead, 0, size));
      return false;
    }
    // KVM starts a 4-byte read from 0 and a shorter one from RAX; a device that stores nothing leaves that.
    const silent = size === 4 ? 0 : this.state.eax;
    const data = this.#element.fill(0);
    const value = this.#ports.kernelRead(port, size);
    if (value === IO_NOT_HANDLED) {
      this.#ports.userRead(port, size, 1, data);
      if (this.#hasMoved()) return true;
    }
    this.#setEax(
      size,
      value === IO_NOT_HANDLED ? bytesToNumber(data, 0, size) : value === IO_NOTHING_STORED ? silent : value,
    );
    return false;
  }

  #ins(insn: ReferenceInsn, port: number): number {
    const { size } = insn;
    if (insn.isRepeated && this.#count(insn) === 0) {
      this.state.eip += insn.length;
      return 0;
    }
    const elements = insn.isRepeated ? this.#batch(insn) : 1;
    this.#readAhead(port, size, elements);
    const isDown = (this.state.eflags & DF) !== 0;
    if (!isDown) {
      // One block: one limit check over all of it, no wrap inside it.
      if (!this.#fits('es', this.#index(insn, this.state.edi), size * elements, true))
        return this.#insFault();
      this.#storeAhead(insn, 0, size * elements);
      this.#advance(insn, 'edi', elements, size * elements);
    }
    for (let i = 0; isDown && i < elements; i++) {
      // What is left of the batch when an element faults is lost; the elements before it stay done.
      if (!this.#fits('es', this.#index(insn, this.state.edi), size, true)) return this.#insFault();
      this.#storeAhead(insn, i * size, size);
      this.#advance(insn, 'edi', 1, -size);
    }
    if (!insn.isRepeated) this.state.eip += insn.length;
    return 0;
  }

  #insFault(): number {
    if (this.#faultEip >= 0) this.state.eip = this.#faultEip;
    return GP;
  }

  #outs(insn: ReferenceInsn, port: number): number {
    const { size } = insn;
    if (insn.isRepeated && this.#count(insn) === 0) {
      this.state.eip += insn.length;
      return 0;
    }
    const offset = this.#index(insn, this.state.esi);
    if (!this.#fits(insn.segment, offset, size, false)) return insn.segment === 'ss' ? SS : GP;
    const value = this.#read((this.state[insn.segment].base + offset) % 2 ** 32, size);
    const isMoved = this.#portWrite(port, size, value);
    this.#advance(insn, 'esi', 1, (this.state.eflags & DF) !== 0 ? -size : size);
    // KVM has finished an OUTS before userspace sees it.
    if (isMoved) this.#move();
    else if (!insn.isRepeated) this.state.eip += insn.length;
    return 0;
  }

  /** CX or ECX. */
  #count(insn: ReferenceInsn): number {
    return insn.isAddr32 ? this.state.ecx : this.state.ecx & 0xffff;
  }

  /** Elements of one read-ahead. The bytes left in the page stand against a number of elements: KVM does so. */
  #batch(insn: ReferenceInsn): number {
    const inPage = this.state.edi % PAGE;
    const left = (this.state.eflags & DF) !== 0 ? inPage : PAGE - inPage;
    return Math.max(1, Math.min(left, READ_AHEAD / insn.size, this.#count(insn)));
  }

  /** Fills the read-ahead buffer with `count` elements. */
  #readAhead(port: number, size: number, count: number): void {
    this.#aheadUsed = Math.max(this.#aheadUsed, count * size);
    this.#faultEip = -1;
    this.#areRegistersSet = false;
    for (let i = 0; i < count; i++) {
      const value = this.#ports.kernelRead(port, size);
      if (value === IO_NOT_HANDLED) {
        const rest = this.#ahead.subarray(i * size, count * size).fill(0);
        // Nobody took the first element: the whole batch is userspace's. A later one: the device went away, zeros.
        if (i === 0) {
          this.#ports.userRead(port, size, count, rest);
          // KVM takes EIP from the emulator's own copy: what userspace has put there is lost, except in a fault.
          this.#faultEip = this.#moveTo;
          this.#areRegistersSet = this.#moveTo >= 0;
          this.#moveTo = -1;
        }
        return;
      }
      if (value !== IO_NOTHING_STORED) numberToBytes(value, this.#ahead, i * size, size);
    }
  }

  /** Moves bytes of the read-ahead buffer to ES:DI. */
  #storeAhead(insn: ReferenceInsn, from: number, length: number): void {
    const to = this.state.es.base + this.#index(insn, this.state.edi);
    for (let i = 0; i < length; i++) this.#ram.write(to + i, this.#ahead[from + i]);
  }

  /** @returns whether userspace has moved EIP. */
  #portWrite(port: number, size: number, value: number): boolean {
    const low = value % 2 ** (8 * size);
    if (this.#ports.kernelWrite(port, size, low)) return false;
    numberToBytes(low, this.#element, 0, size);
    this.#ports.userWrite(port, size, 1, this.#element);
    return this.#hasMoved();
  }

  /** Moves SI or DI by `bytes`, and with REP counts `elements` down; 16-bit addressing leaves the upper halves. */
  #advance(insn: ReferenceInsn, index: 'esi' | 'edi', elements: number, bytes: number): void {
    this.moved += elements;
    this.state[index] = this.#bump(insn, this.state[index], bytes);
    if (insn.isRepeated) this.state.ecx = this.#bump(insn, this.state.ecx, -elements);
  }

  #bump(insn: ReferenceInsn, register: number, by: number): number {
    const modulus = insn.isAddr32 ? 2 ** 32 : 2 ** 16;
    const low = register % modulus;
    return register - low + ((low + by + modulus) % modulus);
  }

  #index(insn: ReferenceInsn, register: number): number {
    return insn.isAddr32 ? register : register % 2 ** 16;
  }

  /** Limit and, in protected mode, access rights. CS can be read. */
  #fits(segment: ReferenceInsn['segment'], offset: number, length: number, isWrite: boolean): boolean {
    const { limit, access } = this.state[segment];
    if (access === 'null' || (isWrite && access === 'ro')) return false;
    return limit === U32 || offset + length - 1 <= limit;
  }

  #setEax(size: number, value: number): void {
    const modulus = 2 ** (8 * size);
    this.state.eax = this.state.eax - (this.state.eax % modulus) + (value % modulus);
  }

  /** @returns false when what follows is not modelled. */
  #deliver(vector: number): boolean {
    this.vectors.push(vector);
    return this.#mode === 'real' ? this.#deliverReal(vector) : this.#deliverProtected(vector);
  }

  /** Real-mode exception: FLAGS, CS, IP to the stack, IF and TF clear, on through the vector table. */
  #deliverReal(vector: number): boolean {
    const { state } = this;
    if (state.esp % 2 ** 16 < 6 && state.esp % 2 !== 0) return false;
    this.#push16(state.eflags);
    this.#push16(state.cs.selector);
    this.#push16(state.eip);
    state.eflags &= ~TF_IF_RF_AC;
    state.eip = this.#read(vector * 4, 2);
    const selector = this.#read(vector * 4 + 2, 2);
    state.cs = { ...state.cs, selector, base: selector * 16 };
    return true;
  }

  /**
   * Exception through a 32-bit interrupt gate to a flat segment of privilege level 0; from level 3 onto the stack that the
   * TSS names. Intel SDM vol. 3A, “Exception- and Interrupt-Handler Procedures”.
   */
  #deliverProtected(vector: number): boolean {
    const { state } = this;
    const isV86 = this.#mode === 'v86';
    const flags = state.eflags | RF | (isV86 ? VM : 0);
    const { ss, esp } = state;
    if (this.#cpl === 3) {
      state.esp = this.#read(TSS_BASE + TSS_ESP0, 4);
      const selector = this.#read(TSS_BASE + TSS_SS0, 2);
      state.ss = { selector, base: 0, limit: U32, access: 'rw' };
      if (isV86) {
        for (const name of ['gs', 'fs', 'ds', 'es'] as const) {
          this.#push32(state[name].selector);
          state[name] = { selector: 0, base: 0, limit: 0, access: 'null' };
        }
      }
      this.#push32(ss.selector);
      this.#push32(esp);
    }
    this.#push32(flags);
    this.#push32(state.cs.selector);
    this.#push32(state.eip);
    if (vector !== UD) this.#push32(0);
    state.eflags &= ~TF_IF_NT_RF_VM;
    const gate = IDT_BASE + vector * 8;
    state.eip = this.#read(gate, 2) + this.#read(gate + 6, 2) * 0x1_0000;
    state.cs = { selector: this.#read(gate + 2, 2), base: 0, limit: U32, access: 'ro' };
    this.#cpl = 0;
    this.#mode = 'prot32';
    return true;
  }

  #push16(value: number): void {
    const { state } = this;
    const low = state.esp % 2 ** 16;
    state.esp = state.esp - low + ((low + 2 ** 16 - 2) % 2 ** 16);
    const at = state.ss.base + (state.esp % 2 ** 16);
    this.#ram.write(at, value & 0xff);
    this.#ram.write(at + 1, (value >>> 8) & 0xff);
  }

  #push32(value: number): void {
    const { state } = this;
    state.esp -= 4;
    for (let i = 0; i < 4; i++) this.#ram.write(state.ss.base + state.esp + i, (value >>> (8 * i)) & 0xff);
  }

  #read(addr: number, size: number): number {
    return bytesToNumber(this.#ram.bytes, addr, size);
  }
}

function powerOnState(): ReferenceState {
  const segments = CASE_SEGMENTS.map((name): [string, ReferenceSegment] => [
    name,
    { selector: 0, base: 0, limit: 0xffff, access: 'rw' },
  ]);
  const registers = { eax: 0, ebx: 0, ecx: 0, edx: 0, esi: 0, edi: 0, ebp: 0, esp: 0, eip: 0, eflags: 2 };
  return { ...registers, ...Object.fromEntries(segments) } as ReferenceState;
}

function bytesToNumber(bytes: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + bytes[at + i];
  return value;
}

function numberToBytes(value: number, bytes: Uint8Array, at: number, size: number): void {
  for (let i = 0; i < size; i++) bytes[at + i] = Math.floor(value / 256 ** i) % 256;
}
