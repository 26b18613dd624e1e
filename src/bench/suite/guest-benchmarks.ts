/** Whole processes: the start of the program, and guests from reset to their end. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BenchFailure } from '../bench-failure.ts';
import type { BenchHost } from '../bench-host.ts';
import type { Benchmark, Sampler } from '../benchmark.ts';

const MILLISECONDS = 1e3;
const EXIT_GUEST_FAULT = 4;
const EXIT_LIMIT = 5;
const SEABIOS = ['/usr/share/seabios/bios-256k.bin', '/usr/share/qemu/bios-256k.bin'];
const TEST386 = 'test386-64k.bin';
/** A firmware that waits for a device that is not there ends with this. */
const MAX_INSNS = '200M';

function processBenchmark(
  name: string,
  about: string,
  prepare: (host: BenchHost) => () => Promise<{ readonly seconds: number }>,
): Benchmark {
  return {
    name,
    group: 'guests',
    unit: 'ms',
    better: 'less',
    about,
    isForPeers: false,
    async prepare(host): Promise<Sampler> {
      const run = prepare(host);
      return async () => (await run()).seconds * MILLISECONDS;
    },
  };
}

function test386(env: BenchHost['options']['env']): string {
  const folder = env.PIO86_GUESTS;
  if (folder === undefined || folder === '') {
    throw new BenchFailure(`PIO86_GUESTS does not name the folder with ${TEST386}`);
  }
  const file = join(folder, TEST386);
  if (!existsSync(file)) throw new BenchFailure(`${file} is not there`);
  return file;
}

function seabios(): string {
  const file = SEABIOS.find((path) => existsSync(path));
  if (file === undefined) throw new BenchFailure(`SeaBIOS is not installed (${SEABIOS[0]})`);
  return file;
}

function bios(host: BenchHost, file: string): () => Promise<{ readonly seconds: number }> {
  const args = ['run', '--format', 'bios', '--serial', 'none', '--max-insns', MAX_INSNS, file];
  return () => host.pio86(args, [0, EXIT_GUEST_FAULT, EXIT_LIMIT]);
}

/** Wall-clock of whole processes. */
export const GUEST_BENCHMARKS: readonly Benchmark[] = [
  processBenchmark(
    'start:node',
    'node -e 0, to compare with',
    (host) => () => host.run(process.execPath, ['-e', '0']),
  ),
  processBenchmark('start:version', 'pio86 --version', (host) => () => host.pio86(['--version'])),
  processBenchmark(
    'start:hello',
    'pio86 run examples/hello.bin',
    (host) => () => host.pio86(['run', join(host.root, 'examples/hello.bin')]),
  ),
  processBenchmark('test386', 'test386.asm from reset to its end', (host) =>
    bios(host, test386(host.options.env)),
  ),
  processBenchmark('seabios', 'SeaBIOS as far as it gets', (host) => bios(host, seabios())),
];
