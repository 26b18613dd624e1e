/**
 * One `pio86` command line from arguments to exit code: every error becomes one line on stderr and a documented
 * exit code.
 */
import { CommanderError } from 'commander';
import { CliError, exitCodeOf } from './cli-error.ts';
import { colorsFor } from './colors.ts';
import type { CommandContext, CommandSpec } from './command.ts';
import { benchCommand } from './commands/bench.ts';
import { conformCommand } from './commands/conform.ts';
import { demoCommand } from './commands/demo.ts';
import { explainCommand } from './commands/explain.ts';
import { fuzzCommand } from './commands/fuzz.ts';
import { ioportsCommand } from './commands/ioports.ts';
import { runCommand } from './commands/run.ts';
import { EXIT_BAD_INPUT, EXIT_BUG, EXIT_OK } from './exit-codes.ts';
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
  conformCommand,
  benchCommand,
  fuzzCommand,
];

/**
 * `--trace` stands alone or with `=EVENTS`; without this a following FILE would be taken for the events.
 */
function detachTrace(argv: readonly string[]): string[] {
  const end = argv.indexOf('--');
  return argv.map((arg, at) => (arg === '--trace' && (end < 0 || at < end) ? '--trace=' : arg));
}

function reportBug(context: CommandContext, error: unknown): void {
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  context.err.write(
    `${stack}\npio86: this is a bug; please report it with the lines above and your command\n`,
  );
}

/**
 * Runs one command line.
 *
 * @param argv arguments without node and script.
 * @returns the exit code; nothing is thrown and the process is not ended.
 */
export async function runCli(argv: readonly string[], io: CliIo): Promise<number> {
  const out = new OutputStream(io.stdout);
  const err = new OutputStream(io.stderr);
  const context: CommandContext = { io, out, err, colors: colorsFor(io, io.stdout) };
  let exitCode = EXIT_OK;
  const program = buildProgram(COMMANDS, {
    context,
    version: packageVersion(),
    onExitCode(code) {
      exitCode = code;
    },
  });
  try {
    await program.parseAsync(detachTrace(argv), { from: 'user' });
  } catch (thrown) {
    const name = COMMANDS.find((spec) => spec.name === argv[0])?.name ?? '';
    const error = thrown instanceof CommanderError ? usageErrorOf(thrown, name) : thrown;
    exitCode = error === null ? EXIT_OK : exitCodeOf(error);
    if (exitCode === EXIT_BUG && !(error instanceof CliError)) reportBug(context, error);
    else if (error instanceof Error) err.write(`pio86: ${error.message}\n`);
  }
  try {
    await out.drained();
  } catch (error) {
    err.write(`pio86: standard output: ${error instanceof Error ? error.message : String(error)}\n`);
    return EXIT_BAD_INPUT;
  }
  return exitCode;
}
