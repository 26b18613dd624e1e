/**
 * One guest on two engines, exit by exit, up to the first difference or the end.
 */
import { readKernelDevices } from '../boards/kernel-devices.ts';
import type { VmmEnd } from '../boards/vmm.ts';
import { KVM_EXIT_IO, type KvmRegs } from '../uapi/kvm.ts';
import {
  type ComparedExit,
  compareDevices,
  compareExits,
  compareMemory,
  compareRegs,
  compareSregs,
  exitText,
  type FieldDifference,
} from './compare.ts';
import type { GuestSide, SideStep } from './guest-side.ts';
import type { TimeMask } from './time-mask.ts';

/** The first difference. */
export interface GuestDifference {
  /** For example `exit 12`, `end`, `final state`, `serial text`. */
  readonly where: string;
  readonly fields: readonly FieldDifference[];
  readonly hostRegs: KvmRegs;
  readonly pio86Regs: KvmRegs;
  /** At CS:EIP of each side. */
  readonly hostInstruction: string;
  readonly pio86Instruction: string;
  /** Call graphs of pio86's latest accesses. */
  readonly paths: readonly string[];
}

/** How a comparison went. */
export interface GuestDiffResult {
  /** `cut`: the host cannot run the guest to its end; `limit`: exits or time ran out. */
  readonly status: 'same' | 'different' | 'cut' | 'limit';
  /** What ended the guest, or why it was cut. */
  readonly reason: string;
  /** Exits compared in full. */
  readonly exits: number;
  /** Exits compared by port and direction only, because of {@link timeReason}. */
  readonly orderOnlyExits: number;
  /** Why time counts; null when everything was compared in full. */
  readonly timeReason: string | null;
  /** Fields left out, by name, with how often. */
  readonly masked: ReadonlyMap<string, number>;
  readonly serialText: string;
  readonly difference: GuestDifference | null;
}

/** What bounds a comparison. */
export interface GuestDiffLimits {
  readonly maxExits: number;
  /** Asked between steps: true ends it. */
  isDone(): boolean;
}

/** Ends that are the engine's, not the guest's. */
function isCut(end: VmmEnd): boolean {
  return end.kind === 'internal-error';
}

function endText(end: VmmEnd): string {
  return end.kind === 'exit' ? `exit port ${end.code}` : end.kind;
}

/** Exits as port and direction; the same one over and over counts once, because a guest that waits polls. */
class OrderList {
  readonly keys: string[] = [];
  count = 0;

  push(exit: ComparedExit): void {
    this.count++;
    const key = `${exit.isOut ? 'out' : 'in'} ${exit.reason === KVM_EXIT_IO ? 'port' : 'address'} 0x${exit.port.toString(16)}`;
    if (this.keys.at(-1) !== key) this.keys.push(key);
  }
}

/** Two sides of one guest. */
export class GuestDiff {
  readonly #host: GuestSide;
  readonly #own: GuestSide;
  readonly #time: TimeMask;
  readonly #paths: () => readonly string[];
  readonly #limits: GuestDiffLimits;
  readonly #masked = new Map<string, number>();
  #exits = 0;
  #orderOnly = 0;

  /** @param paths call graphs of pio86's latest accesses. */
  constructor(
    host: GuestSide,
    own: GuestSide,
    time: TimeMask,
    paths: () => readonly string[],
    limits: GuestDiffLimits,
  ) {
    this.#host = host;
    this.#own = own;
    this.#time = time;
    this.#paths = paths;
    this.#limits = limits;
  }

  run(): GuestDiffResult {
    for (;;) {
      const own = this.#next(this.#own);
      if (own === null) return this.#result('limit', 'time ran out', null);
      if (this.#time.reason !== null) return this.#runByOrder(own);
      const host = this.#next(this.#host);
      if (host === null) return this.#result('limit', 'time ran out', null);
      if (host.kind === 'end' && isCut(host.end)) return this.#cut(host.end);
      if (host.kind === 'end' || own.kind === 'end') return this.#compareEnds(host, own);
      const fields = compareExits(host.exit, own.exit);
      if (fields.length > 0) return this.#different(`exit ${this.#exits + 1}`, fields, host.exit, own.exit);
      if (++this.#exits >= this.#limits.maxExits) return this.#result('limit', `${this.#exits} exits`, null);
    }
  }

  /** @returns the next exit or end; null when there is no more time. */
  #next(side: GuestSide): Exclude<SideStep, { kind: 'nothing' }> | null {
    for (;;) {
      const step = side.step();
      if (step.kind !== 'nothing') return step;
      if (this.#limits.isDone()) return null;
    }
  }

  /** From here on time counts: each side runs on by itself. */
  #runByOrder(first: Exclude<SideStep, { kind: 'nothing' }>): GuestDiffResult {
    const own = this.#toEnd(this.#own, first);
    const host = this.#toEnd(this.#host, null);
    this.#orderOnly = host.order.count;
    if (host.end !== null && isCut(host.end)) return this.#cut(host.end);
    if (own.end === null || host.end === null) return this.#result('limit', 'exits or time ran out', null);
    const length = Math.max(host.order.keys.length, own.order.keys.length);
    for (let i = 0; i < length; i++) {
      const [a, b] = [host.order.keys[i] ?? 'none', own.order.keys[i] ?? 'none'];
      if (a !== b)
        return this.#different(`order of exits, place ${i + 1} after the mask`, [
          { field: 'exit', host: a, pio86: b },
        ]);
    }
    return this.#compareEnds({ kind: 'end', end: host.end }, { kind: 'end', end: own.end });
  }

  #toEnd(side: GuestSide, first: SideStep | null): { order: OrderList; end: VmmEnd | null } {
    const order = new OrderList();
    let step = first ?? this.#next(side);
    while (step !== null && step.kind === 'exit') {
      order.push(step.exit);
      if (this.#exits + order.count >= this.#limits.maxExits || this.#limits.isDone())
        return { order, end: null };
      step = this.#next(side);
    }
    return { order, end: step?.kind === 'end' ? step.end : null };
  }

  #compareEnds(host: SideStep, own: SideStep): GuestDiffResult {
    const text = (step: SideStep): string =>
      step.kind === 'end' ? endText(step.end) : step.kind === 'exit' ? exitText(step.exit) : 'nothing';
    if (host.kind !== 'end' || own.kind !== 'end' || text(host) !== text(own)) {
      return this.#different('end', [{ field: 'end', host: text(host), pio86: text(own) }]);
    }
    const serial = [this.#host, this.#own].map((side) => Buffer.from(side.serial).toString('latin1'));
    if (serial[0] !== serial[1]) {
      const fields = [{ field: 'serial', host: JSON.stringify(serial[0]), pio86: JSON.stringify(serial[1]) }];
      return this.#different('serial text', fields);
    }
    const fields = [...this.#compareState(), ...this.#compareDevices()];
    return fields.length > 0
      ? this.#different('final state', fields)
      : this.#result('same', endText(host.end), null);
  }

  #compareState(): FieldDifference[] {
    if (this.#time.reason !== null) {
      for (const name of ['final registers', 'final segments', 'final memory']) this.#mask(name);
      return [];
    }
    const [host, own] = [this.#host.vmm, this.#own.vmm];
    const memory = host.memory.ranges.flatMap(({ gpa, mem }, i) =>
      compareMemory(mem, own.memory.ranges[i]?.mem ?? mem, gpa),
    );
    return [...compareRegs(host.regs(), own.regs()), ...compareSregs(host.sregs(), own.sregs()), ...memory];
  }

  #compareDevices(): FieldDifference[] {
    return compareDevices(readKernelDevices(this.#host.vmm.vm), readKernelDevices(this.#own.vmm.vm), {
      ignoresIrq0: this.#time.reason !== null,
      masked: (field) => this.#mask(field),
    });
  }

  #mask(field: string): void {
    this.#masked.set(field, (this.#masked.get(field) ?? 0) + 1);
  }

  #cut(end: VmmEnd): GuestDiffResult {
    const message = end.kind === 'internal-error' ? end.message : end.kind;
    return this.#result('cut', `${message}: ${this.#host.instruction()}`, null);
  }

  #different(
    where: string,
    fields: readonly FieldDifference[],
    hostExit?: ComparedExit,
    ownExit?: ComparedExit,
  ): GuestDiffResult {
    const difference: GuestDifference = {
      where,
      fields,
      hostRegs: hostExit?.regs ?? this.#host.vmm.regs(),
      pio86Regs: ownExit?.regs ?? this.#own.vmm.regs(),
      hostInstruction: this.#host.instruction(),
      pio86Instruction: this.#own.instruction(),
      paths: [...this.#paths()],
    };
    return this.#result('different', where, difference);
  }

  #result(
    status: GuestDiffResult['status'],
    reason: string,
    difference: GuestDifference | null,
  ): GuestDiffResult {
    return {
      status,
      reason,
      exits: this.#exits,
      orderOnlyExits: this.#orderOnly,
      timeReason: this.#time.reason,
      masked: this.#masked,
      serialText: Buffer.from(this.#host.serial).toString('latin1'),
      difference,
    };
  }
}
