/** `pio86 explain --fault`: the report. */
import { portAccessOf } from '../explain/explain.ts';
import { explainIoFault, type IoFaultExplanation } from '../explain/io-fault.ts';
import { usageError } from './cli-error.ts';
import type { Colors } from './colors.ts';
import type { CommandContext } from './command.ts';
import { EXIT_OK } from './exit-codes.ts';
import type { FaultOptions } from './fault-options.ts';

interface Options extends FaultOptions {
  readonly mode: 'real' | 'prot16' | 'prot32';
  readonly dx?: number;
  readonly json?: boolean;
}

const DEFAULT_TSS_LIMIT = 0x67;

/** Port and size, from the instruction or from the options. */
function accessOf(bytes: Uint8Array | null, options: Options): { port: number; size: number } {
  if (bytes === null) {
    if (options.port === undefined) throw usageError('explain: --fault needs an instruction or --port');
    return { port: options.port, size: options.size ?? 1 };
  }
  if (options.port !== undefined || options.size !== undefined) {
    throw usageError('explain: --fault takes an instruction or --port and --size, not both');
  }
  const { port, size } = portAccessOf(bytes, options.mode, options.dx ?? null);
  if (port === null) throw usageError('explain: the port is in DX; give it with --dx');
  return { port, size };
}

function report({ port, size, checks, exception }: IoFaultExplanation, colors: Colors): string {
  let text = `${size === 1 ? '1 byte' : `${size} bytes`} at port 0x${port.toString(16)}\n\n`;
  checks.forEach(({ check, verdict, text: words }, i) => {
    const shown = verdict === 'refuses' ? colors.red(verdict) : verdict;
    text += `  ${i + 1}. ${check}: ${words}\n     → ${shown}\n`;
  });
  const result = exception === null ? 'allowed: the VM exit follows' : `${exception}, before any VM exit`;
  return `${text}\n${colors.bold(result)}\n`;
}

/** Writes the explanation. @returns the exit code. */
export function explainFaultCommand(
  { out, colors }: CommandContext,
  bytes: Uint8Array | null,
  options: Options,
): number {
  if (options.vm === true && options.real === true)
    throw usageError('explain: --vm and --real exclude each other');
  const bitmap = options.bitmap ?? new Uint8Array(0);
  const end = options.mapBase + bitmap.length - 1;
  const explanation = explainIoFault({
    ...accessOf(bytes, options),
    mode: options.real === true ? 'real' : options.vm === true ? 'v86' : 'protected',
    cpl: options.vm === true ? 3 : options.cpl,
    iopl: options.iopl,
    tss: options.tss,
    tssLimit: options.tssLimit ?? (bitmap.length > 0 ? Math.max(end, DEFAULT_TSS_LIMIT) : DEFAULT_TSS_LIMIT),
    mapBase: options.mapBase,
    bitmap,
  });
  out.write(
    options.json === true ? `${JSON.stringify(explanation, null, 2)}\n` : report(explanation, colors),
  );
  return EXIT_OK;
}
