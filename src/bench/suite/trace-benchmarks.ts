/** What looking on costs: a trace to a file, and a probe that counts. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchHost } from '../bench-host.ts';
import type { Benchmark, Sampler } from '../benchmark.ts';
import { type Engine, jitArguments } from '../engine.ts';
import type { Peer } from '../peers/peer.ts';
import { romOf } from '../rom-image.ts';
import { calibrate, slope } from '../slope.ts';
import { romSampler } from './rom-benchmarks.ts';

const NEWLINE = 10;
const ROM_ARGS = ['run', '--board', 'kvm', '--format', 'bios', '--serial', 'none'];
/** Traces are large: a slope over fewer events than of other rates. */
const FIRST_SHARE = 1_000;
/** 140 bytes or so an event. */
const MAX_EVENTS = 8_000_000;

function lines(file: string): number {
  let count = 0;
  const bytes = readFileSync(file);
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count++;
  return count;
}

/** Lines a second of `run --trace-file`, the guest's own time included. */
async function traceSampler(host: BenchHost, engine: Engine): Promise<Sampler> {
  const rom = romOf('out_pic');
  const file = join(host.dir, 'trace.txt');
  const run = async (n: number): Promise<number> => {
    const args = [...ROM_ARGS, ...jitArguments(engine), '--trace-file', file, host.romFile(rom, n)];
    return (await host.pio86(args)).seconds;
  };
  const limits = { step: rom.step, first: rom.n / FIRST_SHARE, max: MAX_EVENTS / 2 };
  const sizes = await calibrate(run, limits, host.options.seconds);
  await run(sizes.large);
  const linesPerN = Math.round(lines(file) / sizes.large);
  return async () => (await slope(run, sizes)) * linesPerN;
}

/** The ROM under a bpftrace script. */
function counted(engine: Engine): Peer {
  return {
    name: 'pio86',
    async version() {
      return 'pio86 bpftrace';
    },
    async run(host, romFile) {
      const script = 'kprobe:kvm_fast_pio { @ = count(); }';
      const args = ['bpftrace', '-e', script, '--', ...ROM_ARGS, ...jitArguments(engine), romFile];
      return (await host.pio86(args)).seconds;
    },
  };
}

const COMMON = { group: 'tools', better: 'more', isForPeers: false, hasGuest: true } as const;

/** A trace, and a probe. */
export const TRACE_BENCHMARKS: readonly Benchmark[] = [
  {
    ...COMMON,
    name: 'trace:file',
    unit: 'events/s',
    about: 'run --trace-file of out_pic, two events an access',
    prepare: traceSampler,
  },
  {
    ...COMMON,
    name: 'probes:attached',
    unit: 'accesses/s',
    about: 'out_pic with a bpftrace kprobe that counts',
    prepare: (host, engine) => romSampler(host, romOf('out_pic'), counted(engine)),
  },
];
