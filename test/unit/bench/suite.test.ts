import { describe, expect, it } from 'vitest';
import { ROMS } from '../../../scripts/assemble.ts';
import { GROUPS } from '../../../src/bench/benchmark.ts';
import { choosePeers, PEERS } from '../../../src/bench/peers/peers.ts';
import { ROM_WORKLOADS } from '../../../src/bench/suite/rom-benchmarks.ts';
import { chooseBenchmarks, SUITE } from '../../../src/bench/suite/suite.ts';

const names = (chosen: readonly { readonly name: string }[]): string[] => chosen.map(({ name }) => name);

describe('the suite', () => {
  it('has every assembled work, in its own unit', () => {
    for (const { work, unit } of ROMS) {
      const rows = ROM_WORKLOADS.filter((row) => row.work === work);
      expect([work, ...new Set(rows.map((row) => row.unit))]).toEqual([work, unit]);
    }
  });

  it('has no name twice, and no name that is a group', () => {
    expect(new Set(names(SUITE)).size).toBe(SUITE.length);
    expect(names(SUITE).filter((name) => (GROUPS as readonly string[]).includes(name))).toEqual([]);
  });

  it('has an engine to choose wherever a guest runs', () => {
    expect(names(SUITE.filter(({ hasGuest }) => !hasGuest))).toEqual([
      'lookup:5',
      'lookup:20',
      'lookup:100',
      'lookup:1000',
      'start:node',
      'start:version',
      'fuzz:string-io',
      'fuzz:string-io:2workers',
    ]);
  });

  it('has something in every group', () => {
    expect(new Set(SUITE.map(({ group }) => group))).toEqual(new Set(GROUPS));
  });
});

describe('chooseBenchmarks', () => {
  it('takes all without names', () => {
    expect(chooseBenchmarks([])).toEqual(SUITE);
  });

  it('takes whole names and groups, in the order of the suite', () => {
    expect(names(chooseBenchmarks(['crc', 'out_pic']))).toEqual(['out_pic', 'crc']);
    expect(names(chooseBenchmarks(['rep'], 'insw'))).toEqual(['insw:1', 'insw:16', 'insw:8192']);
  });

  it.each([
    [['out'], undefined, "no workload matches 'out'; there are out_pic, "],
    [[], 'zzz', "no workload matches 'zzz'"],
    [['crc'], 'out', "no workload matches 'out'"],
  ])('refuses %j with the filter %s', (wanted, filter, message) => {
    expect(() => chooseBenchmarks(wanted, filter)).toThrow(message);
  });
});

describe('choosePeers', () => {
  it('takes peers by name', () => {
    expect(names(choosePeers(['kvm', 'v86']))).toEqual(['v86', 'kvm']);
    expect(names(PEERS)).toEqual(['v86', 'qemu', 'bochs', 'kvm']);
  });

  it('refuses one that it does not know', () => {
    expect(() => choosePeers(['vmware'])).toThrow("'vmware' is no peer; there are v86, qemu, bochs, kvm");
  });
});
