/**
 * Assembles the guest programs with nasm: examples/*.asm to .bin, and the workloads of bench/rom.asm and bench/mixes.asm
 * to bench/roms/*.rom.gz with their index.json.
 *
 *     npx tsx scripts/assemble.ts            write all of them
 *     npx tsx scripts/assemble.ts --check    compare with what is committed, write nothing
 *
 * ROM images are compared unpacked: two versions of zlib may pack the same bytes differently.
 */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';

const EXIT_DIFFERENCE = 1;
const EXIT_USAGE = 2;
const EXIT_ABSENT = 6;

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const EXAMPLES_DIR = join(ROOT, 'examples');
const BENCH_DIR = join(ROOT, 'bench');
const ROMS_DIR = join(BENCH_DIR, 'roms');

/** What one N of a workload is. */
export type RomUnit = 'instructions' | 'accesses' | 'elements' | 'rounds';

/** One line of bench/roms/index.json. */
export interface RomEntry {
  /** The WORK of bench/rom.asm or bench/mixes.asm. */
  readonly work: string;
  /** The N that the image was assembled with. */
  readonly n: number;
  /** What the workload measures, and how many of them one N is. */
  readonly unit: RomUnit;
  readonly unitsPerN: number;
  /** Retired instructions, REP iterations included, that one N takes on average. */
  readonly instructionsPerN: number;
  /** File name beside index.json. */
  readonly file: string;
}

/** A file that this script makes: where it belongs, its bytes unpacked, and the bytes to store. */
export interface Artifact {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly stored: () => Uint8Array;
}

type Source = 'rom.asm' | 'mixes.asm';

type Workload = Omit<RomEntry, 'n' | 'file'> & { readonly small: number; readonly source?: Source };

/** The large N of each workload is this many times the small one. */
const LARGE = 10;

// An emulator of 100 M instructions and 10 M accesses a second takes about 0.1 s for the small N, 1 s for the large.
// biome-ignore format: one workload a line, columns aligned.
const WORKLOADS: readonly Workload[] = [
  { work: 'out_pic',     small: 1_000_000, unit: 'accesses',     unitsPerN: 1,  instructionsPerN: 3 },
  { work: 'out_none',    small: 1_000_000, unit: 'accesses',     unitsPerN: 1,  instructionsPerN: 3 },
  { work: 'in_pit',      small: 1_000_000, unit: 'accesses',     unitsPerN: 1,  instructionsPerN: 3 },
  { work: 'outsb',       small: 1_024_000, unit: 'elements',     unitsPerN: 1,  instructionsPerN: 1 + 5 / 1024 },
  { work: 'insw',        small: 1_024_000, unit: 'elements',     unitsPerN: 1,  instructionsPerN: 1 + 5 / 256 },
  { work: 'crc',         small: 250_000,   unit: 'instructions', unitsPerN: 40, instructionsPerN: 40 },
  { work: 'sieve',       small: 30,        unit: 'rounds',       unitsPerN: 1,  instructionsPerN: 342_536 },
  { work: 'counter_var', small: 3_300_000, unit: 'instructions', unitsPerN: 3,  instructionsPerN: 3 },
  { work: 'page_cross',  small: 2_000_000, unit: 'instructions', unitsPerN: 5,  instructionsPerN: 5 },
  { work: 'self_patch',  small:   100_000, unit: 'instructions', unitsPerN: 4,  instructionsPerN: 4 },
  { work: 'alu',            small:   500_000, unit: 'instructions', unitsPerN: 18, instructionsPerN: 18, source: 'mixes.asm' },
  { work: 'memory',         small:   600_000, unit: 'instructions', unitsPerN: 15, instructionsPerN: 15, source: 'mixes.asm' },
  { work: 'calls',          small:     1_500, unit: 'instructions', unitsPerN: 6510, instructionsPerN: 6510, source: 'mixes.asm' },
  { work: 'strings',        small:     1_000, unit: 'elements',     unitsPerN: 10_240, instructionsPerN: 10_258, source: 'mixes.asm' },
  { work: 'flat_crc',       small:   250_000, unit: 'instructions', unitsPerN: 40, instructionsPerN: 40, source: 'mixes.asm' },
  { work: 'flat_crc_pg',    small:   250_000, unit: 'instructions', unitsPerN: 40, instructionsPerN: 40, source: 'mixes.asm' },
  { work: 'flat_sieve',     small:        30, unit: 'rounds',       unitsPerN: 1, instructionsPerN: 269_208, source: 'mixes.asm' },
  { work: 'flat_sieve_pg',  small:        30, unit: 'rounds',       unitsPerN: 1, instructionsPerN: 269_208, source: 'mixes.asm' },
  { work: 'flat_walk',      small:     4_000, unit: 'instructions', unitsPerN: 2564, instructionsPerN: 2564, source: 'mixes.asm' },
  { work: 'flat_walk_pg',   small:     4_000, unit: 'instructions', unitsPerN: 2564, instructionsPerN: 2564, source: 'mixes.asm' },
  { work: 'v86_crc',        small:   250_000, unit: 'instructions', unitsPerN: 40, instructionsPerN: 40, source: 'mixes.asm' },
  { work: 'v86_out',        small: 1_000_000, unit: 'accesses',     unitsPerN: 1, instructionsPerN: 3, source: 'mixes.asm' },
  { work: 'outsb_1',        small: 1_024_000, unit: 'elements',     unitsPerN: 1, instructionsPerN: 6, source: 'mixes.asm' },
  { work: 'outsb_16',       small: 1_024_000, unit: 'elements',     unitsPerN: 1, instructionsPerN: 1 + 5 / 16, source: 'mixes.asm' },
  { work: 'outsb_128',      small: 1_024_000, unit: 'elements',     unitsPerN: 1, instructionsPerN: 1 + 5 / 128, source: 'mixes.asm' },
  { work: 'outsb_8192',     small: 1_024_000, unit: 'elements',     unitsPerN: 1, instructionsPerN: 1 + 5 / 8192, source: 'mixes.asm' },
  { work: 'insw_1',         small: 1_024_000, unit: 'elements',     unitsPerN: 1, instructionsPerN: 6, source: 'mixes.asm' },
  { work: 'insw_16',        small: 1_024_000, unit: 'elements',     unitsPerN: 1, instructionsPerN: 1 + 5 / 16, source: 'mixes.asm' },
  { work: 'insw_8192',      small: 1_024_000, unit: 'elements',     unitsPerN: 1, instructionsPerN: 1 + 5 / 8192, source: 'mixes.asm' },
];

const SOURCES: ReadonlyMap<string, Source> = new Map(
  WORKLOADS.map(({ work, source = 'rom.asm' }) => [work, source]),
);

/** Every ROM image, as bench/roms/index.json lists them. */
export const ROMS: readonly RomEntry[] = WORKLOADS.flatMap(({ small, work, source: _, ...rest }) =>
  [small, small * LARGE].map((n) => ({ work, n, ...rest, file: `${work}-${n}.rom.gz` })),
);

/** File names of the assembly sources in examples/. */
export function exampleSources(): string[] {
  return readdirSync(EXAMPLES_DIR)
    .filter((name) => name.endsWith('.asm'))
    .sort();
}

/** Assembles one file to a flat binary. @throws with nasm's own message when it does not assemble. */
function nasm(source: string, includeDir: string, defines: readonly string[] = []): Uint8Array {
  const dir = mkdtempSync(join(tmpdir(), 'pio86-nasm-'));
  try {
    const out = join(dir, 'out.bin');
    const args = ['-f', 'bin', '-i', `${includeDir}/`, ...defines.map((d) => `-D${d}`), '-o', out, source];
    const run = spawnSync('nasm', args, { encoding: 'utf8' });
    if (run.error) throw run.error;
    if (run.status !== 0) throw new Error(`nasm ${basename(source)}: ${run.stderr.trim()}`);
    return readFileSync(out);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** Assembles examples/`name`. */
export function assembleExample(name: string): Artifact {
  const bytes = nasm(join(EXAMPLES_DIR, name), EXAMPLES_DIR);
  return { path: join(EXAMPLES_DIR, name.replace(/\.asm$/, '.bin')), bytes, stored: () => bytes };
}

/** Assembles one ROM image. */
export function assembleRom(rom: RomEntry): Artifact {
  const source = join(BENCH_DIR, SOURCES.get(rom.work) ?? 'rom.asm');
  const bytes = nasm(source, ROMS_DIR, [`WORK=${rom.work}`, `N=${rom.n}`]);
  return { path: join(ROMS_DIR, rom.file), bytes, stored: () => gzipSync(bytes, { level: 9 }) };
}

/** bench/roms/index.json. */
export function romIndex(): Artifact {
  const bytes = new TextEncoder().encode(`${JSON.stringify(ROMS, null, 2)}\n`);
  return { path: join(ROMS_DIR, 'index.json'), bytes, stored: () => bytes };
}

/** The committed bytes of an artifact, unpacked; null when the file is not there. */
export function committed(artifact: Artifact): Uint8Array | null {
  if (!existsSync(artifact.path)) return null;
  const stored = readFileSync(artifact.path);
  return artifact.path.endsWith('.gz') ? gunzipSync(stored) : stored;
}

/** How an artifact stands against what is committed. */
export function compare(artifact: Artifact): 'same' | 'different' | 'missing' {
  const old = committed(artifact);
  if (old === null) return 'missing';
  return Buffer.compare(old, artifact.bytes) === 0 ? 'same' : 'different';
}

function main(args: readonly string[]): number {
  if (args.some((arg) => arg !== '--check')) {
    console.error('usage: assemble.ts [--check]');
    return EXIT_USAGE;
  }
  if (spawnSync('nasm', ['-v']).error) {
    console.error('assemble: nasm is not installed');
    return EXIT_ABSENT;
  }
  const check = args.includes('--check');
  mkdirSync(ROMS_DIR, { recursive: true });
  let changed = 0;
  for (const artifact of [...exampleSources().map(assembleExample), ...ROMS.map(assembleRom), romIndex()]) {
    const state = compare(artifact);
    if (state === 'same') continue;
    changed++;
    console.log(`${state.padEnd(9)} ${artifact.path.slice(ROOT.length)}`);
    if (!check) writeFileSync(artifact.path, artifact.stored());
  }
  console.log(check ? `${changed} differ` : `${changed} written`);
  return check && changed > 0 ? EXIT_DIFFERENCE : 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = main(process.argv.slice(2));
