/** The host's `/dev/kvm`, through `pio86 run --engine kvm`: a real processor and the real kernel's devices. */
import { accessSync, constants } from 'node:fs';
import { release } from 'node:os';
import { BenchFailure } from '../bench-failure.ts';
import type { BenchHost } from '../bench-host.ts';
import type { Peer } from './peer.ts';

const ARGS = ['run', '--engine', 'kvm', '--board', 'kvm', '--format', 'bios', '--serial', 'none'];

export const kvm: Peer = {
  name: 'kvm',
  async version() {
    try {
      accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    } catch {
      throw new BenchFailure('/dev/kvm is not there, or not ours to open');
    }
    try {
      import.meta.resolve('koffi');
    } catch {
      throw new BenchFailure('the npm package koffi, which opens /dev/kvm, is not installed');
    }
    return `KVM of Linux ${release()}`;
  },
  async run(host: BenchHost, romFile: string) {
    return (await host.pio86([...ARGS, romFile])).seconds;
  },
};
