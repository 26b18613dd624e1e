/** Whole processes: the start of the program, and guests from reset to their end. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BenchFailure } from '../bench-failure.ts';
import type { BenchHost } from '../bench-host.ts';
import type { Benchmark, Sampler } from '../benchmark.ts';
import { type Engine, jitArguments } from '../engine.ts';

const MILLISECONDS = 1e3;
const EXIT_GUEST_FAULT = 4;
const EXIT_LIMIT = 5;
const SEABIOS = ['/usr/share/seabios/bios-256k.bin', '/usr/share/qemu/bios-256k.bin'];
const TEST386 = 'test386-64k.bin';
/** A firmware that waits for a device that is not there ends with this. */
const MAX_INSNS = '200M';

/** A process from its start to its end. */
type TimedProcess = () => Promise<{ readonly seconds: number }>;

function processBenchmark(
  name: string,
  about: string,
  hasGuest: boolean,
  prepare: (host: BenchHost, engine: Engine) => TimedProcess,
): Benchmark {
  return {
    name,
    group: 'guests',
    unit: 'ms',
    better: 'less',
    about,
    isForPeers: false,
    hasGuest,
    async prepare(host, engine): Promise<Sampler> {
      const run = prepare(host, engine);
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

function bios(host: BenchHost, engine: Engine, file: string): TimedProcess {
  const options = ['--format', 'bios', '--serial', 'none', '--max-insns', MAX_INSNS];
  const args = ['run', ...jitArguments(engine), ...options, file];
  return () => host.pio86(args, [0, EXIT_GUEST_FAULT, EXIT_LIMIT]);
}

/** Wall-clock of whole processes. */
export const GUEST_BENCHMARKS: readonly Benchmark[] = [
  processBenchmark(
    'start:node',
    'node -e 0, to compare with',
    false,
    (host) => () => host.run(process.execPath, ['-e', '0']),
  ),
  processBenchmark('start:version', 'pio86 --version', false, (host) => () => host.pio86(['--version'])),
  processBenchmark(
    'start:hello',
    'pio86 run examples/hello.bin',
    true,
    (host, engine) => () =>
      host.pio86(['run', ...jitArguments(engine), join(host.root, 'examples/hello.bin')]),
  ),
  processBenchmark('test386', 'test386.asm from reset to its end', true, (host, engine) =>
    bios(host, engine, test386(host.options.env)),
  ),
  processBenchmark('seabios', 'SeaBIOS as far as it gets', true, (host, engine) =>
    bios(host, engine, seabios()),
  ),
];
