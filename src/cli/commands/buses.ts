/** `pio86 buses`: the buses of a machine, as drgn shows a kernel's. */
import type { CommandSpec } from '../command.ts';
import { CPU_OPTION, type CpuOption, cpuOf } from '../cpu-option.ts';
import { EXIT_OK } from '../exit-codes.ts';
import { JIT_OPTION, type JitOption } from '../jit-option.ts';
import { parseCount } from '../numbers.ts';

interface BusesOptions extends CpuOption, JitOption {
  readonly board: 'kvm' | 'pc';
  readonly maxInsns: number;
  readonly json?: boolean;
}

const DEFAULT_MAX_INSNS = 100_000_000;

export const busesCommand: CommandSpec<BusesOptions> = {
  name: 'buses',
  summary: 'print kvm.buses[0..3] as drgn shows them',
  description:
    'Prints the I/O buses of a machine as a drgn program shows those of a kernel; given FILE, after ' +
    'that guest has run. Addresses and pid are made up, and the same in every run.',
  examples: ['pio86 buses', 'pio86 buses --board kvm --json', 'pio86 buses examples/pit-irq.bin'],
  arguments: [{ name: '[file]', description: "guest to run first, '-' for standard input" }],
  options: [
    { flags: '--board <board>', description: 'which machine', choices: ['kvm', 'pc'], default: 'pc' },
    CPU_OPTION,
    JIT_OPTION,
    {
      flags: '--max-insns <n>',
      description: 'run FILE for at most n instructions (exit code 5)',
      default: DEFAULT_MAX_INSNS,
      defaultText: '100M',
      parse: (text) => parseCount('--max-insns', text, 1, Number.MAX_SAFE_INTEGER),
    },
    { flags: '--json', description: 'print one JSON document' },
  ],
  async action({ io, out, err }, [file], options) {
    const { board: name, maxInsns, json } = options;
    const { formatBuses, readBuses } = await import('../../introspect/buses.ts');
    const { createBoardWithJit } = await import('../create-board-with-jit.ts');
    const board = createBoardWithJit(name, cpuOf(options), options);
    let exitCode = EXIT_OK;
    if (file !== undefined) {
      const { loadFile, reportEnd, runToEnd } = await import('../run/run-to-end.ts');
      await loadFile(board, file, io);
      exitCode = reportEnd(await runToEnd(board, io, { out, maxInsns }), err);
    }
    const info = readBuses(board.vm);
    out.write(json === true ? `${JSON.stringify(info, null, 2)}\n` : formatBuses(info));
    return exitCode;
  },
};
