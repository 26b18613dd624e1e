/** Which of pio86's engines is measured: `pio86 bench --jit`, apart from what it needs: the command line reads this at every start. */

/** `on`: hot code becomes generated functions; `off`: everything is interpreted; `both`: one after the other, in turn. */
export const BENCH_JIT = ['on', 'off', 'both'] as const;
/** One of {@link BENCH_JIT}. */
export type BenchJit = (typeof BENCH_JIT)[number];

/** Who runs the guest: the interpreter alone, or the interpreter and what it makes of hot code. */
export type Engine = 'generated' | 'interpreter';

/** The engines to measure, in the order of the report. */
export function enginesOf(jit: BenchJit): readonly Engine[] {
  if (jit === 'both') return ['generated', 'interpreter'];
  return [jit === 'on' ? 'generated' : 'interpreter'];
}

/** `--jit` of a command that runs a guest. */
export function jitArguments(engine: Engine): readonly string[] {
  return ['--jit', engine === 'generated' ? 'on' : 'off'];
}
