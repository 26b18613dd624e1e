/** `pio86 bench`: how fast port I/O and ordinary code run here, and elsewhere. */
import { GROUPS } from '../../bench/benchmark.ts';
import { BENCH_JIT } from '../../bench/engine.ts';
import type { BenchCommandOptions } from '../bench/bench-options.ts';
import { chartPath, parseDecimal } from '../bench/bench-options.ts';
import { type CommandSpec, collect } from '../command.ts';
import { parseNumber } from '../numbers.ts';

export const benchCommand: CommandSpec<BenchCommandOptions> = {
  name: 'bench',
  summary: 'measure port I/O by path, instructions a second, and the peers',
  description:
    'Measures the built program: port I/O by path, buses, REP, ordinary code, traces, start-up, snapshots, memory, fuzzing. ' +
    `NAME is a workload (out_pic) or a group (${GROUPS.join(', ')}). ` +
    'Rates are slopes between two sizes, each run a process of its own; medians.',
  examples: [
    'pio86 bench',
    'pio86 bench out_pic crc --samples 9',
    'pio86 bench io --peers --chart io.svg',
    'pio86 bench io cpu --peer qemu --peer v86',
    'pio86 bench io crc --jit both --peers',
    'pio86 bench --json > before.json',
    'pio86 bench --baseline before.json --max-slowdown 1.1',
  ],
  arguments: [{ name: '[names...]', description: 'workloads or groups; default all' }],
  options: [
    {
      flags: '--samples <n>',
      description: 'measurements of each workload',
      default: 5,
      parse: (text) => parseNumber('--samples', text, 1, 1000),
    },
    {
      flags: '--seconds <s>',
      description: 'how long the long run of a slope takes',
      default: 0.8,
      parse: (text) => parseDecimal('--seconds', text, 0.001, 60),
    },
    {
      flags: '--clock <clock>',
      description: 'wall; or cpu: CPU seconds of all threads, for a machine that does other things too',
      choices: ['wall', 'cpu'],
      default: 'wall',
    },
    {
      flags: '--jit <how>',
      description:
        'on: with generated code; off: the interpreter alone; both: a row for each of the two. ' +
        'Rows without a guest have no engine',
      choices: BENCH_JIT,
      default: 'on',
    },
    { flags: '--filter <text>', description: 'only workloads whose name contains this' },
    { flags: '--peers', description: 'run v86, QEMU TCG, Bochs and /dev/kvm too, those that are here' },
    {
      flags: '--peer <name>',
      description: 'run this peer too (repeatable): v86, qemu, bochs, kvm; exit code 6 when it is not here',
      parse: collect((text) => text),
    },
    {
      flags: '--baseline <file>',
      description: 'compare with what --json printed earlier; a ratio above 1 is better than then',
    },
    {
      flags: '--max-slowdown <ratio>',
      description: 'exit code 1 when something is more than so many times as slow as the baseline',
      parse: (text) => parseDecimal('--max-slowdown', text, 1, 1000),
    },
    {
      flags: '--chart <file>',
      description: 'draw the rates: FILE.svg, or FILE.html with all figures',
      parse: chartPath,
    },
    { flags: '--json', description: 'print one JSON document' },
  ],
  async action(context, names, options) {
    const { runBenchCommand } = await import('../bench/run-bench-command.ts');
    return runBenchCommand(context, names, options);
  },
};
