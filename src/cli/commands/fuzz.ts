/** `pio86 fuzz`: random port I/O against an independent reference model. */
import { randomInt } from 'node:crypto';
import type { CommandSpec } from '../command.ts';
import { parseCount, parseNumber } from '../numbers.ts';

interface FuzzCommandOptions {
  readonly runs: number;
  readonly seed?: number;
  readonly replay?: string;
  readonly json?: boolean;
}

const MAX_SEED = 0xffff_ffff;

export const fuzzCommand: CommandSpec<FuzzCommandOptions> = {
  name: 'fuzz',
  summary: 'random port I/O against an independent reference model',
  description:
    'Runs random states and INS, OUTS, IN, OUT against a plain reference model. A difference is ' +
    'made small and printed as a case that --replay runs again. Exit code 1: a difference.',
  examples: [
    'pio86 fuzz string-io --runs 10000',
    'pio86 fuzz string-io --runs 1000 --seed 42 --json',
    'pio86 fuzz string-io --replay case.txt',
  ],
  arguments: [{ name: '<target>', description: 'what to fuzz', choices: ['string-io'] }],
  options: [
    {
      flags: '--runs <n>',
      description: 'how many cases',
      default: 10_000,
      parse: (text) => parseCount('--runs', text, 1, 1_000_000_000),
    },
    {
      flags: '--seed <n>',
      description: 'the same seed gives the same cases (default: a random one, printed)',
      parse: (text) => parseNumber('--seed', text, 0, MAX_SEED),
    },
    { flags: '--replay <file>', description: 'run one printed case instead' },
    { flags: '--json', description: 'print one JSON document' },
  ],
  async action({ out }, [target], options) {
    const { requireReadable } = await import('../read-input.ts');
    if (options.replay !== undefined) requireReadable(options.replay);
    const { runFuzz } = await import('../../fuzz/run-fuzz.ts');
    return runFuzz(
      {
        target: target ?? '',
        runs: options.runs,
        seed: options.seed ?? randomInt(MAX_SEED + 1),
        json: options.json === true,
        ...(options.replay === undefined ? {} : { replay: options.replay }),
      },
      { line: (text) => out.write(`${text}\n`) },
    );
  },
};
