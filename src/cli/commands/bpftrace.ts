/** `pio86 bpftrace`: bpftrace scripts over the emulated kernel. */
import { usageError } from '../cli-error.ts';
import type { CommandContext, CommandSpec } from '../command.ts';
import { detachTrace } from '../detach-trace.ts';
import { EXIT_OK } from '../exit-codes.ts';
import type { RunObserver } from '../run/run-loop.ts';
import { runCommand } from './run.ts';

interface BpftraceOptions {
  readonly e?: string;
}

const MAX_SCRIPT_BYTES = 1 << 20;
const MAX_STRLEN = 1024;

/** BPFTRACE_STRLEN, as bpftrace reads it. */
function maxString(env: CommandContext['io']['env']): { maxString?: number } {
  const text = env.BPFTRACE_STRLEN;
  if (text === undefined) return {};
  const value = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > MAX_STRLEN) {
    throw usageError(`BPFTRACE_STRLEN: '${text}' is not a number from 1 to ${MAX_STRLEN}`);
  }
  return { maxString: value };
}

/** Runs `run …` as the command line would, with somebody looking on. Its standard output is our standard error. */
async function runWatched(
  context: CommandContext,
  argv: readonly string[],
  observer: RunObserver,
): Promise<number> {
  const { buildProgram, usageErrorOf } = await import('../program.ts');
  const { CommanderError } = await import('commander');
  const { runGuestCommand } = await import('../run/run-guest.ts');
  const spec: CommandSpec = {
    ...runCommand,
    action: (inner, [file], options) =>
      runGuestCommand({ ...inner, out: inner.err }, file, options as never, observer),
  };
  let exitCode = EXIT_OK;
  const onExitCode = (code: number): void => {
    exitCode = code;
  };
  try {
    const program = buildProgram([spec], { context, version: '', onExitCode });
    await program.parseAsync(detachTrace(argv), { from: 'user' });
  } catch (thrown) {
    const error = thrown instanceof CommanderError ? usageErrorOf(thrown, runCommand.name) : thrown;
    if (error !== null) throw error;
  }
  return exitCode;
}

export const bpftraceCommand: CommandSpec<BpftraceOptions> = {
  name: 'bpftrace',
  summary: 'run a bpftrace script over the emulated kernel',
  description:
    "Attaches a script's probes to KVM's functions and tracepoints, then runs a guest as 'pio86 run' " +
    "does; without 'run' the default board is only created. SCRIPT is a file or '-'. The script prints " +
    'to standard output, the guest to standard error. A wrong script ends with exit code 3.',
  examples: [
    "pio86 bpftrace -e 'kprobe:kvm_io_bus_* { @[func] = count(); }'",
    'pio86 bpftrace script.bt -- run examples/pit-irq.bin',
  ],
  arguments: [{ name: '[script...]', description: 'the script, then -- run and what run takes' }],
  options: [{ flags: '-e <program>', description: 'the script itself' }],
  async action(context, args, { e }) {
    const [name, ...rest] = e === undefined ? args : ['-e', ...args];
    if (name === undefined) throw usageError("bpftrace: give a SCRIPT, '-' or -e PROGRAM");
    if (rest.length > 0 && rest[0] !== 'run') {
      throw usageError(`bpftrace: '${rest[0]}' cannot be run; only '-- run …' can follow`);
    }
    const limit = maxString(context.io.env);
    const { readInput } = await import('../read-input.ts');
    const script = e ?? Buffer.from((await readInput(name, context.io, MAX_SCRIPT_BYTES)).bytes).toString();
    const { BpftraceSession } = await import('../../introspect/bpftrace/session.ts');
    const session = new BpftraceSession(script, {
      name: name === '-' ? 'stdin' : name,
      ...limit,
      print: (text) => context.out.write(text),
    });
    session.start();
    let exitCode = EXIT_OK;
    if (!session.isDone) {
      if (rest.length > 0) exitCode = await runWatched(context, rest, session);
      else {
        const { createBoard } = await import('../create-board.ts');
        createBoard('pc', { kvm: session.kvm });
      }
    }
    session.finish();
    return exitCode;
  },
};
