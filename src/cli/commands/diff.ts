/** `pio86 diff`: the same guest on pio86 and on the host's KVM. */
import { usageError } from '../cli-error.ts';
import { type CommandSpec, collect } from '../command.ts';
import type { DiffOptions } from '../host/request.ts';
import { parseCount, parseNumber, parseSize } from '../numbers.ts';
import { parseDevice, parseTimeout } from '../run/run-options.ts';

const MIN_MEMORY = 0x10000;
const MAX_MEMORY = 0x4000_0000;
const MAX_SEED = 0xffff_ffff;

export const diffCommand: CommandSpec<DiffOptions> = {
  name: 'diff',
  summary: "run guests on pio86 and on the host's KVM and compare",
  description:
    "Runs each guest on pio86 and on the host's /dev/kvm, exit by exit: kind, port, size, count, data and " +
    'registers, and at the end registers, memory and devices. What depends on the real time of the ' +
    "host's PIT is masked by a printed rule, and what the host cannot run is named; neither counts as " +
    'agreement. Exit code 1: a difference. Needs the optional package koffi.',
  examples: [
    'pio86 diff examples/rep-insw.bin',
    'pio86 diff --probe',
    'pio86 diff --random 2000 --seed 7',
    'pio86 diff --json examples/*.bin',
  ],
  arguments: [{ name: '[files...]', description: 'guests: as for run' }],
  options: [
    { flags: '--probe', description: "print what the host's KVM can run" },
    {
      flags: '--random <n>',
      description: 'run n random programs around IN, OUT, INS and OUTS',
      parse: (text) => parseCount('--random', text, 1, 1_000_000),
    },
    {
      flags: '--seed <n>',
      description: 'seed of the random programs (default: a new one, printed)',
      parse: (text) => parseNumber('--seed', text, 0, MAX_SEED),
    },
    {
      flags: '--first <n>',
      description: 'number of the first random program',
      default: 0,
      parse: (text) => parseNumber('--first', text, 0, MAX_SEED),
    },
    {
      flags: '--format <format>',
      description: 'what the files are, as for run',
      choices: ['auto', 'raw', 'boot', 'bios', 'com', 'multiboot'],
      default: 'auto',
    },
    { flags: '--board <board>', description: 'as for run', choices: ['kvm', 'pc'], default: 'pc' },
    { flags: '--device <name>', description: 'as for run (repeatable)', parse: collect(parseDevice) },
    {
      flags: '--memory <size>',
      description: 'RAM from address 0: 64K to 1G',
      default: 4 * 1024 * 1024,
      defaultText: '4M',
      parse: (text) => parseMemory(text),
    },
    { flags: '--input <file>', description: 'bytes for the serial line, given whenever the guest sleeps' },
    {
      flags: '--max-exits <n>',
      description: 'stop a guest after n exits (exit code 5)',
      default: 1_000_000,
      defaultText: '1M',
      parse: (text) => parseCount('--max-exits', text, 1, 1_000_000_000),
    },
    {
      flags: '--timeout <seconds>',
      description: 'stop everything after so many seconds (exit code 5)',
      default: 300,
      parse: (text) => parseTimeout(text),
    },
    { flags: '--json', description: 'print one JSON document' },
  ],
  async action(context, files, options) {
    if (files.length === 0 && options.probe !== true && options.random === undefined) {
      throw usageError('diff: nothing to do; name a guest, or give --probe or --random N');
    }
    const { superviseChild } = await import('../host/supervise.ts');
    return superviseChild(context, { command: 'diff', files, options }, options.timeout * 1000);
  },
};

function parseMemory(text: string): number {
  const size = parseSize('--memory', text, MIN_MEMORY, MAX_MEMORY);
  if (size % 4096 !== 0) throw usageError(`--memory: ${text} is not a whole number of 4 KiB pages`);
  return size;
}
