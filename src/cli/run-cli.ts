/**
 * One `pio86` command line from arguments to exit code: every error becomes one line on stderr and a documented
 * exit code.
 */
import { CommanderError } from 'commander';
import { CliError, exitCodeOf } from './cli-error.ts';
import { colorsFor } from './colors.ts';
import type { CommandContext, CommandSpec } from './command.ts';
import { benchCommand } from './commands/bench.ts';
import { bpftraceCommand } from './commands/bpftrace.ts';
import { busesCommand } from './commands/buses.ts';
import { conformCommand } from './commands/conform.ts';
import { demoCommand } from './commands/demo.ts';
import { diffCommand } from './commands/diff.ts';
import { explainCommand } from './commands/explain.ts';
import { fuzzCommand } from './commands/fuzz.ts';
import { ioportsCommand } from './commands/ioports.ts';
import { runCommand } from './commands/run.ts';
import { traceCommand } from './commands/trace.ts';
import { workerCommand } from './commands/worker.ts';
import { detachTrace } from './detach-trace.ts';
import { EXIT_BUG, EXIT_OK } from './exit-codes.ts';
import type { CliIo } from './io.ts';
import { OutputStream } from './output-stream.ts';
import { buildProgram, usageErrorOf } from './program.ts';
import { packageVersion } from './version.ts';

/** Every command, in the order of the help. */
export const COMMANDS: readonly CommandSpec[] = [
  demoCommand,
  runCommand,
  explainCommand,
  ioportsCommand,
  busesCommand,
  traceCommand,
  bpftraceCommand,
  conformCommand,
  diffCommand,
  benchCommand,
  fuzzCommand,
  workerCommand,
];

function reportBug(context: CommandContext, error: unknown): void {
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  context.err.write(
    `${stack}\npio86: this is a bug; please report it with the lines above and your command\n`,
  );
}

/** `help nope` is as wrong as `nope`; commander would show the help of the program and call that right. */
function withoutUnknownHelp(argv: readonly string[]): readonly string[] {
  const [first, name] = argv;
  if (first !== 'help' || name === undefined || name === 'help' || name.startsWith('-')) return argv;
  return COMMANDS.some((spec) => spec.name === name) ? argv : [name];
}

/**
 * Runs one command line.
 *
 * @param argv arguments without node and script.
 * @returns the exit code; nothing is thrown and the process is not ended.
 */
export async function runCli(argv: readonly string[], io: CliIo): Promise<number> {
  const out = new OutputStream(io.stdout, 'standard output');
  const err = new OutputStream(io.stderr, 'standard error');
  const context: CommandContext = { io, out, err, colors: colorsFor(io, io.stdout) };
  let exitCode = EXIT_OK;
  let reported: unknown = null;
  // One command needs nothing of the others, and making them takes time.
  const named = COMMANDS.filter(({ name }) => name === argv[0]);
  const program = buildProgram(named.length === 0 ? COMMANDS : named, {
    context,
    version: packageVersion(),
    onExitCode(code) {
      exitCode = code;
    },
  });
  try {
    await program.parseAsync(detachTrace(withoutUnknownHelp(argv)), { from: 'user' });
  } catch (thrown) {
    const name = COMMANDS.find((spec) => spec.name === argv[0])?.name ?? '';
    const error = thrown instanceof CommanderError ? usageErrorOf(thrown, name) : thrown;
    reported = error;
    exitCode = error === null ? EXIT_OK : exitCodeOf(error);
    if (exitCode === EXIT_BUG && !(error instanceof CliError)) reportBug(context, error);
    else if (error instanceof Error) err.write(`pio86: ${error.message}\n`);
  }
  try {
    await out.drained();
  } catch (error) {
    if (error !== reported) err.write(`pio86: ${error instanceof Error ? error.message : String(error)}\n`);
    return exitCodeOf(error);
  }
  return exitCode;
}
