/**
 * Entry of the child process that talks to the host's KVM (supervise.ts starts it). The process is the command's: its
 * streams are the user's, its exit code is the command's.
 */
import { exitCodeOf } from '../cli-error.ts';
import { colorsFor } from '../colors.ts';
import type { CommandContext } from '../command.ts';
import { EXIT_BUG } from '../exit-codes.ts';
import { processIo } from '../io.ts';
import { OutputStream } from '../output-stream.ts';
import type { HostRequest } from './request.ts';

async function carryOut(context: CommandContext, request: HostRequest): Promise<number> {
  if (request.command === 'diff') {
    const { diffOnHost } = await import('./diff-on-host.ts');
    return diffOnHost(context, request.files, request.options);
  }
  if (request.command === 'fuzz') {
    const { fuzzOnHost } = await import('./fuzz-on-host.ts');
    return fuzzOnHost(context, request.target, request.options);
  }
  const { runOnHost } = await import('./run-on-host.ts');
  return runOnHost(context, request.file, request.options);
}

async function main(text: string): Promise<number> {
  const io = processIo();
  const out = new OutputStream(io.stdout, 'standard output');
  const err = new OutputStream(io.stderr, 'standard error');
  const context: CommandContext = { io, out, err, colors: colorsFor(io, io.stdout) };
  try {
    const code = await carryOut(context, JSON.parse(text) as HostRequest);
    await out.drained();
    return code;
  } catch (error) {
    const code = exitCodeOf(error);
    const isOurs = code === EXIT_BUG && error instanceof Error;
    err.write(
      `${isOurs ? `${error.stack}\n` : ''}pio86: ${error instanceof Error ? error.message : String(error)}\n`,
    );
    return code;
  }
}

// A parent that is gone will kill nobody.
const orphaned = (): void => process.exit(EXIT_BUG);
process.on('disconnect', orphaned);
process.exitCode = await main(process.argv[2] ?? '{}');
process.off('disconnect', orphaned);
process.disconnect?.();
