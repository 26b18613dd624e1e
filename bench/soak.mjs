/**
 * Runs random programs for a long time and watches the process's memory (`npm run soak`): real, 16- and 32-bit protected and
 * virtual-8086 mode, with paging and without. Fails when the resident set goes on growing after a warm-up.
 *
 *     npm run soak [-- INSTRUCTIONS [SEED]]
 */
import { RandomCode } from '../dist/fuzz/random-code.js';
import { RANDOM_CODE_MODES } from '../dist/fuzz/random-code-mode.js';

const INSTRUCTIONS = Number(process.argv[2] ?? 100_000_000);
const SEED = Number(process.argv[3] ?? 1);
/** Ticks of one program: most come from loops, so that fresh code and hot code both run. */
const PROGRAM_TICKS = 2_000;
const REPORTS = 20;
/** Until then V8 compiles and grows its heaps, and the decode cache fills: it keeps a bounded number of instructions. */
const WARM_UP = 0.5;
const ALLOWED_GROWTH_MIB = 16;

const mib = () => process.memoryUsage().rss / 2 ** 20;
const machine = new RandomCode(SEED);
const samples = [];
const begin = Date.now();
let programs = 0;
console.log(`${INSTRUCTIONS} instructions, seed ${SEED}, RSS at start ${mib().toFixed(1)} MiB`);
for (let next = 1; next <= REPORTS; ) {
  const mode = RANDOM_CODE_MODES[programs % RANDOM_CODE_MODES.length];
  const isPaged = (programs >> 2) % 2 === 1;
  const ticks = machine.runProgram(mode, isPaged, PROGRAM_TICKS);
  if (ticks > PROGRAM_TICKS + 1) throw new Error(`program ${programs}: ${ticks} ticks of ${PROGRAM_TICKS}`);
  programs++;
  if (machine.retired * REPORTS < INSTRUCTIONS * next) continue;
  samples.push(mib());
  const seconds = ((Date.now() - begin) / 1000).toFixed(0);
  console.log(
    `${machine.retired} instructions, ${programs} programs (${machine.shutdowns} shut down), ${seconds} s, RSS ${mib().toFixed(1)} MiB`,
  );
  next++;
}
const settled = samples.slice(Math.floor(REPORTS * WARM_UP));
const half = settled.length >> 1;
const middle = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
const growth = middle(settled.slice(half)) - middle(settled.slice(0, half));
console.log(`RSS growth after the warm-up: ${growth.toFixed(1)} MiB (allowed ${ALLOWED_GROWTH_MIB})`);
process.exitCode = growth > ALLOWED_GROWTH_MIB ? 1 : 0;
