/**
 * The host's clock, and waiting: the only place in pio86 that looks at real time.
 */

/** Milliseconds of the host, from an arbitrary start. */
export function hostNowMs(): number {
  // `performance` would be loaded first, a fiftieth of what a small guest takes.
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1_000_000;
}

/** Something to wait for that several parties can end: input, Ctrl-C, a deadline. */
export class Wakeup {
  #wake: (() => void) | null = null;
  #pending = false;

  /** Ends the wait, or the next one when nobody waits now. */
  wake(): void {
    this.#pending = true;
    this.#wake?.();
  }

  /** Waits for {@link wake}, for at most `ms` (Infinity: without limit). */
  async wait(ms: number): Promise<void> {
    if (!this.#pending && ms > 0) {
      await new Promise<void>((resolve) => {
        const timer = Number.isFinite(ms) ? setTimeout(resolve, ms) : null;
        this.#wake = () => {
          if (timer !== null) clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#wake = null;
    this.#pending = false;
  }
}
