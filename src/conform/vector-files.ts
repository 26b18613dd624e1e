/**
 * Finds and reads vector files: one JSON object a line, plain or gzip, told apart by the first bytes.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { constants, gunzipSync } from 'node:zlib';

/** One file to replay. */
export interface VectorFile {
  readonly path: string;
  readonly folder: string;
  /** Short and unambiguous: the given folder's name and the path in it, without the ending. */
  readonly name: string;
}

/** What a file held. */
export interface VectorLines {
  readonly lines: readonly string[];
  /** What is wrong with the file as a whole, or null. `lines` then holds what could be read. */
  readonly damage: string | null;
}

const ENDING = /\.jsonl(\.gz)?$/;

/**
 * The vector files of one argument: itself, or all `.jsonl` and `.jsonl.gz` files below a folder, sorted.
 * @throws Error when there is nothing at `path` or it cannot be read.
 */
export function findVectorFiles(path: string): VectorFile[] {
  if (!statSync(path).isDirectory()) return [vectorFile(path, basename(path))];
  const found = readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && ENDING.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  return found.map((file) => vectorFile(file, join(basename(path), relative(path, file))));
}

function vectorFile(path: string, name: string): VectorFile {
  return { path, folder: dirname(path), name: name.replace(ENDING, '') };
}

/** Reads a file's lines; never throws: what is wrong is told in `damage`. */
export function readVectorLines(path: string): VectorLines {
  let raw: Buffer;
  try {
    raw = readFileSync(path);
  } catch (error) {
    return { lines: [], damage: `cannot be read (${messageOf(error)})` };
  }
  if (raw[0] !== 0x1f || raw[1] !== 0x8b) return split(raw, null);
  try {
    return split(gunzipSync(raw), null);
  } catch (error) {
    return salvage(raw, `broken gzip (${messageOf(error)})`);
  }
}

/** Reads as much of a gzip that ends early as there is. */
function salvage(raw: Buffer, damage: string): VectorLines {
  try {
    const bytes = gunzipSync(raw, { finishFlush: constants.Z_SYNC_FLUSH });
    // A last line that is cut is not a malformed vector but the end of the file.
    return split(bytes.subarray(0, bytes.lastIndexOf(0x0a) + 1), damage);
  } catch {
    return { lines: [], damage };
  }
}

function split(bytes: Buffer, damage: string | null): VectorLines {
  const lines = bytes.toString('utf8').split('\n');
  while (lines.length > 0 && lines[lines.length - 1].trim() === '') lines.pop();
  return { lines, damage: lines.length === 0 && damage === null ? 'holds no vectors' : damage };
}

/** The text of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
