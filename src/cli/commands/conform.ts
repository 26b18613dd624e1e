/** `pio86 conform`: replays recorded vectors. */
import { CONFORM_ENGINES, type ConformEngine } from '../../conform/engine-names.ts';
import type { CommandSpec } from '../command.ts';
import { parseNumber } from '../numbers.ts';

interface ConformCommandOptions {
  readonly failures: number;
  readonly filter?: string;
  readonly jit: ConformEngine;
  readonly json?: boolean;
}

export const conformCommand: CommandSpec<ConformCommandOptions> = {
  name: 'conform',
  summary: 'replay test vectors of real processors and of a real KVM',
  description:
    'Replays vector files (.jsonl, .jsonl.gz; a directory means all in it) and compares. What a ' +
    'file needs that is not there is excluded by name and counted. Exit code 1: something failed.',
  examples: [
    'pio86 conform ../shared/vectors',
    'pio86 conform --json vectors/kvm',
    'pio86 conform --jit verify vectors/hw32',
    'pio86 conform --failures 20 --filter id=7 dev-pic.jsonl.gz',
  ],
  arguments: [{ name: '<paths...>', description: 'files and directories' }],
  options: [
    {
      flags: '--failures <n>',
      description: 'how many failures to show as a diff',
      default: 5,
      parse: (text) => parseNumber('--failures', text, 0, 1_000_000),
    },
    { flags: '--filter <text>', description: 'only cases whose id contains this' },
    {
      flags: '--jit <how>',
      description:
        'off: interpreted; on: every instruction becomes a generated function before it runs; verify: both, which must agree ' +
        'beyond the recording too',
      choices: CONFORM_ENGINES,
      default: 'off',
    },
    { flags: '--json', description: 'print one JSON document' },
  ],
  async action({ out }, paths, options) {
    const { requireReadable } = await import('../read-input.ts');
    for (const path of paths) requireReadable(path);
    const { runConform } = await import('../../conform/run-conform.ts');
    const filter = options.filter === undefined ? {} : { filter: options.filter };
    return runConform(
      paths,
      { failures: options.failures, json: options.json === true, jit: options.jit, ...filter },
      { line: (text) => out.write(`${text}\n`) },
    );
  },
};
