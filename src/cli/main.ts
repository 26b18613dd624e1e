#!/usr/bin/env node
/**
 * The `pio86` program. Loads next to nothing before it knows the command; `--version` loads nothing at all.
 */
import { EXIT_BUG } from './exit-codes.ts';
import { processIo } from './io.ts';
import { packageVersion } from './version.ts';

async function main(argv: readonly string[]): Promise<void> {
  if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
    process.stdout.write(`${packageVersion()}\n`);
    return;
  }
  // Until it is known better: a command that never came to its end.
  process.exitCode = EXIT_BUG;
  const { runCli } = await import('./run-cli.ts');
  // The process ends by itself when its output is written.
  process.exitCode = await runCli(argv, processIo());
}

void main(process.argv.slice(2));
