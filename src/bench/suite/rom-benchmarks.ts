/** Rates of the benchmark ROMs: port I/O, the ways an access can travel, buses of many devices, REP, ordinary code. */
import type { BenchHost } from '../bench-host.ts';
import type { Benchmark, Group, Sampler } from '../benchmark.ts';
import type { RomPath } from '../jobs/run-rom.ts';
import type { Peer } from '../peers/peer.ts';
import { pio86Peer } from '../peers/pio86.ts';
import { MAX_N, type Rom, romOf } from '../rom-image.ts';
import { calibrate, slope } from '../slope.ts';

/** One ROM and how it is run. */
interface RomWorkload {
  readonly name: string;
  readonly group: Group;
  readonly work: string;
  readonly unit: string;
  readonly path?: RomPath;
  readonly devices?: number;
  readonly about: string;
}

// biome-ignore format: one workload a line, columns aligned.
/** What each is of. */
export const ROM_WORKLOADS: readonly RomWorkload[] = [
  { name: 'out_pic',            group: 'io',    work: 'out_pic',       unit: 'accesses',     about: 'OUT, fast path, in-kernel device' },
  { name: 'in_pit',             group: 'io',    work: 'in_pit',        unit: 'accesses',     about: 'IN of a live PIT count, fast path' },
  { name: 'out_none',           group: 'io',    work: 'out_none',      unit: 'accesses',     about: 'OUT nobody in the kernel takes: the board, exit not materialised' },
  { name: 'outsb',              group: 'io',    work: 'outsb',         unit: 'elements',     about: 'REP OUTSB, 1,024 elements' },
  { name: 'insw',               group: 'io',    work: 'insw',          unit: 'elements',     about: 'REP INSW, 256 elements' },
  { name: 'out_pic:em',         group: 'paths', work: 'out_pic',       unit: 'accesses',     path: 'force-emulation', about: 'OUT, emulator path (em_out), in-kernel device' },
  { name: 'out_none:run',       group: 'paths', work: 'out_none',      unit: 'accesses',     path: 'userspace-exit', about: 'OUT as KVM_EXIT_IO to a program that drives KVM_RUN' },
  { name: 'out_none:ioeventfd', group: 'paths', work: 'out_none',      unit: 'accesses',     path: 'ioeventfd', about: 'OUT to an ioeventfd' },
  { name: 'out_none:coalesced', group: 'paths', work: 'out_none',      unit: 'accesses',     path: 'coalesced', about: 'OUT into the coalesced ring, emptied when it is full' },
  { name: 'bus:5',              group: 'bus',   work: 'out_pic',       unit: 'accesses',     devices: 5, about: 'OUT to the PIC, 5 devices on the bus' },
  { name: 'bus:20',             group: 'bus',   work: 'out_pic',       unit: 'accesses',     devices: 20, about: 'the same, 20 devices' },
  { name: 'bus:100',            group: 'bus',   work: 'out_pic',       unit: 'accesses',     devices: 100, about: 'the same, 100 devices' },
  { name: 'bus:1000',           group: 'bus',   work: 'out_pic',       unit: 'accesses',     devices: 1000, about: 'the same, 1,000 devices' },
  { name: 'outsb:1',            group: 'rep',   work: 'outsb_1',       unit: 'elements',     about: 'REP OUTSB with CX = 1' },
  { name: 'outsb:16',           group: 'rep',   work: 'outsb_16',      unit: 'elements',     about: 'CX = 16' },
  { name: 'outsb:128',          group: 'rep',   work: 'outsb_128',     unit: 'elements',     about: 'CX = 128' },
  { name: 'outsb:8192',         group: 'rep',   work: 'outsb_8192',    unit: 'elements',     about: 'CX = 8,192' },
  { name: 'insw:1',             group: 'rep',   work: 'insw_1',        unit: 'elements',     about: 'REP INSW with CX = 1' },
  { name: 'insw:16',            group: 'rep',   work: 'insw_16',       unit: 'elements',     about: 'CX = 16' },
  { name: 'insw:8192',          group: 'rep',   work: 'insw_8192',     unit: 'elements',     about: 'CX = 8,192' },
  { name: 'crc',                group: 'cpu',   work: 'crc',           unit: 'instructions', about: 'bitwise CRC-32 loop, real mode' },
  { name: 'sieve',              group: 'cpu',   work: 'sieve',         unit: 'rounds',       about: '32 KiB byte sieve, real mode' },
  { name: 'alu',                group: 'cpu',   work: 'alu',           unit: 'instructions', about: '32-bit arithmetic between registers' },
  { name: 'memory',             group: 'cpu',   work: 'memory',        unit: 'instructions', about: 'loads and stores over 48 KiB' },
  { name: 'calls',              group: 'cpu',   work: 'calls',         unit: 'instructions', about: 'recursive calls' },
  { name: 'strings',            group: 'cpu',   work: 'strings',       unit: 'elements',     about: 'REP MOVSD, STOSB, SCASB, CMPSD' },
  { name: 'counter_var',        group: 'cpu',   work: 'counter_var',   unit: 'instructions', about: 'a counter variable beside its loop' },
  { name: 'page_cross',         group: 'cpu',   work: 'page_cross',    unit: 'instructions', about: 'a loop across a page boundary' },
  { name: 'self_patch',         group: 'cpu',   work: 'self_patch',    unit: 'instructions', about: 'a loop that patches its own immediate' },
  { name: 'flat_crc',           group: 'cpu',   work: 'flat_crc',      unit: 'instructions', about: 'the CRC loop, 32-bit protected mode' },
  { name: 'flat_crc:paging',    group: 'cpu',   work: 'flat_crc_pg',   unit: 'instructions', about: 'the same with paging on' },
  { name: 'flat_sieve',         group: 'cpu',   work: 'flat_sieve',    unit: 'rounds',       about: 'the sieve, 32-bit protected mode' },
  { name: 'flat_sieve:paging',  group: 'cpu',   work: 'flat_sieve_pg', unit: 'rounds',       about: 'the same with paging on' },
  { name: 'flat_walk',          group: 'cpu',   work: 'flat_walk',     unit: 'instructions', about: 'a load and a store in each of 512 pages' },
  { name: 'flat_walk:paging',   group: 'cpu',   work: 'flat_walk_pg',  unit: 'instructions', about: 'the same with paging on' },
  { name: 'v86_crc',            group: 'cpu',   work: 'v86_crc',       unit: 'instructions', about: 'the CRC loop, virtual-8086 mode' },
  { name: 'v86_out',            group: 'io',    work: 'v86_out',       unit: 'accesses',     about: 'OUT to the PIC, virtual-8086 mode: TSS I/O bitmap' },
];

/** The size that calibration starts with: little work even where each access is an exit to userspace. */
const FIRST_SHARE = 64;

/** Units a second of `rom`, run by `peer`. */
export async function romSampler(host: BenchHost, rom: Rom, peer: Peer): Promise<Sampler> {
  const run = (n: number): Promise<number> => peer.run(host, host.romFile(rom, n));
  const { isSteady = false } = peer;
  const limits = { step: rom.step, first: rom.n / FIRST_SHARE, max: MAX_N, isSteady };
  const sizes = await calibrate(run, limits, host.options.seconds);
  return async () => (await slope(run, sizes)) * rom.unitsPerN;
}

function romBenchmark({ name, group, work, unit, path, devices, about }: RomWorkload): Benchmark {
  const how = {
    ...(path === undefined ? {} : { path }),
    ...(devices === undefined ? {} : { devices }),
  };
  return {
    name,
    group,
    unit: `${unit}/s`,
    better: 'more',
    about,
    isForPeers: path === undefined && devices === undefined,
    hasGuest: true,
    prepare: (host, engine, peer) => romSampler(host, romOf(work), peer ?? pio86Peer({ ...how, engine })),
  };
}

/** Every ROM, by every path. */
export const ROM_BENCHMARKS: readonly Benchmark[] = ROM_WORKLOADS.map(romBenchmark);
