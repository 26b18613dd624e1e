/**
 * An independent model of IN, OUT, INS and OUTS under KVM, in real mode: plain code written from the Intel SDM and
 * from what is known of KVM's behaviour, sharing no code with cpu/, decoder/ and emulate/. Slow and obvious on
 * purpose: the fuzzer takes its word against the emulator's.
 *
 * What KVM does and the processor alone would not: REP INS is read in batches of at most 1024 bytes, limited by a
 * byte count to the end of the page that is compared with a number of elements; with DF = 0 a batch is stored as one
 * block whose limit is checked whole; OUTS leaves one element an exit; a REP on a plain IN reads ahead when the
 * instruction emulator runs it.
 */
import { IO_NOT_HANDLED, IO_NOTHING_STORED } from '../bus/io-device.ts';
import { decodeReference, FETCH_FAULT, NOT_MODELLED, type ReferenceInsn } from './reference-decode.ts';
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

const GP = 13;
const SS = 12;
const UD = 6;
const TF_IF_RF_AC = 0x5_0300;
const DF = 0x400;
/** Bytes of KVM's read-ahead buffer. */
const READ_AHEAD = 1024;
const PAGE = 4096;
/** A segment with this limit has no end to check. */
const U32 = 0xffff_ffff;

/** One virtual CPU of the model. */
export class ReferenceModel {
  readonly state: ReferenceState;
  readonly #ram: UndoRam;
  readonly #ports: ReferencePorts;
  /** IN and OUT also go through KVM's instruction emulator. */
  readonly #isForced: boolean;
  /** KVM's read-ahead buffer; its bytes survive from one instruction to the next. */
  readonly #ahead = new Uint8Array(READ_AHEAD);
  /** Vectors of the exceptions taken. */
  readonly vectors: number[] = [];

  constructor(state: ReferenceState, ram: UndoRam, ports: ReferencePorts, isForced: boolean) {
    this.state = state;
    this.#ram = ram;
    this.#ports = ports;
    this.#isForced = isForced;
  }

  /** Runs until HLT, at most `maxSteps` entries into an instruction. */
  run(maxSteps: number): ReferenceEnd {
    for (let step = 0; step < maxSteps; step++) {
      const { cs, eip } = this.state;
      const insn = decodeReference((i) => {
        const offset = eip + i;
        return offset > cs.limit ? -1 : this.#read(cs.base + offset, 1);
      });
      if (insn === NOT_MODELLED) return 'not-modelled';
      const vector = insn === FETCH_FAULT ? GP : insn.isLocked ? UD : this.#execute(insn);
      if (vector !== 0 && !this.#deliver(vector)) return 'not-modelled';
      if (vector === 0 && insn !== FETCH_FAULT && insn.kind === 'hlt') return 'hlt';
    }
    return 'limit';
  }

  /** @returns the vector of the fault, 0 without one. */
  #execute(insn: ReferenceInsn): number {
    const port = insn.port >= 0 ? insn.port : this.state.edx & 0xffff;
    if (insn.kind === 'ins') return this.#ins(insn, port);
    if (insn.kind === 'outs') return this.#outs(insn, port);
    if (insn.kind === 'in') this.#in(insn, port);
    if (insn.kind === 'out') this.#portWrite(port, insn.size, this.state.eax);
    this.state.eip += insn.length;
    return 0;
  }

  #in(insn: ReferenceInsn, port: number): void {
    const { size } = insn;
    if (this.#isForced) {
      this.#readAhead(port, size, insn.isRepeated ? this.#batch(insn) : 1);
      this.#setEax(size, bytesToNumber(this.#ahead, 0, size));
      return;
    }
    // KVM starts a 4-byte read from 0 and a shorter one from RAX; a device that stores nothing leaves that.
    const silent = size === 4 ? 0 : this.state.eax;
    const data = new Uint8Array(4);
    const value = this.#ports.kernelRead(port, size);
    if (value === IO_NOT_HANDLED) this.#ports.userRead(port, size, 1, data.subarray(0, size));
    this.#setEax(
      size,
      value === IO_NOT_HANDLED ? bytesToNumber(data, 0, size) : value === IO_NOTHING_STORED ? silent : value,
    );
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
      if (!this.#fits('es', this.#index(insn, this.state.edi), size * elements)) return GP;
      this.#storeAhead(insn, 0, size * elements);
      this.#advance(insn, 'edi', elements, size * elements);
    }
    for (let i = 0; isDown && i < elements; i++) {
      // What is left of the batch when an element faults is lost; the elements before it stay done.
      if (!this.#fits('es', this.#index(insn, this.state.edi), size)) return GP;
      this.#storeAhead(insn, i * size, size);
      this.#advance(insn, 'edi', 1, -size);
    }
    if (!insn.isRepeated) this.state.eip += insn.length;
    return 0;
  }

  #outs(insn: ReferenceInsn, port: number): number {
    const { size } = insn;
    if (insn.isRepeated && this.#count(insn) === 0) {
      this.state.eip += insn.length;
      return 0;
    }
    const offset = this.#index(insn, this.state.esi);
    if (!this.#fits(insn.segment, offset, size)) return insn.segment === 'ss' ? SS : GP;
    this.#portWrite(port, size, this.#read(this.state[insn.segment].base + offset, size));
    this.#advance(insn, 'esi', 1, (this.state.eflags & DF) !== 0 ? -size : size);
    if (!insn.isRepeated) this.state.eip += insn.length;
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
    for (let i = 0; i < count; i++) {
      const value = this.#ports.kernelRead(port, size);
      if (value === IO_NOT_HANDLED) {
        const rest = this.#ahead.subarray(i * size, count * size).fill(0);
        // Nobody took the first element: the whole batch is userspace's. A later one: the device went away, zeros.
        if (i === 0) this.#ports.userRead(port, size, count, rest);
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

  #portWrite(port: number, size: number, value: number): void {
    const low = value % 2 ** (8 * size);
    if (this.#ports.kernelWrite(port, size, low)) return;
    const data = new Uint8Array(size);
    numberToBytes(low, data, 0, size);
    this.#ports.userWrite(port, size, 1, data);
  }

  /** Moves SI or DI by `bytes`, and with REP counts `elements` down; 16-bit addressing leaves the upper halves. */
  #advance(insn: ReferenceInsn, index: 'esi' | 'edi', elements: number, bytes: number): void {
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

  #fits(segment: ReferenceInsn['segment'], offset: number, length: number): boolean {
    const { limit } = this.state[segment];
    return limit === U32 || offset + length - 1 <= limit;
  }

  #setEax(size: number, value: number): void {
    const modulus = 2 ** (8 * size);
    this.state.eax = this.state.eax - (this.state.eax % modulus) + (value % modulus);
  }

  /** Real-mode exception: FLAGS, CS, IP to the stack, IF and TF clear, on through the vector table. */
  #deliver(vector: number): boolean {
    const { state } = this;
    if (state.esp % 2 ** 16 < 6 && state.esp % 2 !== 0) return false;
    this.#push(state.eflags);
    this.#push(state.cs.selector);
    this.#push(state.eip);
    state.eflags &= ~TF_IF_RF_AC;
    state.eip = this.#read(vector * 4, 2);
    const selector = this.#read(vector * 4 + 2, 2);
    state.cs = { selector, base: selector * 16, limit: state.cs.limit };
    this.vectors.push(vector);
    return true;
  }

  #push(value: number): void {
    const { state } = this;
    const low = state.esp % 2 ** 16;
    state.esp = state.esp - low + ((low + 2 ** 16 - 2) % 2 ** 16);
    const at = state.ss.base + (state.esp % 2 ** 16);
    this.#ram.write(at, value & 0xff);
    this.#ram.write(at + 1, (value >>> 8) & 0xff);
  }

  #read(addr: number, size: number): number {
    return bytesToNumber(this.#ram.bytes, addr, size);
  }
}

function bytesToNumber(bytes: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + bytes[at + i];
  return value;
}

function numberToBytes(value: number, bytes: Uint8Array, at: number, size: number): void {
  for (let i = 0; i < size; i++) bytes[at + i] = Math.floor(value / 256 ** i) % 256;
}
