/**
 * Numbers as users type them: decimal, 0x hexadecimal, and suffixes where a size or a count is meant.
 */
import { usageError } from './cli-error.ts';

const SHIFTS: Readonly<Record<string, number>> = { '': 0, k: 1, m: 2, g: 3 };

/** A whole number from `min` to `max`, decimal or 0x; null for anything else. */
export function wholeNumber(text: string): number | null {
  const value = /^(?:0x[0-9a-f]+|[0-9]+)$/i.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : null;
}

function scaled(text: string, unit: number): number | null {
  const match = /^(0x[0-9a-f]+|[0-9]+)([kmg]?)$/i.exec(text);
  if (match === null) return null;
  const value = Number(match[1]) * unit ** (SHIFTS[(match[2] ?? '').toLowerCase()] ?? 0);
  return Number.isSafeInteger(value) ? value : null;
}

function bounded(
  what: string,
  text: string,
  value: number | null,
  min: number,
  max: number,
  form: string,
): number {
  if (value !== null && value >= min && value <= max) return value;
  throw usageError(`${what}: '${text}' is not ${form} from ${min} to ${max}`);
}

/** Parses a plain number. @throws CliError (usage) naming `what`. */
export function parseNumber(what: string, text: string, min: number, max: number): number {
  return bounded(what, text, wholeNumber(text), min, max, 'a number (decimal or 0x)');
}

/** Parses a count with decimal suffixes: `10M` is 10,000,000. @throws CliError (usage) naming `what`. */
export function parseCount(what: string, text: string, min: number, max: number): number {
  return bounded(what, text, scaled(text, 1000), min, max, 'a number (K, M, G = powers of 1000)');
}

/** Parses a size with binary suffixes: `64K` is 65,536. @throws CliError (usage) naming `what`. */
export function parseSize(what: string, text: string, min: number, max: number): number {
  return bounded(what, text, scaled(text, 1024), min, max, 'a size (K, M, G = powers of 1024)');
}

/** A real-mode address: SEG:OFF, or linear. */
export interface FarAddress {
  /** null for a linear address. */
  readonly selector: number | null;
  readonly offset: number;
}

/**
 * Parses `SEG:OFF` (both hexadecimal with or without 0x, as real-mode addresses are written) or a linear address
 * (decimal or 0x).
 * @throws CliError (usage) naming `what`.
 */
export function parseAddress(what: string, text: string): FarAddress {
  const far = /^(?:0x)?([0-9a-f]{1,4}):(?:0x)?([0-9a-f]{1,4})$/i.exec(text);
  if (far !== null) {
    return { selector: Number.parseInt(far[1] ?? '', 16), offset: Number.parseInt(far[2] ?? '', 16) };
  }
  const linear = wholeNumber(text);
  if (linear === null || linear > 0xffff_ffff) {
    throw usageError(`${what}: '${text}' is not an address (SEG:OFF in hex, or linear: decimal or 0x)`);
  }
  return { selector: null, offset: linear };
}

/** Linear address of `address`. */
export function linearOf(address: FarAddress): number {
  return address.selector === null ? address.offset : address.selector * 16 + address.offset;
}

/** Ports `first … last`. */
export interface PortSpan {
  readonly first: number;
  readonly last: number;
}

/** Parses `0x60-0x64,0x3f8`: ports and ranges of ports. @throws CliError (usage) naming `what`. */
export function parsePorts(what: string, text: string): PortSpan[] {
  return text.split(',').map((part) => {
    const [from = '', to = from, ...more] = part.trim().split('-');
    const first = wholeNumber(from);
    const last = wholeNumber(to);
    const isRange = first !== null && last !== null && first <= last && last <= 0xffff && more.length === 0;
    if (!isRange) throw usageError(`${what}: '${text}' is not a list of ports such as 0x60-0x64,0x3f8`);
    return { first, last };
  });
}
