/**
 * Makes commander's program out of the command specifications: help that starts with examples and fits 80 columns,
 * and errors as exceptions, so that `runCli` alone decides about exit codes.
 */
import { Argument, Command, type CommanderError, Option } from 'commander';
import { type CliError, usageError } from './cli-error.ts';
import type { CommandContext, CommandSpec, OptionSpec } from './command.ts';
import { EXIT_CODE_TABLE } from './exit-codes.ts';

const HELP_WIDTH = 79;

/** Where commander's text goes, and who is told the exit code of the action that ran. */
export interface ProgramHost {
  readonly context: CommandContext;
  readonly version: string;
  onExitCode(code: number): void;
}

function examplesText(examples: readonly string[]): string {
  return `Examples:\n${examples.map((line) => `  $ ${line}\n`).join('')}`;
}

function toOption(spec: OptionSpec): Option {
  const option = new Option(spec.flags, spec.description);
  if (spec.choices !== undefined) option.choices([...spec.choices]);
  if (spec.default !== undefined) option.default(spec.default, spec.defaultText);
  if (spec.preset !== undefined) option.preset(spec.preset);
  const parse = spec.parse;
  if (parse !== undefined) option.argParser((text: string, previous: unknown) => parse(text, previous));
  return option;
}

function addCommand(program: Command, spec: CommandSpec, host: ProgramHost): void {
  const command = program.command(spec.name).summary(spec.summary).helpOption('-h, --help', 'show this help');
  command.description(spec.description ?? `${spec.summary}.`);
  for (const a of spec.arguments ?? []) {
    const argument = new Argument(a.name, a.description);
    if (a.choices !== undefined) argument.choices([...a.choices]);
    command.addArgument(argument);
  }
  for (const o of spec.options) command.addOption(toOption(o));
  command.addHelpText('before', examplesText(spec.examples));
  command.action(async () => {
    host.onExitCode(await spec.action(host.context, command.args, command.opts()));
  });
}

function exitCodesText(): string {
  const rows = EXIT_CODE_TABLE.map(([code, meaning]) => `  ${String(code).padStart(3)}  ${meaning}\n`);
  return `\nExit codes:\n${rows.join('')}\nNumbers may be decimal or 0x hexadecimal. '-' as FILE is standard input.`;
}

/** The whole program; `parseAsync(argv, { from: 'user' })` runs it. */
export function buildProgram(specs: readonly CommandSpec[], host: ProgramHost): Command {
  const program = new Command('pio86');
  program
    .description('What happens when a guest executes IN, OUT, INS or OUTS?')
    .version(host.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show the help of a command')
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureHelp({ helpWidth: HELP_WIDTH })
    .configureOutput({
      writeOut: (text) => host.context.out.write(text),
      writeErr: (text) => host.context.err.write(text),
      outputError: () => {},
    })
    .addHelpText('before', examplesText(specs.flatMap((spec) => spec.examples.slice(0, 1))))
    .addHelpText('after', exitCodesText());
  for (const spec of specs) addCommand(program, spec, host);
  return program;
}

/** The one line for a command line that commander refused; null when nothing is wrong (help, version). */
export function usageErrorOf(error: CommanderError, commandName: string): CliError | null {
  if (error.exitCode === 0) return null;
  const help = commandName === '' ? 'pio86 --help' : `pio86 ${commandName} --help`;
  if (error.code === 'commander.help') return usageError(`no command given; see '${help}'`);
  const text = error.message
    .replace(/^error: /, '')
    .replace(/\s*\n\((.*)\)$/s, ' ($1)')
    .replace(/[.\s]+$/, '');
  return usageError(`${text}; see '${help}'`);
}
