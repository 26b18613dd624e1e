/** `pio86 explain`: an I/O instruction or an exit qualification, bit by bit. */
import { usageError } from '../cli-error.ts';
import type { CommandSpec } from '../command.ts';
import { EXIT_BAD_INPUT, EXIT_OK } from '../exit-codes.ts';
import { FAULT_OPTIONS, type FaultOptions } from '../fault-options.ts';
import { type PortSpan, parseNumber, parsePorts } from '../numbers.ts';

/** A 64-bit exit qualification in two halves. */
interface Qualification {
  readonly low: number;
  readonly high: number;
}

interface ExplainOptions extends FaultOptions {
  readonly mode: 'real' | 'prot16' | 'prot32';
  readonly dx?: number;
  readonly qual?: Qualification;
  readonly ioBitmap?: readonly PortSpan[];
  readonly fault?: boolean;
  readonly json?: boolean;
}

function parseQualification(text: string): Qualification {
  const digits = /^0x([0-9a-f]{1,16})$/i.exec(text)?.[1];
  if (digits === undefined) return { low: parseNumber('--qual', text, 0, 0xffff_ffff), high: 0 };
  const padded = digits.padStart(16, '0');
  return { low: Number.parseInt(padded.slice(8), 16), high: Number.parseInt(padded.slice(0, 8), 16) };
}

function parseBytes(args: readonly string[]): Uint8Array {
  const digits = args.join(' ').replace(/\b0x|[\s,]/gi, '');
  if (!/^(?:[0-9a-f]{2})+$/i.test(digits)) {
    throw usageError(`explain: '${args.join(' ')}' is not a list of hex bytes such as 'f3 6e'`);
  }
  return Uint8Array.from(Buffer.from(digits, 'hex'));
}

/** One argument of 0x and eight digits is a qualification, not four bytes. */
const LOOKS_LIKE_QUALIFICATION = /^0x[0-9a-f]{8}(?:[0-9a-f]{8})?$/i;

function qualificationOf(args: readonly string[], options: ExplainOptions): Qualification | null {
  if (options.qual !== undefined) {
    if (args.length > 0) throw usageError('explain: give bytes or --qual, not both');
    return options.qual;
  }
  const [first, ...more] = args;
  if (first === undefined) throw usageError("explain: give the instruction's bytes, for example 'f3 6e'");
  return more.length === 0 && LOOKS_LIKE_QUALIFICATION.test(first) ? parseQualification(first) : null;
}

export const explainCommand: CommandSpec<ExplainOptions> = {
  name: 'explain',
  summary: 'explain an I/O instruction or an exit qualification',
  description:
    'Bytes: disassembly, exit qualification bit by bit, the path through KVM. 0x and eight digits, ' +
    'or --qual: the meaning of that exit qualification. --fault: which check of the processor refuses ' +
    'an access before any exit (CPL, IOPL, VM, TSS type and limit, map base, the bit).',
  examples: [
    'pio86 explain f3 6e',
    'pio86 explain e6 80',
    "pio86 explain --mode prot32 --dx 0x1f0 '66 f3 6d'",
    'pio86 explain 0x03f80030',
    'pio86 explain --qual 0x00800040 --json',
    'pio86 explain --io-bitmap 0x60-0x64 e4 61',
    'pio86 explain --fault --port 8 --cpl 3 --iopl 0 --bitmap 00ff',
    'pio86 explain --fault --vm --map-base 0x68 --tss-limit 0x67 e4 60',
  ],
  arguments: [{ name: '[bytes...]', description: 'hex bytes, together or apart' }],
  options: [
    {
      flags: '--mode <mode>',
      description: 'how the bytes are decoded',
      choices: ['real', 'prot16', 'prot32'],
      default: 'real',
    },
    {
      flags: '--dx <port>',
      description: 'the port in DX',
      parse: (text) => parseNumber('--dx', text, 0, 0xffff),
    },
    { flags: '--qual <value>', description: 'explain this exit qualification', parse: parseQualification },
    {
      flags: '--io-bitmap <ports>',
      description:
        'say whether it exits under VMX I/O bitmaps with the bits of these ports set (0x60-0x64,0x3f8)',
      parse: (text) => parsePorts('--io-bitmap', text),
    },
    { flags: '--fault', description: 'explain whether the processor allows the access' },
    ...FAULT_OPTIONS,
    { flags: '--json', description: 'print one JSON document' },
  ],
  async action(context, args, options) {
    const { out, colors } = context;
    if (options.fault === true) {
      const { explainFaultCommand } = await import('../explain-fault.ts');
      const bytes = args.length === 0 ? null : parseBytes(args);
      return explainFaultCommand(context, bytes, options);
    }
    const { explainBytes, explainQualification } = await import('../../explain/explain.ts');
    const { explainReport } = await import('../explain-report.ts');
    const qual = qualificationOf(args, options);
    const spans = options.ioBitmap ?? null;
    const explanation =
      qual === null
        ? explainBytes(parseBytes(args), options.mode, options.dx ?? null, spans)
        : explainQualification(qual.low, qual.high, spans);
    if (spans !== null && explanation.ioExit === null) {
      throw usageError('explain: --io-bitmap needs the port: give --dx');
    }
    out.write(
      options.json === true
        ? `${JSON.stringify(explanation, null, 2)}\n`
        : explainReport(explanation, colors),
    );
    return explanation.problems.length === 0 ? EXIT_OK : EXIT_BAD_INPUT;
  },
};
