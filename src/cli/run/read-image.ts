/**
 * Guest images: a file as it is, or a `.asm` source through the system's nasm.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Image } from '../../loaders/image.ts';
import { absentError, inputError } from '../cli-error.ts';
import type { CliIo } from '../io.ts';
import { readInput } from '../read-input.ts';

/**
 * The flat binary that `nasm -f bin` makes of `path`. Includes are looked up beside the file.
 *
 * @throws CliError: absent without nasm, bad input with nasm's own messages when it refuses the source.
 */
function assemble(path: string): Uint8Array {
  const dir = mkdtempSync(join(tmpdir(), 'pio86-'));
  try {
    const output = join(dir, 'guest.bin');
    const nasm = spawnSync('nasm', ['-f', 'bin', '-I', `${dirname(path)}/`, '-o', output, path], {
      encoding: 'utf8',
    });
    if (nasm.error !== undefined) {
      throw absentError(`${path}: nasm is not installed; install it or give the assembled binary`);
    }
    if (nasm.status !== 0) {
      const lines = nasm.stderr.trim().split('\n');
      const more = lines.length > 1 ? ` (and ${lines.length - 1} more)` : '';
      throw inputError(`nasm: ${lines[0] ?? path}${more}`);
    }
    return readFileSync(output);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/**
 * The image that a FILE argument names: a file, `-` for standard input, or a `.asm` source.
 *
 * @param limit largest number of bytes accepted.
 * @throws CliError: bad input, or absent when nasm is needed and missing.
 */
export async function readImage(path: string, io: CliIo, limit: number): Promise<Image> {
  const file = await readInput(path, io, limit);
  return /\.asm$/i.test(path) ? { name: path, bytes: assemble(path) } : file;
}
