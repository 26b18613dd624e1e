/**
 * What an example says about itself: the `; board:`, `; expect:` … lines of its opening comment (examples/README.md).
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ImageFormat } from '../../src/loaders/image.ts';

/** One example, ready to run. */
export interface Guest {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly format: ImageFormat;
  readonly boards: readonly string[];
  /** Bytes for the UART, or null when it needs none. */
  readonly stdin: Uint8Array | null;
  /** What comes out of the UART. */
  readonly serial: RegExp;
  /** What comes out of the debug consoles. */
  readonly debug: RegExp;
  readonly exit: number;
}

function examplePath(file: string): string {
  return fileURLToPath(new URL(`../../examples/${file}`, import.meta.url));
}

/** All values of a header line, in order. */
function values(source: string, key: string): string[] {
  const found: string[] = [];
  for (const line of source.split('\n')) {
    if (!line.startsWith(';')) break;
    const match = /^; (\w+):\s+(.*)$/.exec(line);
    if (match !== null && match[1] === key) found.push(match[2] ?? '');
  }
  return found;
}

function only(source: string, key: string, name: string): string {
  const [value, ...more] = values(source, key);
  if (value === undefined || more.length > 0) throw new Error(`${name}: needs one "; ${key}:" line`);
  return value;
}

/** The exact text of these lines; `?` stands for any one character. */
function pattern(lines: readonly string[]): RegExp {
  const text = lines.map((line) => `${line.replaceAll(/[.*+^${}()|[\]\\]/g, '\\$&').replaceAll('?', '.')}\n`);
  return new RegExp(`^${text.join('')}$`);
}

/** Reads examples/`name`.asm and .bin. */
export function readGuest(name: string): Guest {
  const source = readFileSync(examplePath(`${name}.asm`), 'utf8');
  const [format = 'raw'] = values(source, 'format');
  const stdin = values(source, 'stdin');
  return {
    name,
    bytes: readFileSync(examplePath(`${name}.bin`)),
    format: format as ImageFormat,
    boards: only(source, 'board', name).split(/\s+/),
    stdin: stdin.length === 0 ? null : new TextEncoder().encode(stdin.map((line) => `${line}\n`).join('')),
    serial: pattern(values(source, 'expect')),
    debug: pattern(values(source, 'debug')),
    exit: Number(only(source, 'exit', name)),
  };
}
