/**
 * The benchmark ROMs (bench/roms, assembled from bench/rom.asm and bench/mixes.asm), in any size: the two images of a
 * work differ in one 32-bit count, and that is what is changed.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

/** One assembled ROM: a row of bench/roms/index.json. */
interface RomRow {
  readonly work: string;
  readonly n: number;
  readonly unit: string;
  readonly unitsPerN: number;
  readonly file: string;
}

/** A work, in whatever size is asked for. */
export interface Rom {
  readonly work: string;
  readonly unit: string;
  readonly unitsPerN: number;
  /** Sizes are multiples of it. */
  readonly step: number;
  /** A size that takes the interpreter about a tenth of a second. */
  readonly n: number;
  /** 64 KiB that do `n` of the work, rounded down to whole steps. */
  image(n: number): Uint8Array;
}

/** The largest size: the count is a positive int32. */
export const MAX_N = 0x7fff_ffff;

const ROMS = new URL('../../bench/roms/', import.meta.url);

function read(row: RomRow): Buffer {
  return gunzipSync(readFileSync(fileURLToPath(new URL(row.file, ROMS))));
}

/** Where the count stands and how many N one of it is. */
function findCount(small: Buffer, large: Buffer, n: number, largeN: number): { at: number; step: number } {
  for (let at = 0; at <= small.length - 4; at++) {
    const count = small.readUInt32LE(at);
    if (count === 0 || n % count !== 0) continue;
    const step = n / count;
    if (large.readUInt32LE(at) * step !== largeN) continue;
    const patched = Buffer.from(small);
    patched.writeUInt32LE(largeN / step, at);
    if (patched.equals(large)) return { at, step };
  }
  throw new Error('bench: the two sizes of a ROM differ in more than their count');
}

/** The ROM of `work`. */
export function romOf(work: string): Rom {
  const index = JSON.parse(readFileSync(fileURLToPath(new URL('index.json', ROMS)), 'utf8')) as RomRow[];
  const rows = index.filter((r) => r.work === work).sort((a, b) => a.n - b.n);
  const [small, large] = [rows[0], rows[rows.length - 1]];
  if (small === undefined || large === undefined || small === large) {
    throw new Error(`bench: bench/roms/index.json has no two sizes of ${work}`);
  }
  const image = read(small);
  const { at, step } = findCount(image, read(large), small.n, large.n);
  return {
    work,
    unit: small.unit,
    unitsPerN: small.unitsPerN,
    step,
    n: small.n,
    image(n) {
      const copy = Buffer.from(image);
      copy.writeUInt32LE(Math.max(1, Math.floor(n / step)), at);
      return copy;
    },
  };
}
