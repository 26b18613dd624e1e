/**
 * Rates as slopes: the difference of two sizes over the difference of their times, so that start-up, and whatever a just-in-time
 * compiler does at first, cancels out.
 */
import { BenchFailure } from './bench-failure.ts';

/** Runs `n` of the work. @returns seconds. */
export type TimedRun = (n: number) => Promise<number>;

/** The two sizes of a slope. */
export interface Sizes {
  readonly small: number;
  readonly large: number;
}

/** What sizes may be. */
export interface SizeLimits {
  /** Sizes are multiples of it. */
  readonly step: number;
  /** The first size tried. */
  readonly first: number;
  readonly max: number;
  /** It is as fast at once as it is later: the first sizes from which something can be told will do. Default false. */
  readonly isSteady?: boolean;
}

/** How fast sizes grow while nothing can be told from them, and afterwards. */
const GROWTH = 8;
const STEP_UP = 2;
/** Small run / large run: what comes before is warm-up. */
const SMALL_SHARE = 0.4;
/** Two sizes agree when the larger one is at most so many times as fast: no compiler is warming up any more. */
const AGREEMENT = 1.5;
/** Seconds that a run must have taken before two sizes can agree: within its first second a compiler is evenly slow. */
const WARM_UP = 1.5;
/** The difference of two runs means something when it is not small beside what both have in common. */
const SIGNAL_SHARE = 0.5;
/** A disturbed pair can come out the wrong way round. */
const ATTEMPTS = 5;

function stepped(n: number, { step, max }: SizeLimits): number {
  const whole = Math.max(1, Math.round(Math.min(n, max) / step)) * step;
  return whole > max ? whole - step : whole;
}

/**
 * Finds sizes whose runs differ by about `seconds` less the warm-up. Sizes grow until two of them agree on the rate: a
 * just-in-time compiler is slow at first, and a busy machine makes any one run longer.
 */
export async function calibrate(run: TimedRun, limits: SizeLimits, seconds: number): Promise<Sizes> {
  const wanted = seconds * (1 - SMALL_SHARE);
  let n = limits.first;
  let earlier: { readonly rate: number; readonly large: number } | null = null;
  for (;;) {
    const sizes = sizesFor(n, limits);
    const smallTime = await run(sizes.small);
    const largeTime = await run(sizes.large);
    const difference = largeTime - smallTime;
    if (sizes.large >= stepped(limits.max, limits)) return sizes;
    const isSignal = difference >= wanted / 2 && difference >= smallTime * SIGNAL_SHARE;
    if (isSignal) {
      const rate = (sizes.large - sizes.small) / difference;
      const enough = (sizes.large * Math.max(wanted, smallTime * SIGNAL_SHARE)) / difference;
      let chosen: Sizes | null = null;
      if (limits.isSteady === true) chosen = sizesFor(enough, limits);
      else if (earlier !== null && rate <= earlier.rate * AGREEMENT && largeTime >= WARM_UP)
        chosen = sizesFor(Math.max(enough, earlier.large), limits); // below that nobody has looked
      // A machine that stood still for a moment looks like work, once.
      if (chosen !== null && (await timeBetween(run, chosen)) >= wanted / 2) return chosen;
      earlier = { rate, large: sizes.large };
    }
    n = sizes.large * (isSignal ? STEP_UP : GROWTH);
  }
}

async function timeBetween(run: TimedRun, { small, large }: Sizes): Promise<number> {
  const smallTime = await run(small);
  return (await run(large)) - smallTime;
}

function sizesFor(n: number, limits: SizeLimits): Sizes {
  const large = Math.max(stepped(n, limits), 2 * limits.step);
  const small = Math.min(stepped(n * SMALL_SHARE, limits), large - limits.step);
  return { small, large };
}

/**
 * One measurement.
 *
 * @returns N a second.
 * @throws BenchFailure when the long run is never slower than the short one.
 */
export async function slope(run: TimedRun, { small, large }: Sizes): Promise<number> {
  for (let i = 0; i < ATTEMPTS; i++) {
    const difference = await timeBetween(run, { small, large });
    if (difference > 0) return (large - small) / difference;
  }
  throw new BenchFailure(`${ATTEMPTS} runs of ${large} were no slower than runs of ${small}`);
}
