/**
 * How many cases `pio86 fuzz string-io` runs a second, each on the emulator and on the reference model and compared in full: on
 * one core, and with two worker threads (the ratio of the two rows is what the second one gives).
 */
import { Pio86Failure } from '../bench-failure.ts';
import type { BenchHost } from '../bench-host.ts';
import type { Benchmark } from '../benchmark.ts';
import { calibrate, slope } from '../slope.ts';

/** Cases of a family share their code: sizes are whole families. */
const FAMILY = 128;
const FIRST_CASES = 320 * FAMILY;
const MAX_CASES = 2 ** 26;

/** Seconds of the cases themselves, as the report has them; by CPU time, of the whole process. */
async function fuzzSeconds(host: BenchHost, workers: number, cases: number): Promise<number> {
  const args = [
    'fuzz',
    'string-io',
    '--seed',
    '1',
    '--runs',
    String(cases),
    '--workers',
    String(workers),
    '--json',
  ];
  const { stdout, seconds } = await host.pio86(args);
  const report = JSON.parse(stdout.trimEnd().split('\n').pop() ?? '') as { runs?: number; seconds?: number };
  if (report.runs !== cases || report.seconds === undefined) {
    throw new Pio86Failure(`pio86 fuzz: ${report.runs} of ${cases} cases`);
  }
  // CPU time says nothing about how much two threads do at once.
  return host.options.clock === 'cpu' && workers === 1 ? seconds : report.seconds;
}

function stringIo(workers: number): Benchmark {
  return {
    name: workers === 1 ? 'fuzz:string-io' : `fuzz:string-io:${workers}workers`,
    group: 'fuzz',
    unit: 'cases/s',
    better: 'more',
    about: `string-io cases against the reference model, ${workers === 1 ? 'one core' : `${workers} workers`}`,
    isForPeers: false,
    hasGuest: false,
    async prepare(host) {
      const run = (cases: number): Promise<number> => fuzzSeconds(host, workers, cases);
      const limits = { step: FAMILY, first: FIRST_CASES, max: MAX_CASES };
      const sizes = await calibrate(run, limits, host.options.seconds);
      return () => slope(run, sizes);
    },
  };
}

/** One worker and two. */
export const FUZZ_BENCHMARKS: readonly Benchmark[] = [stringIo(1), stringIo(2)];
