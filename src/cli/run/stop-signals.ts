/**
 * SIGINT and SIGTERM as the ends of a run: the first one counts. The run ends between two slices, with its summary and its trace.
 */
import type { CliIo } from '../io.ts';
import type { RunEnd } from './run-end.ts';

/** Listens from its creation to {@link close}. */
export class StopSignals {
  /** Why the run has to end, or null. */
  end: RunEnd | null = null;
  readonly #onStop: () => void;
  readonly #offs: readonly (() => void)[];

  /** @param onStop called when there is an end. */
  constructor(io: CliIo, onStop: () => void = () => {}) {
    this.#onStop = onStop;
    this.#offs = [
      io.onSigint(() => this.interrupt()),
      io.onSigterm(() => this.#stop({ kind: 'terminated' })),
    ];
  }

  /** As SIGINT: Ctrl-C of a terminal in raw mode is a byte. */
  interrupt(): void {
    this.#stop({ kind: 'interrupted' });
  }

  close(): void {
    for (const off of this.#offs) off();
  }

  #stop(end: RunEnd): void {
    this.end ??= end;
    this.#onStop();
  }
}
