/**
 * One of the two machines that `pio86 diff` runs a guest on: a board on an engine, taken from exit to exit.
 *
 * The userspace devices' time is the number of exits, so that it is the same on both sides; a guest that sleeps moves
 * it on to the next alarm.
 */
import type { BoardPlan } from '../boards/board-plan.ts';
import type { ExtraDevice } from '../boards/extra-devices.ts';
import { type EngineVcpu, type ExitTap, Vmm, type VmmEnd } from '../boards/vmm.ts';
import { disassemble } from '../decoder/disassemble.ts';
import { KVM_EXIT_IO, KVM_EXIT_IO_IN, KVM_EXIT_MMIO, type KvmRegs } from '../uapi/kvm.ts';
import type { KvmRun } from '../uapi/kvm-run.ts';
import type { ComparedExit } from './compare.ts';
import { pitCanWake } from './sleeping-guest.ts';
import type { BedEngine } from './test-bed.ts';

/** Time that passes for the userspace devices at each exit. */
const NS_PER_EXIT = 10_000;
/** How long one interrupted KVM_RUN of the host lasts, about. */
const MS_PER_SLICE = 2;
/** Interruptions without an exit after which a guest that is awake gets the next alarm. */
const PATIENCE = 3;
/** Longest instruction. */
const MAX_INSTRUCTION_BYTES = 15;

/** What a side's next step was. */
export type SideStep =
  | { readonly kind: 'exit'; readonly exit: ComparedExit }
  | { readonly kind: 'end'; readonly end: VmmEnd }
  /** Nothing yet: KVM_RUN was interrupted. */
  | { readonly kind: 'nothing' };

/** What both sides of a comparison have in common. */
export interface GuestSideOptions {
  readonly memoryBytes: number;
  /** Bytes for the serial line, given whenever the guest sleeps. */
  readonly input: Uint8Array;
  readonly extraDevices?: readonly ExtraDevice[];
  /** Told when an alarm rings although the guest neither left nor sleeps. */
  onAsyncAlarm(): void;
}

/** A guest on one engine. */
export class GuestSide implements ExitTap {
  readonly vmm: Vmm;
  readonly engine: BedEngine;
  readonly serial: number[] = [];
  readonly #input: Uint8Array;
  readonly #onAsyncAlarm: () => void;
  #inputAt = 0;
  #sleptSlices = 0;
  #awakeSlices = 0;
  #seen: ComparedExit | null = null;
  #ended: VmmEnd | null = null;
  /** Time of the userspace devices: sleep moves their clock itself, exits add to it. */
  #nowNs = 0;

  constructor(engine: BedEngine, plan: BoardPlan, options: GuestSideOptions) {
    const { memoryBytes, input, onAsyncAlarm, extraDevices = [] } = options;
    this.engine = engine;
    this.#input = input;
    this.#onAsyncAlarm = onAsyncAlarm;
    this.vmm = new Vmm(engine, plan, {
      memoryBytes,
      extraDevices,
      serial: { write: (byte) => void this.serial.push(byte) },
      time: { nowNs: () => this.#nowNs },
      tap: this,
    });
  }

  before(run: KvmRun, vcpu: EngineVcpu): void {
    const regs = vcpu.getRegs() as KvmRegs;
    const reason = run.exit_reason;
    if (reason === KVM_EXIT_IO) {
      const { direction, size, port, count } = run.io;
      const data = run.pioData.slice(0, size * count);
      this.#seen = { reason, isOut: direction !== KVM_EXIT_IO_IN, size, port, count, data, regs };
    } else if (reason === KVM_EXIT_MMIO) {
      const { is_write, len, phys_addr, data } = run.mmio;
      this.#seen = {
        reason,
        isOut: is_write !== 0,
        size: len,
        port: phys_addr,
        count: 1,
        data: data.slice(0, len),
        regs,
      };
    }
  }

  after(run: KvmRun): boolean {
    const seen = this.#seen;
    if (seen === null || seen.isOut) return true;
    const from = seen.reason === KVM_EXIT_IO ? run.pioData : run.mmio.data;
    this.#seen = { ...seen, data: from.slice(0, seen.data.length) };
    return true;
  }

  /** Goes on to the next exit, the end, or an interruption. */
  step(): SideStep {
    if (this.#ended !== null) return { kind: 'end', end: this.#ended };
    this.#seen = null;
    this.#nowNs = this.vmm.clock.nowNs + NS_PER_EXIT;
    const { irqChanges } = this.vmm;
    const end = this.vmm.run(1);
    if (this.#seen !== null) {
      this.#sleptSlices = 0;
      this.#awakeSlices = 0;
      // An exit that ends the guest is the last one; the end comes with the next step.
      if (end.kind !== 'slice') this.#ended = end;
      return { kind: 'exit', exit: this.#seen };
    }
    // An interrupt on its way wakes a guest that sleeps.
    if (end.kind === 'idle' || end.kind === 'slice') {
      if (this.vmm.irqChanges !== irqChanges) return { kind: 'nothing' };
    }
    if (end.kind === 'idle') return this.#sleep(false) ? { kind: 'nothing' } : { kind: 'end', end };
    if (end.kind !== 'slice') return { kind: 'end', end };
    if (!this.engine.isHalted()) {
      if (++this.#awakeSlices > PATIENCE && this.vmm.skipToAlarm()) this.#onAsyncAlarm();
      return { kind: 'nothing' };
    }
    if (this.vmm.vcpu.run.if_flag === 0) return { kind: 'end', end: { kind: 'halted' } };
    return this.#sleep(true) ? { kind: 'nothing' } : { kind: 'end', end: { kind: 'idle' } };
  }

  /** The guest sleeps: brings what can wake it. @returns false when nothing can. */
  #sleep(inKernel: boolean): boolean {
    if (this.vmm.skipToAlarm()) return true;
    let fed = 0;
    while (this.#inputAt < this.#input.length && this.vmm.receiveSerial(this.#input[this.#inputAt])) {
      this.#inputAt++;
      fed++;
    }
    if (fed > 0) return true;
    return inKernel && pitCanWake(this.vmm.vm, this.#sleptSlices++ * MS_PER_SLICE);
  }

  /** The instruction at CS:EIP. */
  instruction(): string {
    const { cs } = this.vmm.sregs();
    const { eip } = this.vmm.regs();
    const bytes = this.vmm.memory.read((cs.base + eip) >>> 0, MAX_INSTRUCTION_BYTES);
    return disassemble(bytes, cs.db !== 0 ? 32 : 16, eip);
  }
}
