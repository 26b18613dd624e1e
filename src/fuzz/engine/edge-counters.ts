/**
 * Where instrumented code counts: one byte an edge of its control flow, and, in the build with values, how near comparisons came to
 * equality. scripts/edge-counters.mjs puts the counting into a copy of the build; nothing else imports this module's `$` functions.
 *
 * Counters saturate: a loop of 256 turns is not one that was never entered.
 */

/** Edges that a process may count. */
const MAX_EDGES = 1 << 17;
/** Distances that a comparison can have: 0 to 32 bits. */
export const DISTANCES = 33;
const MAX_COMPARISONS = 1 << 15;

const EDGES = new Uint8ClampedArray(MAX_EDGES);
const DISTANCE_SEEN = new Uint8Array(MAX_COMPARISONS * DISTANCES);
/** Places of {@link DISTANCE_SEEN} that are set, so that nobody has to look for them. */
const touched = new Int32Array(MAX_COMPARISONS);
const lastLeft = new Float64Array(MAX_COMPARISONS);
let edges = 0;
let comparisons = 0;
let touchedCount = 0;

/** What the engine sees of the counters. */
export interface EdgeCounters {
  /** Counters of all modules that are loaded; a view of the first {@link edges}. */
  counters(): Uint8ClampedArray;
  /** How many edges the modules that are loaded have. */
  readonly edges: number;
  /** Calls `take` for each (comparison · {@link DISTANCES} + distance) that was met since the last call, and forgets them. */
  takeDistances(take: (place: number) => void): void;
}

/** The counters of this process: the instrumented build has its own copy of this module. */
export const EDGE_COUNTERS: EdgeCounters = {
  counters: () => EDGES.subarray(0, edges),
  get edges() {
    return edges;
  },
  takeDistances(take) {
    for (let i = 0; i < touchedCount; i++) {
      DISTANCE_SEEN[touched[i]] = 0;
      take(touched[i]);
    }
    touchedCount = 0;
  },
};

/** Counters for the edges of one module. @throws RangeError when the map is full. */
export function $counters(count: number): Uint8ClampedArray {
  if (edges + count > MAX_EDGES) throw new RangeError(`more than ${MAX_EDGES} edges`);
  edges += count;
  return EDGES.subarray(edges - count, edges);
}

/** Numbers for the comparisons of one module: the first of `count`. @throws RangeError when the map is full. */
export function $comparisons(count: number): number {
  if (comparisons + count > MAX_COMPARISONS) throw new RangeError(`more than ${MAX_COMPARISONS} comparisons`);
  comparisons += count;
  return comparisons - count;
}

/** The left side of a comparison, on its way. @returns it. */
export function $left<T>(site: number, left: T): T {
  lastLeft[site] = typeof left === 'number' ? left : Number.NaN;
  return left;
}

/** The right side of `===` and its like: how many bits of two numbers differ. @returns it. */
export function $equal<T>(site: number, right: T): T {
  const left = lastLeft[site];
  if (typeof right === 'number' && !Number.isNaN(left)) note(site, bitCount(left ^ right));
  return right;
}

/** The right side of `<` and its like: how many bits the difference of two numbers has. @returns it. */
export function $order<T>(site: number, right: T): T {
  const left = lastLeft[site];
  if (typeof right === 'number' && !Number.isNaN(left)) note(site, 32 - Math.clz32(Math.abs(left - right)));
  return right;
}

function note(site: number, distance: number): void {
  const place = site * DISTANCES + distance;
  if (DISTANCE_SEEN[place] !== 0 || touchedCount === touched.length) return;
  DISTANCE_SEEN[place] = 1;
  touched[touchedCount++] = place;
}

function bitCount(bits: number): number {
  let left = bits - ((bits >>> 1) & 0x5555_5555);
  left = (left & 0x3333_3333) + ((left >>> 2) & 0x3333_3333);
  return Math.imul((left + (left >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}
