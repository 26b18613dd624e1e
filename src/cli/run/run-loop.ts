/**
 * Runs a board in slices, so that between them output drains, input arrives and Ctrl-C and deadlines are heard.
 * What the guest sees depends on the slices only where it reads serial input of a pipe or a terminal, which comes when it comes.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Board, BoardEnd } from '../../boards/board.ts';
import type { Kvm } from '../../kvm/kvm.ts';
import type { Gathered } from './guest-output.ts';
import { hostNowMs, type Wakeup } from './host-time.ts';
import { Pacer, WALL_SLICES_A_SECOND } from './pacer.ts';
import type { RunEnd } from './run-end.ts';
import type { SerialInput } from './serial-input.ts';

const MIN_SLICE_TICKS = 20_000;
/** Bounds what one slice can produce: a REP OUTS writes a byte a tick. */
const MAX_SLICE_TICKS = 4_000_000;
/** A traced tick can be three lines. */
const MAX_TRACED_SLICE_TICKS = 50_000;
/** While input waits and the guest takes it, the UART is filled again this often; while the guest takes none, less and less. */
const INPUT_SLICE_TICKS = 1_000;
const MAX_INPUT_SLICE_TICKS = 16_000;
/** Slices grow while they take less of the host's time, and shrink above twice this. */
const SLICE_TARGET_MS = 5;
/** The event loop gets its turn at least this often. */
const TURN_MS = 15;
/** Output is handed on when this much waits. */
const FLUSH_PENDING = 1 << 18;

/** Somebody who looks on while the guest runs, from the machine's creation on. */
export interface RunObserver {
  /** The machine comes from it. */
  readonly kvm: Kvm;
  readonly tracepoints: Board['vcpu']['trace'];
  /** True ends the run. */
  readonly isDone: boolean;
  /** Called between slices. */
  poll(): void;
  /** A slice is no longer than this. */
  ticksToInterval(): number;
}

/** What the loop watches besides the guest. */
export interface RunControl {
  /** Limit of `vcpu.instructions`. */
  readonly maxInsns: number;
  /** Of the host. */
  readonly timeoutMs: number;
  readonly clock: 'virtual' | 'wall';
  readonly isTraced: boolean;
  readonly input: SerialInput;
  readonly outputs: readonly Gathered[];
  /** Woken by input, by signals and by outputs that take data again. */
  readonly wakeup: Wakeup;
  /** The end that a signal asks for, or null. */
  stopped(): RunEnd | null;
  readonly observer: RunObserver | null;
  /** Whether a guest's reset starts it anew (a ROM) instead of ending the run. */
  readonly restartsOnReset: boolean;
}

/** What to do after a slice. */
type Next = { readonly end: RunEnd } | { readonly waitMs: number };
const GO_ON: Next = { waitMs: 0 };

class RunLoop {
  readonly #board: Board;
  readonly #control: RunControl;
  readonly #deadlineMs: number;
  readonly #pacer: Pacer | null;
  readonly #maxSlice: number;
  readonly #receive: (byte: number) => boolean;
  #slice: number;
  #inputSlice = INPUT_SLICE_TICKS;
  #fed = 0;
  #turnStartMs = hostNowMs();

  constructor(board: Board, control: RunControl) {
    const isWall = control.clock === 'wall';
    const wallSlice = Math.ceil(board.vm.clock.ips / WALL_SLICES_A_SECOND);
    this.#board = board;
    this.#control = control;
    this.#deadlineMs = hostNowMs() + control.timeoutMs;
    this.#pacer = isWall ? new Pacer() : null;
    this.#maxSlice = Math.min(
      control.isTraced ? MAX_TRACED_SLICE_TICKS : MAX_SLICE_TICKS,
      isWall ? wallSlice : MAX_SLICE_TICKS,
    );
    this.#slice = Math.min(MIN_SLICE_TICKS, this.#maxSlice);
    this.#receive = (byte) => board.receiveSerial(byte);
  }

  async run(): Promise<RunEnd> {
    // Input that is already there comes before the first instruction.
    let end = await this.#turn(0);
    while (end === null) {
      end = await this.#settleInput();
      if (end !== null) break;
      const left = this.#control.maxInsns - this.#board.vcpu.instructions;
      if (left <= 0) return { kind: 'max-insns' };
      const result = this.#runSlice(left);
      if (this.#control.observer?.isDone === true) return { kind: 'script-exit' };
      const next = this.#after(result);
      if ('end' in next) return next.end;
      if (next.waitMs > 0 || this.#turnIsDue()) end = await this.#turn(next.waitMs);
    }
    return end;
  }

  /** Waits for input that is sure to come soon, so that the guest gets it at the same tick in every run. */
  async #settleInput(): Promise<RunEnd | null> {
    const { input } = this.#control;
    let end: RunEnd | null = null;
    while (end === null && input.neverWaits && input.pending === 0 && !input.ended)
      end = await this.#turn(this.#deadlineMs - hostNowMs());
    return end;
  }

  #runSlice(left: number): BoardEnd {
    const { input, observer } = this.#control;
    this.#fed = input.feed(this.#receive);
    this.#inputSlice =
      this.#fed > 0 ? INPUT_SLICE_TICKS : Math.min(this.#inputSlice * 2, MAX_INPUT_SLICE_TICKS);
    const startMs = hostNowMs();
    const slice = Math.min(left, input.pending > 0 ? this.#inputSlice : this.#slice);
    const result = this.#board.run(observer === null ? slice : Math.min(slice, observer.ticksToInterval()));
    observer?.poll();
    const tookMs = hostNowMs() - startMs;
    if (tookMs < SLICE_TARGET_MS) this.#slice = Math.min(this.#slice * 2, this.#maxSlice);
    else if (tookMs > 2 * SLICE_TARGET_MS) this.#slice = Math.max(this.#slice >>> 1, INPUT_SLICE_TICKS);
    return result;
  }

  #after(result: BoardEnd): Next {
    switch (result.kind) {
      case 'slice': {
        const waitMs = this.#pacer?.waitMs(this.#board.vm.clock.nowNs) ?? 0;
        return waitMs > 0 ? { waitMs } : GO_ON;
      }
      case 'idle':
        return this.#afterIdle(result);
      case 'reset':
        if (!this.#control.restartsOnReset) return { end: result };
        this.#board.reset();
        return GO_ON;
      default:
        return { end: result };
    }
  }

  /** Only input can wake the guest. */
  #afterIdle(idle: RunEnd): Next {
    const { pending, ended } = this.#control.input;
    // A byte has arrived in the UART: its interrupt, if it has one, comes in the next slice.
    if (this.#fed > 0) return GO_ON;
    // Bytes that the UART refuses will never wake a guest that sleeps.
    if (pending > 0 || ended) return { end: idle };
    return { waitMs: this.#deadlineMs - hostNowMs() };
  }

  #turnIsDue(): boolean {
    if (hostNowMs() - this.#turnStartMs > TURN_MS) return true;
    return this.#control.outputs.some((output) => output.pending > FLUSH_PENDING);
  }

  /** Hands output on, waits, and lets the event loop run. @returns why the host ends the run, or null. */
  async #turn(waitMs: number): Promise<RunEnd | null> {
    await this.handOnOutput();
    if (waitMs > 0) await this.#control.wakeup.wait(Math.min(waitMs, this.#deadlineMs - hostNowMs()));
    await nextTurn();
    this.#turnStartMs = hostNowMs();
    return this.#hostEnd();
  }

  #hostEnd(): RunEnd | null {
    const stopped = this.#control.stopped();
    if (stopped !== null) return stopped;
    if (this.#control.outputs.some(({ stream }) => stream.closed)) return { kind: 'output-closed' };
    if (hostNowMs() >= this.#deadlineMs) return { kind: 'timeout' };
    return null;
  }

  /** Hands output on and waits until all of it is taken; a reader that takes nothing does not hold up a deadline. */
  async handOnOutput(): Promise<void> {
    const { outputs, wakeup } = this.#control;
    for (const output of outputs) output.handOn();
    while (outputs.some(({ stream }) => stream.isFull) && this.#hostEnd() === null) {
      await wakeup.wait(this.#deadlineMs - hostNowMs());
    }
  }
}

/** Runs until the guest ends or the host has a reason to stop. Everything gathered is handed on at the end. */
export async function runLoop(board: Board, control: RunControl): Promise<RunEnd> {
  const loop = new RunLoop(board, control);
  for (const { stream } of control.outputs) stream.onResume = () => control.wakeup.wake();
  const end = await loop.run();
  await loop.handOnOutput();
  return end;
}
