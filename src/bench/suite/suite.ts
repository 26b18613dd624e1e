/** Every benchmark, and which of them are meant. */
import { EmulatorError } from '../../errors.ts';
import { type Benchmark, GROUPS } from '../benchmark.ts';
import { BUS_BENCHMARKS } from './bus-benchmarks.ts';
import { FUZZ_BENCHMARKS } from './fuzz-benchmarks.ts';
import { GUEST_BENCHMARKS } from './guest-benchmarks.ts';
import { PROBE_BENCHMARKS } from './probe-benchmarks.ts';
import { ROM_BENCHMARKS } from './rom-benchmarks.ts';
import { STATE_BENCHMARKS } from './state-benchmarks.ts';
import { TRACE_BENCHMARKS } from './trace-benchmarks.ts';

const ALL: readonly Benchmark[] = [
  ...ROM_BENCHMARKS,
  ...BUS_BENCHMARKS,
  ...TRACE_BENCHMARKS,
  ...PROBE_BENCHMARKS,
  ...GUEST_BENCHMARKS,
  ...STATE_BENCHMARKS,
  ...FUZZ_BENCHMARKS,
];

/** Every benchmark, group by group. */
export const SUITE: readonly Benchmark[] = GROUPS.flatMap((group) => ALL.filter((b) => b.group === group));

/**
 * The benchmarks with these names, or of the groups with these names, whose own name contains `filter`.
 *
 * @throws EmulatorError `E_ARGUMENT` for a name that is none, and when nothing matches the filter.
 */
export function chooseBenchmarks(names: readonly string[], filter = '', suite = SUITE): readonly Benchmark[] {
  const chosen = suite.filter(
    ({ name, group }) =>
      (names.length === 0 || names.includes(name) || names.includes(group)) && name.includes(filter),
  );
  const wrong =
    names.find((text) => !suite.some(({ name, group }) => name === text || group === text)) ??
    (chosen.length === 0 ? filter : undefined);
  if (wrong === undefined) return chosen;
  throw new EmulatorError(
    'E_ARGUMENT',
    `bench: no workload matches '${wrong}'; there are ${suite.map(({ name }) => name).join(', ')}, ` +
      `and the groups ${GROUPS.join(', ')}`,
  );
}
