/**
 * Reads files and standard input with a bound: no input may fill the host's memory.
 */
import { accessSync, constants, createReadStream, readFileSync, statSync } from 'node:fs';
import type { Readable } from 'node:stream';
import type { Image } from '../loaders/image.ts';
import { inputError } from './cli-error.ts';
import type { CliIo } from './io.ts';

const STDIN_NAME = '(standard input)';

async function readAll(name: string, stream: Readable, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Uint8Array);
    chunks.push(bytes);
    length += bytes.length;
    if (length > limit) throw inputError(`${name}: too large, more than ${limit} bytes`);
  }
  return Buffer.concat(chunks);
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EISDIR: 'is a directory',
  ENOSPC: 'no space left on device',
  ENOTDIR: 'a part of its path is not a directory',
};

/** Why a file could not be opened, read or written, in words. */
export function fileErrorText(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return REASONS[code] ?? (error instanceof Error ? error.message : String(error));
}

/**
 * The bytes of a file, or of standard input for `-`.
 *
 * @param limit largest number of bytes accepted.
 * @throws CliError (bad input) when it cannot be read or is too large.
 */
export async function readInput(path: string, io: CliIo, limit: number): Promise<Image> {
  if (path === '-') return { name: STDIN_NAME, bytes: await readAll(STDIN_NAME, io.stdin, limit) };
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) throw inputError(`${path}: is a directory`);
    // A stream would take longer than the reading. No more than the size is read; files of size 0 are those of /proc, too.
    if (stat.isFile() && stat.size > 0 && stat.size <= limit)
      return { name: path, bytes: readFileSync(path) };
    return { name: path, bytes: await readAll(path, createReadStream(path), limit) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    throw inputError(`${path}: ${fileErrorText(error)}`);
  }
}

/** @throws CliError (bad input) when `path` does not exist or may not be read. */
export function requireReadable(path: string): void {
  try {
    accessSync(path, constants.R_OK);
  } catch (error) {
    throw inputError(`${path}: ${fileErrorText(error)}`);
  }
}
