/** Snapshots and memory. */
import type { Benchmark } from '../benchmark.ts';
import { romOf } from '../rom-image.ts';

const MIB = 1 << 20;
const MICROSECONDS = 1e6;
const MEGABYTE = 1e6;
const GUEST_BYTES = 16 * MIB;

function resetBenchmark(
  kind: 'snapshot' | 'restore',
  name: string,
  about: string,
  {
    board = 'kvm',
    pages = 0,
    memoryBytes = GUEST_BYTES,
  }: { board?: 'kvm' | 'pc'; pages?: number; memoryBytes?: number },
): Benchmark {
  return {
    name,
    group: 'state',
    unit: 'µs',
    better: 'less',
    about,
    isForPeers: false,
    hasGuest: true,
    async prepare(host, engine) {
      return async () =>
        (await host.job({ kind, board, memoryBytes, pages, engine })).wallSeconds * MICROSECONDS;
    },
  };
}

function memoryBenchmark(mebibytes: number): Benchmark {
  return {
    name: `rss:${mebibytes}M`,
    group: 'state',
    unit: 'MB',
    better: 'less',
    about: `memory of the process above the ${mebibytes} MiB of its guest`,
    isForPeers: false,
    hasGuest: true,
    async prepare(host, engine) {
      const rom = romOf('crc');
      const file = host.romFile(rom, rom.n);
      return async () =>
        (await host.job({ kind: 'memory', file, memoryBytes: mebibytes * MIB, engine })).units / MEGABYTE;
    },
  };
}

/** What a snapshot, a reset and a machine cost. */
export const STATE_BENCHMARKS: readonly Benchmark[] = [
  resetBenchmark('snapshot', 'snapshot', 'Board.snapshot, 16 MiB, board kvm', {}),
  resetBenchmark('restore', 'restore:0', 'Board.restore after 0 pages were written', {}),
  resetBenchmark('restore', 'restore:10', 'after 10 pages', { pages: 10 }),
  resetBenchmark('restore', 'restore:200', 'after 200 pages', { pages: 200 }),
  resetBenchmark('restore', 'restore:10:pc', 'after 10 pages, board pc', { pages: 10, board: 'pc' }),
  resetBenchmark('restore', 'restore:10:256M', 'after 10 pages, 256 MiB', {
    pages: 10,
    memoryBytes: 256 * MIB,
  }),
  memoryBenchmark(16),
  memoryBenchmark(256),
];
