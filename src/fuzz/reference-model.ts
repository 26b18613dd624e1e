/**
 * An independent model of IN, OUT, INS and OUTS under KVM, in real, protected and virtual-8086 mode, with paging or without:
 * plain code written from the Intel SDM and from what is known of KVM's behaviour, sharing no code with cpu/, decoder/ and
 * emulate/. Slow and obvious on purpose: the fuzzer takes its word against the emulator's.
 *
 * What KVM does and the processor alone would not: reads ahead in batches (`reference-read-ahead.ts`); with DF = 0 a batch is
 * stored as one block whose limit is checked whole; OUTS leaves one element an exit; a REP on a plain IN reads ahead when the
 * instruction emulator runs it.
 */
import { IO_NOT_HANDLED, IO_NOTHING_STORED } from '../bus/io-device.ts';
import { decodeReference, FETCH_FAULT, NOT_MODELLED, type ReferenceInsn } from './reference-decode.ts';
import { deliver, GP, PF, SS, UD } from './reference-exceptions.ts';
import { bytesToNumber, numberToBytes, ReferenceMemory } from './reference-memory.ts';
import { portPermission } from './reference-permission.ts';
import { type ReferencePorts, ReferenceReadAhead } from './reference-read-ahead.ts';
import { powerOnState, type ReferenceSetup, type ReferenceState } from './reference-state.ts';
import type { UndoRam } from './undo-ram.ts';

/** How a run of the model ended. `not-modelled`: the case says nothing about the emulator. */
export type ReferenceEnd = 'hlt' | 'not-modelled' | 'limit';

/** What stands at EIP. */
type Fetched = ReferenceInsn | typeof FETCH_FAULT | typeof NOT_MODELLED;

const DF = 0x400;
/** A segment with this limit has no end to check. */
const U32 = 0xffff_ffff;

/** One virtual CPU of the model. */
export class ReferenceModel {
  readonly state: ReferenceState = powerOnState();
  readonly #memory: ReferenceMemory;
  readonly #ports: ReferencePorts;
  readonly #ahead: ReferenceReadAhead;
  #tssLimit = 0;
  #isForced = false;
  #moveTo = -1;
  /** Where a fault of the INS under way leaves EIP; −1: where it is. */
  #faultEip = -1;
  /** Userspace has set registers at the exit of the IN under way. */
  #areRegistersSet = false;
  readonly #element = new Uint8Array(4);
  /** Error code of the exception under way. */
  #errorCode = 0;
  /** Vectors of the exceptions taken. */
  readonly vectors: number[] = [];
  /** Elements that INS and OUTS have moved; more than were asked for where a device went away in the middle of a batch. */
  moved = 0;
  /** The instruction at EIP, while nothing is stored and EIP stays. */
  #insn: Fetched = NOT_MODELLED;
  #insnEip = -1;
  #insnStores = 0;
  #isFetchPageFault = false;
  #setup: ReferenceSetup | null = null;
  /** By EIP: what the code held before anything was stored. Runs with one setup share it. */
  readonly #firstInsns = new Map<number, Fetched>();
  readonly #byteAt: (i: number) => number;

  constructor(ram: UndoRam, ports: ReferencePorts) {
    this.#memory = new ReferenceMemory(ram);
    this.#ports = ports;
    this.#ahead = new ReferenceReadAhead(ports);
    this.#byteAt = (i) => {
      const { cs, eip, cpl } = this.state;
      if (eip + i > cs.limit) return -1;
      const byte = this.#memory.read(cs.base + eip + i, 1, cpl === 3);
      if (byte < 0) this.#isFetchPageFault = true;
      return byte;
    };
  }

  /**
   * Starts over. The caller fills the registers and segments of {@link state}.
   *
   * @param setup the very object of the run before says that RAM and segments are as they were then: code is not read anew.
   */
  begin(setup: ReferenceSetup): void {
    if (setup !== this.#setup) this.#firstInsns.clear();
    this.#setup = setup;
    this.state.mode = setup.mode;
    this.state.cpl = setup.cpl;
    this.state.cr2 = 0;
    this.#tssLimit = setup.tssLimit;
    this.#isForced = setup.isForced;
    this.#moveTo = setup.moveTo;
    this.#memory.begin(setup.paging);
    this.#ahead.begin();
    while (this.vectors.length !== 0) this.vectors.pop();
    this.moved = 0;
    this.#insnEip = -1;
  }

  /** Runs until HLT, at most `maxSteps` entries into an instruction. */
  run(maxSteps: number): ReferenceEnd {
    for (let step = 0; step < maxSteps; step++) {
      this.#errorCode = 0;
      const insn = this.#fetch();
      if (insn === NOT_MODELLED) return 'not-modelled';
      const isHalt = insn !== FETCH_FAULT && insn.kind === 'hlt' && !insn.isLocked;
      if (isHalt && this.state.cpl === 0) {
        this.state.eip += insn.length;
        return this.#memory.hasLeftModel ? 'not-modelled' : 'hlt';
      }
      const vector = insn === FETCH_FAULT ? this.#fetchFault() : isHalt ? GP : this.#execute(insn);
      if (vector !== 0) {
        this.vectors.push(vector);
        if (!deliver(this.state, this.#memory, vector, this.#errorCode)) return 'not-modelled';
      }
      if (this.#memory.hasLeftModel) return 'not-modelled';
    }
    return 'limit';
  }

  #fetch(): Fetched {
    const { eip } = this.state;
    const stores = this.#memory.ram.count;
    if (this.#insnEip === eip && this.#insnStores === stores) return this.#insn;
    // With paging a fetch leaves accessed flags.
    const isFirst = stores === 0 && this.vectors.length === 0 && !this.#memory.isPaged;
    let insn = isFirst ? this.#firstInsns.get(eip) : undefined;
    if (insn === undefined) {
      insn = this.#decode();
      if (isFirst) this.#firstInsns.set(eip, insn);
    }
    this.#insn = insn;
    this.#insnEip = eip;
    this.#insnStores = this.#memory.ram.count;
    return insn;
  }

  #decode(): Fetched {
    this.#isFetchPageFault = false;
    return decodeReference(this.#byteAt, this.state.mode === 'prot32');
  }

  #fetchFault(): number {
    return this.#isFetchPageFault ? this.#pageFault() : GP;
  }

  /** The exception that the last access to memory has met. */
  #pageFault(): number {
    this.state.cr2 = this.#memory.faultAddress;
    this.#errorCode = this.#memory.errorCode;
    return PF;
  }

  /** @returns the vector of the fault, 0 without one. */
  #execute(insn: ReferenceInsn): number {
    if (insn.isLocked) return UD;
    const port = insn.port >= 0 ? insn.port : this.state.edx & 0xffff;
    const permission = portPermission(
      this.state,
      this.#memory,
      this.#tssLimit,
      this.#isForced,
      port,
      insn.size,
    );
    if (permission !== 'yes') return permission === 'no' ? GP : this.#pageFault();
    if (insn.kind === 'ins') return this.#ins(insn, port);
    if (insn.kind === 'outs') return this.#outs(insn, port);
    const next = this.state.eip + insn.length;
    const isMoved =
      insn.kind === 'in' ? this.#in(insn, port) : this.#portWrite(port, insn.size, this.state.eax);
    if (isMoved) this.#move();
    else this.state.eip = next;
    return 0;
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
      if (!this.#areRegistersSet) this.#setEax(size, bytesToNumber(this.#ahead.bytes, 0, size));
      return false;
    }
    const value = this.#ports.kernelRead(port, size);
    if (value === IO_NOT_HANDLED) {
      const data = this.#element.fill(0);
      this.#ports.userRead(port, size, 1, data);
      if (this.#hasMoved()) return true;
      this.#setEax(size, bytesToNumber(data, 0, size));
    } else if (value !== IO_NOTHING_STORED) {
      this.#setEax(size, value);
    } else if (size === 4) {
      // KVM starts a 4-byte read from 0 and a shorter one from RAX; a device that stores nothing leaves that.
      this.#setEax(size, 0);
    }
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
    // Upwards one block: one limit check over all of it, no wrap inside it. Downwards what is left of the batch when an element
    // faults is lost; the elements before it stay done.
    const step = isDown ? 1 : elements;
    for (let i = 0; i < elements; i += step) {
      const vector = this.#storeAhead(insn, i * size, step * size);
      if (vector !== 0) {
        if (this.#faultEip >= 0) this.state.eip = this.#faultEip;
        return vector;
      }
      this.#advance(insn, 'edi', step, isDown ? -size : step * size);
    }
    if (!insn.isRepeated) this.state.eip += insn.length;
    return 0;
  }

  /** Moves bytes of the read-ahead buffer to ES:DI. @returns the vector of the fault, 0 without one. */
  #storeAhead(insn: ReferenceInsn, from: number, length: number): number {
    const { es, edi, cpl } = this.state;
    const offset = this.#index(insn, edi);
    if (!this.#fits('es', offset, length, true)) return GP;
    const isStored = this.#memory.writeBytes(es.base + offset, this.#ahead.bytes, from, length, cpl === 3);
    return isStored ? 0 : this.#pageFault();
  }

  #outs(insn: ReferenceInsn, port: number): number {
    const { size } = insn;
    if (insn.isRepeated && this.#count(insn) === 0) {
      this.state.eip += insn.length;
      return 0;
    }
    const offset = this.#index(insn, this.state.esi);
    if (!this.#fits(insn.segment, offset, size, false)) return insn.segment === 'ss' ? SS : GP;
    const value = this.#memory.read(this.state[insn.segment].base + offset, size, this.state.cpl === 3);
    if (value < 0) return this.#pageFault();
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

  #batch(insn: ReferenceInsn): number {
    const { edi, eflags } = this.state;
    return this.#ahead.batch(insn.size, this.#count(insn), edi, (eflags & DF) !== 0);
  }

  #readAhead(port: number, size: number, count: number): void {
    this.#faultEip = -1;
    this.#areRegistersSet = false;
    if (!this.#ahead.fill(port, size, count)) return;
    // KVM takes EIP from the emulator's own copy: what userspace has put there is lost, except in a fault.
    this.#faultEip = this.#moveTo;
    this.#areRegistersSet = this.#moveTo >= 0;
    this.#moveTo = -1;
  }

  /** @returns whether userspace has moved EIP. */
  #portWrite(port: number, size: number, value: number): boolean {
    const low = size === 4 ? value : value & (size === 2 ? 0xffff : 0xff);
    if (this.#ports.kernelWrite(port, size, low)) return false;
    numberToBytes(low, this.#element, 0, size);
    this.#ports.userWrite(port, size, 1, this.#element);
    return this.#hasMoved();
  }

  /** Moves SI or DI by `bytes`, and with REP counts `elements` down; 16-bit addressing leaves the upper halves. */
  #advance(insn: ReferenceInsn, index: 'esi' | 'edi', elements: number, bytes: number): void {
    const { state } = this;
    this.moved += elements;
    if (index === 'esi') state.esi = this.#bump(insn, state.esi, bytes);
    else state.edi = this.#bump(insn, state.edi, bytes);
    if (insn.isRepeated) state.ecx = this.#bump(insn, state.ecx, -elements);
  }

  #bump(insn: ReferenceInsn, register: number, by: number): number {
    if (insn.isAddr32) return (register + by) >>> 0;
    return ((register & 0xffff_0000) | ((register + by) & 0xffff)) >>> 0;
  }

  #index(insn: ReferenceInsn, register: number): number {
    return insn.isAddr32 ? register : register & 0xffff;
  }

  /** Limit and, in protected mode, access rights. CS can be read. */
  #fits(segment: ReferenceInsn['segment'], offset: number, length: number, isWrite: boolean): boolean {
    const { limit, access } = this.state[segment];
    if (access === 'null' || (isWrite && access === 'ro')) return false;
    return limit === U32 || offset + length - 1 <= limit;
  }

  #setEax(size: number, value: number): void {
    const { state } = this;
    if (size === 4) state.eax = value >>> 0;
    else if (size === 2) state.eax = ((state.eax & 0xffff_0000) | (value & 0xffff)) >>> 0;
    else state.eax = ((state.eax & 0xffff_ff00) | (value & 0xff)) >>> 0;
  }
}
