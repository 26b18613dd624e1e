/**
 * The latch at port 0x80 that a POST card shows (IBM PC AT technical reference, “Diagnostics”: the spare
 * DMA page register that the self-test writes its checkpoint to).
 *
 * Honours one-byte accesses; declines the others without effect. Reads give the last code, 0xff before one.
 */
import { IO_NOT_HANDLED, type IoDevice, type IoSize } from '../bus/io-device.ts';

/** Port of the latch. */
export const POST_CODE_PORT = 0x80;

/** How many codes are kept; a guest that loops must not fill the host's memory. */
export const POST_CODE_HISTORY_LEN = 256;

/** Everything the latch remembers. */
export interface PostCodeState {
  /** Ring of the last codes; the next one goes to `written % POST_CODE_HISTORY_LEN`. */
  history: Uint8Array;
  /** Codes written since power-on. */
  written: number;
}

/** The POST latch. */
export class PostCodeLatch implements IoDevice {
  readonly name = 'post-code';
  readonly state: PostCodeState = { history: new Uint8Array(POST_CODE_HISTORY_LEN), written: 0 };

  /** The last codes, oldest first. */
  get history(): Uint8Array {
    const { history, written } = this.state;
    if (written <= POST_CODE_HISTORY_LEN) return history.slice(0, written);
    const oldest = written % POST_CODE_HISTORY_LEN;
    const out = new Uint8Array(POST_CODE_HISTORY_LEN);
    out.set(history.subarray(oldest));
    out.set(history.subarray(0, oldest), POST_CODE_HISTORY_LEN - oldest);
    return out;
  }

  read(_addr: number, size: IoSize): number {
    if (size !== 1) return IO_NOT_HANDLED;
    const { history, written } = this.state;
    return written === 0 ? 0xff : history[(written - 1) % POST_CODE_HISTORY_LEN];
  }

  write(_addr: number, size: IoSize, value: number): boolean {
    if (size !== 1) return false;
    this.state.history[this.state.written % POST_CODE_HISTORY_LEN] = value;
    this.state.written++;
    return true;
  }

  readMany(addr: number, size: IoSize, data: Uint8Array, at: number, count: number): boolean {
    if (size !== 1) return false;
    data.fill(this.read(addr, size), at, at + count);
    return true;
  }

  writeMany(_addr: number, size: IoSize, data: Uint8Array, at: number, count: number): boolean {
    if (size !== 1) return false;
    const { state } = this;
    for (let i = Math.max(0, count - POST_CODE_HISTORY_LEN); i < count; i++) {
      state.history[(state.written + i) % POST_CODE_HISTORY_LEN] = data[at + i];
    }
    state.written += count;
    return true;
  }

  /** Power-on state. */
  reset(): void {
    this.state.history.fill(0);
    this.state.written = 0;
  }

  saveState(): PostCodeState {
    return { history: this.state.history.slice(), written: this.state.written };
  }

  loadState(state: unknown): void {
    const from = state as PostCodeState;
    this.state.history.set(from.history);
    this.state.written = from.written;
  }
}
