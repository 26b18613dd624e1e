/** `pio86 bench`: how fast port I/O and ordinary code run here. */
import type { CommandSpec } from '../command.ts';
import { parseNumber } from '../numbers.ts';

interface BenchCommandOptions {
  readonly samples: number;
  readonly filter?: string;
  readonly json?: boolean;
}

export const benchCommand: CommandSpec<BenchCommandOptions> = {
  name: 'bench',
  summary: 'measure port I/O by path, and instructions a second',
  description:
    'Measures port dispatch by path (fast path, emulator, exit to userspace, REP) and whole ' +
    'workloads. Prints median and spread.',
  examples: [
    'pio86 bench',
    'pio86 bench out_pic crc --samples 9',
    'pio86 bench --filter out',
    'pio86 bench --json',
  ],
  arguments: [{ name: '[names...]', description: 'workloads, such as out_pic; default all' }],
  options: [
    {
      flags: '--samples <n>',
      description: 'measurements of each workload',
      default: 5,
      parse: (text) => parseNumber('--samples', text, 1, 1000),
    },
    { flags: '--filter <text>', description: 'only workloads whose name contains this' },
    { flags: '--json', description: 'print one JSON document' },
  ],
  async action({ out }, names, options) {
    const { runBench } = await import('../../bench/run-bench.ts');
    const filter = options.filter === undefined ? {} : { filter: options.filter };
    return runBench(
      { names, samples: options.samples, json: options.json === true, ...filter },
      { line: (text) => out.write(`${text}\n`) },
    );
  },
};
