/**
 * `--clock wall`: keeps virtual time on the host's pace.
 */
import { hostNowMs } from './host-time.ts';

/** Slices are at most this long, so that the guest's time is never far off. */
export const WALL_SLICES_A_SECOND = 200;
/** Virtual time may run ahead of the host by this much before the host sleeps. */
const AHEAD_MS = 1;
/** A host that falls further behind than this gives up catching up. */
const LAG_MS = 100;

/** Compares virtual time with the host's since it was made. */
export class Pacer {
  #hostStartMs = hostNowMs();

  /** How long the host shall wait, 0 when the guest is not ahead. */
  waitMs(virtualNs: number): number {
    const ahead = virtualNs / 1e6 - (hostNowMs() - this.#hostStartMs);
    if (ahead < -LAG_MS) this.#hostStartMs -= ahead;
    return ahead > AHEAD_MS ? ahead : 0;
  }
}
