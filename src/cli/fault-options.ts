/** The options of `pio86 explain --fault`: an access and the state that decides about it. */
import { usageError } from './cli-error.ts';
import type { OptionSpec } from './command.ts';
import { parseNumber } from './numbers.ts';

/** As commander leaves them. */
export interface FaultOptions {
  readonly port?: number;
  readonly size?: number;
  readonly cpl: number;
  readonly iopl: number;
  readonly vm?: boolean;
  readonly real?: boolean;
  readonly tss: 'none' | '16' | '32';
  readonly tssLimit?: number;
  readonly mapBase: number;
  readonly bitmap?: Uint8Array;
}

/** Bytes of the longest bit map: 65,536 ports and the byte behind. */
const MAX_BITMAP = 0x2001;

function parseSize(text: string): number {
  const size = parseNumber('--size', text, 1, 4);
  if (size === 3) throw usageError("--size: '3' is not 1, 2 or 4");
  return size;
}

function parseBitmap(text: string): Uint8Array {
  const digits = text.replace(/^0x|[\s,]/gi, '');
  if (!/^(?:[0-9a-f]{2})*$/i.test(digits) || digits.length > 2 * MAX_BITMAP) {
    throw usageError(`--bitmap: '${text}' is not at most ${MAX_BITMAP} hex bytes such as '00 00 ff'`);
  }
  return Uint8Array.from(Buffer.from(digits, 'hex'));
}

/** See {@link FaultOptions}. */
export const FAULT_OPTIONS: readonly OptionSpec[] = [
  {
    flags: '--port <port>',
    description: '--fault: the first port (without an instruction)',
    parse: (text) => parseNumber('--port', text, 0, 0xffff),
  },
  { flags: '--size <bytes>', description: '--fault: 1, 2 or 4 bytes (default: 1)', parse: parseSize },
  {
    flags: '--cpl <level>',
    description: '--fault: current privilege level',
    default: 3,
    parse: (text) => parseNumber('--cpl', text, 0, 3),
  },
  {
    flags: '--iopl <level>',
    description: '--fault: I/O privilege level',
    default: 0,
    parse: (text) => parseNumber('--iopl', text, 0, 3),
  },
  { flags: '--vm', description: '--fault: virtual-8086 mode' },
  { flags: '--real', description: '--fault: real-address mode' },
  {
    flags: '--tss <bits>',
    description: '--fault: what TR holds',
    choices: ['none', '16', '32'],
    default: '32',
  },
  {
    flags: '--tss-limit <limit>',
    description: '--fault: limit of the TSS (default: up to the last byte of --bitmap, else 0x67)',
    parse: (text) => parseNumber('--tss-limit', text, 0, 0xffff_ffff),
  },
  {
    flags: '--map-base <offset>',
    description: '--fault: I/O map base address in the TSS',
    default: 0x68,
    defaultText: '0x68',
    parse: (text) => parseNumber('--map-base', text, 0, 0xffff),
  },
  {
    flags: '--bitmap <hex>',
    description: '--fault: bytes of the I/O permission bit map from its base on; those behind are 0',
    parse: parseBitmap,
  },
];
