/**
 * `printf` as bpftrace has it: C's conversions, all integers 64-bit (bpftrace: man/adoc/bpftrace.adoc, “printf”).
 */
import { asInt, type Value, valueText } from './values.ts';

const CONVERSION = /%([-+ #0]*)(\d*)(?:\.(\d+))?(?:hh|h|ll|l|z|j)?([a-zA-Z%])/g;

/** One conversion or a literal text. */
export interface FormatPart {
  /** `''` for a literal. */
  readonly conversion: string;
  readonly text: string;
  readonly flags: string;
  readonly width: number;
  /** −1 for none. */
  readonly precision: number;
}

/** Conversions that take an integer, and those that take a string. */
export const INT_CONVERSIONS = 'diuxXopc';
export const STRING_CONVERSIONS = 's';

function literal(text: string): FormatPart {
  return { conversion: '', text, flags: '', width: 0, precision: -1 };
}

/** Cuts a format into parts. @returns a text: what is wrong with it. */
export function parseFormat(format: string): readonly FormatPart[] | string {
  const parts: FormatPart[] = [];
  let end = 0;
  for (const match of format.matchAll(CONVERSION)) {
    const before = format.slice(end, match.index);
    if (before.includes('%')) break;
    end = match.index + match[0].length;
    parts.push(literal(before));
    const [, flags = '', width = '', precision, conversion = ''] = match;
    if (conversion === '%') parts.push(literal('%'));
    else if (!(INT_CONVERSIONS + STRING_CONVERSIONS).includes(conversion)) {
      return `unknown format specifier '${match[0]}'`;
    } else {
      parts.push({
        conversion,
        text: '',
        flags,
        width: Number(width),
        precision: precision === undefined ? -1 : Number(precision),
      });
    }
  }
  const rest = format.slice(end);
  if (rest.includes('%')) return `unknown format specifier '${rest.slice(rest.indexOf('%'))}'`;
  return [...parts, literal(rest)];
}

function digits(conversion: string, value: bigint): { sign: string; prefix: string; text: string } {
  const unsigned = BigInt.asUintN(64, value);
  switch (conversion) {
    case 'x':
      return { sign: '', prefix: '0x', text: unsigned.toString(16) };
    case 'X':
      return { sign: '', prefix: '0X', text: unsigned.toString(16).toUpperCase() };
    case 'o':
      return { sign: '', prefix: '0', text: unsigned.toString(8) };
    case 'u':
      return { sign: '', prefix: '', text: unsigned.toString() };
    case 'p':
      return { sign: '', prefix: '', text: `0x${unsigned.toString(16)}` };
    default: {
      const signed = BigInt.asIntN(64, value);
      return { sign: signed < 0n ? '-' : '', prefix: '', text: String(signed < 0n ? -signed : signed) };
    }
  }
}

function formatInt({ conversion, flags, width, precision }: FormatPart, value: bigint): string {
  if (conversion === 'c') return pad(String.fromCharCode(Number(value & 0xffn)), flags, width);
  const { sign, prefix, text } = digits(conversion, value);
  const isPositive = sign === '' && 'di'.includes(conversion);
  const plus = isPositive && flags.includes('+') ? '+' : isPositive && flags.includes(' ') ? ' ' : sign;
  const head = plus + (flags.includes('#') && value !== 0n ? prefix : '');
  const body = text.padStart(precision, '0');
  if (flags.includes('0') && !flags.includes('-') && precision < 0) {
    return head + body.padStart(width - head.length, '0');
  }
  return pad(head + body, flags, width);
}

function pad(text: string, flags: string, width: number): string {
  return flags.includes('-') ? text.padEnd(width) : text.padStart(width);
}

/** The text that the parts make of the values. */
export function formatValues(parts: readonly FormatPart[], values: readonly Value[]): string {
  let next = 0;
  let out = '';
  for (const part of parts) {
    if (part.conversion === '') {
      out += part.text;
      continue;
    }
    const value = values[next++] ?? 0n;
    if (part.conversion !== 's' && typeof value === 'bigint') out += formatInt(part, asInt(value));
    else {
      const text = valueText(value);
      out += pad(part.precision < 0 ? text : text.slice(0, part.precision), part.flags, part.width);
    }
  }
  return out;
}
