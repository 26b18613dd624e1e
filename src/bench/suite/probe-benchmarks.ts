/**
 * What it costs that probes could be attached while none is: the built dist/ against a copy of it without the tables of
 * functions through which probes are attached (every `x.fn.someFunction(…)` made a plain call), in interleaved pairs.
 */
import { cpSync, existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { BenchFailure } from '../bench-failure.ts';
import type { BenchHost } from '../bench-host.ts';
import type { Benchmark, Sampler } from '../benchmark.ts';
import type { Engine } from '../engine.ts';
import { pio86Peer } from '../peers/pio86.ts';
import { MAX_N, romOf } from '../rom-image.ts';
import { calibrate, slope } from '../slope.ts';

const FOLDERS = ['bus', 'devices', 'emulate', 'kvm', 'vmx'];
const CALL = /\b(?:[A-Za-z_]+\.)*fn\.([A-Za-z0-9_]+)\(/g;
const EXPORT = /^export function ([A-Za-z0-9_]+)\(/gm;

function scripts(dist: string): string[] {
  return FOLDERS.flatMap((folder) =>
    readdirSync(join(dist, folder))
      .filter((name) => name.endsWith('.js'))
      .map((name) => join(dist, folder, name)),
  );
}

/** Which file each exported function lives in. */
function exportedFunctions(dist: string): Map<string, string> {
  const home = new Map<string, string>();
  for (const file of scripts(dist)) {
    for (const [, name] of readFileSync(file, 'utf8').matchAll(EXPORT)) home.set(name, file);
  }
  return home;
}

/**
 * The text of a script with calls through tables made direct.
 *
 * @param home which file each function lives in.
 * @returns the text, and how many calls no longer go through a table.
 */
export function directCalls(
  text: string,
  file: string,
  home: ReadonlyMap<string, string>,
): { readonly text: string; readonly calls: number } {
  const imported = new Map<string, string>();
  let calls = 0;
  const body = text.replace(CALL, (whole, name: string) => {
    const from = home.get(name);
    if (from === undefined) return whole;
    calls++;
    if (from === file) return `${name}(`;
    imported.set(name, from);
    return `direct_${name}(`;
  });
  const imports = [...imported].map(([name, from]) => {
    const path = relative(dirname(file), from);
    return `import { ${name} as direct_${name} } from '${path.startsWith('.') ? path : `./${path}`}';\n`;
  });
  return { text: imports.join('') + body, calls };
}

/** Copies the project without its tables. @returns its folder. */
function copyWithoutTables(host: BenchHost): string {
  const copy = join(host.dir, 'direct');
  if (existsSync(copy)) return copy;
  for (const name of ['dist', 'bench/roms', 'package.json']) {
    cpSync(join(host.root, name), join(copy, name), { recursive: true });
  }
  symlinkSync(join(host.root, 'node_modules'), join(copy, 'node_modules'));
  const dist = join(copy, 'dist');
  const home = exportedFunctions(dist);
  let changed = 0;
  for (const file of scripts(dist)) {
    const { text, calls } = directCalls(readFileSync(file, 'utf8'), file, home);
    if (calls > 0) writeFileSync(file, text);
    changed += calls;
  }
  if (changed === 0) throw new BenchFailure('dist/ has no calls through tables');
  return copy;
}

async function pairSampler(host: BenchHost, work: string, engine: Engine): Promise<Sampler> {
  const rom = romOf(work);
  const copy = copyWithoutTables(host);
  const withTables = pio86Peer({ engine });
  const direct = pio86Peer({ engine, root: copy });
  const run = (n: number): Promise<number> => withTables.run(host, host.romFile(rom, n));
  const runDirect = (n: number): Promise<number> => direct.run(host, host.romFile(rom, n));
  const limits = { step: rom.step, first: rom.n, max: MAX_N };
  const sizes = await calibrate(run, limits, host.options.seconds);
  let pairs = 0;
  return async () => {
    // Who goes first alternates, so that a drift of the machine favours neither.
    if (pairs++ % 2 === 0) {
      const rate = await slope(run, sizes);
      return (await slope(runDirect, sizes)) / rate;
    }
    const rate = await slope(runDirect, sizes);
    return rate / (await slope(run, sizes));
  };
}

/** Above 1 the tables are slower. */
export const PROBE_BENCHMARKS: readonly Benchmark[] = ['out_pic', 'outsb'].map((work) => ({
  name: `probes:${work}`,
  group: 'tools',
  unit: '×',
  better: 'less',
  about: `time of ${work} with function tables for probes / without, none attached`,
  isForPeers: false,
  hasGuest: true,
  prepare: (host, engine) => pairSampler(host, work, engine),
}));
