/** A CPU with RAM and nothing else, in real mode, for the property tests. */
import { Cpu } from '../../src/cpu/cpu.ts';
import { getEflags, setEflags } from '../../src/cpu/flags.ts';
import { runGuest } from '../../src/cpu/interpreter.ts';
import { GuestMemory } from '../../src/cpu/memory.ts';
import { AR_REAL_CODE, AR_REAL_DATA } from '../../src/cpu/registers.ts';
import { SEG_CS } from '../../src/decoder/insn.ts';
import { EXIT_REASON_HLT, EXIT_REASON_PREEMPTION_TIMER } from '../../src/uapi/vmx.ts';

/** All that a real-mode address reaches, and a page. */
export const RAM_BYTES = 0x11_1000;
/** Handler of vector v: one HLT at this address + 4·v. */
export const HANDLERS = 0x600;

/** Vector table and handlers at the bottom of `ram`. */
export function plantHandlers(ram: Uint8Array): void {
  for (let vector = 0; vector < 256; vector++) {
    const handler = HANDLERS + (vector & 31) * 4;
    ram.set([handler & 0xff, handler >> 8, 0, 0], vector * 4);
  }
  for (let i = 0; i < 32; i++) ram[HANDLERS + i * 4] = 0xf4;
}

/** Registers before a run. */
export interface BareState {
  /** EAX ECX EDX EBX ESP EBP ESI EDI. */
  readonly gpr: readonly number[];
  /** ES CS SS DS FS GS. */
  readonly selectors: readonly number[];
  readonly eip: number;
  readonly eflags: number;
}

export class BareCpu {
  readonly memory = new GuestMemory();
  readonly cpu: Cpu;

  constructor() {
    this.memory.addSlot(0, 0, new Uint8Array(RAM_BYTES), false);
    this.cpu = new Cpu(this.memory);
  }

  load(state: BareState): void {
    const { cpu } = this;
    cpu.reset();
    cpu.cr0 = 0x10;
    for (let i = 0; i < 8; i++) cpu.gpr[i] = state.gpr[i];
    for (let seg = 0; seg < 6; seg++) {
      const selector = state.selectors[seg];
      cpu.setSegment(seg, selector, selector * 16, 0xffff, seg === SEG_CS ? AR_REAL_CODE : AR_REAL_DATA);
    }
    cpu.eip = state.eip;
    setEflags(cpu, state.eflags);
  }

  get eflags(): number {
    return getEflags(this.cpu);
  }

  /**
   * Runs to the next exit that is not the end of a slice.
   * @returns the exit reason, or EXIT_REASON_PREEMPTION_TIMER when `ticks` are used up.
   */
  run(ticks: number, slice: number): number {
    for (let left = ticks; left > 0; ) {
      const reason = runGuest(this.cpu, Math.min(slice, left));
      if (reason !== EXIT_REASON_PREEMPTION_TIMER) return reason;
      left -= Math.max(1, this.cpu.retired);
    }
    return EXIT_REASON_PREEMPTION_TIMER;
  }

  /** Runs to a HLT and stands behind it. @returns whether it got there. */
  runToHalt(ticks: number, slice = ticks): boolean {
    const reason = this.run(ticks, slice);
    if (reason === EXIT_REASON_HLT) this.cpu.eip++;
    return reason === EXIT_REASON_HLT;
  }
}
