/**
 * Fuzzes the second engine against the interpreter (`npm run fuzz:jit -- [BLOCKS [SEED]]`): random programs on two boards. Prints
 * rate and count, and the first difference with its program made small. Exit code 1: a difference.
 */

import { EngineTwins } from '../dist/fuzz/engine-twins.js';
import { engineProgramLines, fuzzEngines, shrinkEngineProgram } from '../dist/fuzz/run-engine-fuzz.js';

const BLOCKS = Number(process.argv[2] ?? 100_000);
const SEED = Number(process.argv[3] ?? 1);
const REPORT_MS = 10_000;

const begin = Date.now();
let last = begin;
const seconds = () => (Date.now() - begin) / 1000;
let total = { programs: 0, blocks: 0, ticks: 0 };
const line = () =>
  console.log(
    `seed ${SEED}: ${total.blocks} blocks, ${total.programs} programs, ${total.ticks} ticks, ${seconds().toFixed(0)} s, ${(total.blocks / seconds()).toFixed(0)} blocks/s`,
  );
const finding = fuzzEngines(SEED, BLOCKS, (progress) => {
  total = progress;
  if (Date.now() - last < REPORT_MS) return;
  last = Date.now();
  line();
});
line();
if (finding === null) console.log('no difference');
else {
  const show = (program, difference) => {
    for (const text of engineProgramLines(program)) console.log(text);
    for (const text of difference?.lines ?? ['(no difference on new boards)']) console.log(`  ${text}`);
  };
  console.log(`program ${finding.index} of seed ${SEED} differs after ${finding.difference.ticks} ticks:`);
  show(finding.program, finding.difference);
  const small = shrinkEngineProgram(finding.program);
  const again = new EngineTwins().run(small);
  console.log(`made small (${small.items.length} items):`);
  show(small, again);
  process.exitCode = 1;
}
