/**
 * Which engine runs the cases of vectors: `--jit`. A recorded case runs each of its instructions once, so `on` makes a function of
 * every instruction before it runs for the first time.
 */
import { getEflags } from '../cpu/flags.ts';
import { GPR_NAMES } from '../cpu/registers.ts';
import type { JitOptions } from '../jit/engine.ts';
import { EVERY_INSTRUCTION } from '../jit/every-instruction.ts';
import { type CaseDiff, hex } from './case-diff.ts';
import type { ConformEngine } from './engine-names.ts';
import type { Replayer } from './vector-format.ts';

/** How the machines of a file are made: one for each engine. */
export function enginesOf(engine: ConformEngine): readonly (JitOptions | false)[] {
  if (engine === 'verify') return [false, EVERY_INSTRUCTION];
  return [engine === 'on' ? EVERY_INSTRUCTION : false];
}

/** Compares the processors of two replayers of one case, undefined flags included. */
export function compareEngines(first: Replayer, second: Replayer, diff: CaseDiff): void {
  const [a, b] = [first.cpu, second.cpu];
  if (a === null || b === null) return;
  const number = (what: string, one: number, other: number): void => {
    if (one === other) return;
    diff.text(what, `${hex(one >>> 0, 8)} interpreted`, `${hex(other >>> 0, 8)} generated`);
  };
  for (const [i, name] of GPR_NAMES.entries()) number(name, a.gpr[i], b.gpr[i]);
  number('eip', a.eip, b.eip);
  number('eflags', getEflags(a), getEflags(b));
  number('cr2', a.cr2, b.cr2);
  for (let seg = 0; seg < 6; seg++) {
    number(`selector ${seg}`, a.segSelector[seg], b.segSelector[seg]);
    number(`base ${seg}`, a.segBase[seg], b.segBase[seg]);
  }
}
