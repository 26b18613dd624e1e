/**
 * The benchmark ROMs (bench/roms, assembled from bench/rom.asm) and the paths that port I/O takes through them. Each
 * work comes in two sizes, so that a rate is a slope and start-up cancels out.
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

/** One size of a work. */
export interface Rom {
  readonly bytes: Uint8Array;
  /** How many units of work it does. */
  readonly units: number;
}

/** A work in two sizes. */
export interface RomPair {
  readonly work: string;
  readonly unit: string;
  readonly small: Rom;
  readonly large: Rom;
}

/** How the accesses of a work are made to travel. */
export type Path = 'board' | 'force-emulation' | 'userspace-exit';

/** One row of the report. */
export interface Workload {
  readonly name: string;
  readonly work: string;
  readonly path: Path;
  readonly about: string;
}

// biome-ignore format: one workload a line, columns aligned.
export const WORKLOADS: readonly Workload[] = [
  { name: 'out_pic',      work: 'out_pic',     path: 'board',           about: 'OUT, fast path, in-kernel device' },
  { name: 'out_pic:em',   work: 'out_pic',     path: 'force-emulation', about: 'OUT, emulator path (em_out), in-kernel device' },
  { name: 'in_pit',       work: 'in_pit',      path: 'board',           about: 'IN of a live PIT count, fast path' },
  { name: 'out_none',     work: 'out_none',    path: 'board',           about: 'OUT nobody in the kernel takes: the board, exit not materialised' },
  { name: 'out_none:run', work: 'out_none',    path: 'userspace-exit',  about: 'the same as KVM_EXIT_IO to a program that drives KVM_RUN' },
  { name: 'outsb',        work: 'outsb',       path: 'board',           about: 'REP OUTSB, 1,024 elements' },
  { name: 'insw',         work: 'insw',        path: 'board',           about: 'REP INSW, 256 elements' },
  { name: 'crc',          work: 'crc',         path: 'board',           about: 'bitwise CRC-32 loop' },
  { name: 'sieve',        work: 'sieve',       path: 'board',           about: '32 KiB byte sieve' },
  { name: 'counter_var',  work: 'counter_var', path: 'board',           about: 'a counter variable beside its loop' },
  { name: 'page_cross',   work: 'page_cross',  path: 'board',           about: 'a loop across a page boundary' },
  { name: 'self_patch',   work: 'self_patch',  path: 'board',           about: 'a loop that patches its own immediate' },
];

const ROMS = new URL('../../bench/roms/', import.meta.url);

function readRom(row: RomRow): Rom {
  return {
    bytes: gunzipSync(readFileSync(fileURLToPath(new URL(row.file, ROMS)))),
    units: row.n * row.unitsPerN,
  };
}

/** The two sizes of `work`. */
export function romPair(work: string): RomPair {
  const index = JSON.parse(readFileSync(fileURLToPath(new URL('index.json', ROMS)), 'utf8')) as RomRow[];
  const rows = index.filter((r) => r.work === work).sort((a, b) => a.n - b.n);
  const small = rows[0];
  const large = rows[rows.length - 1];
  if (small === undefined || large === undefined || small === large) {
    throw new Error(`bench: bench/roms/index.json has no two sizes of ${work}`);
  }
  return { work, unit: small.unit, small: readRom(small), large: readRom(large) };
}
