/** The host's `/dev/kvm`, through `pio86 run --engine kvm`: a real processor and the real kernel's devices. */
import { accessSync, constants } from 'node:fs';
import { release } from 'node:os';
import { BenchFailure } from '../bench-failure.ts';
import type { BenchHost } from '../bench-host.ts';
import { romOf } from '../rom-image.ts';
import type { Peer } from './peer.ts';

const ARGS = ['run', '--engine', 'kvm', '--board', 'kvm', '--format', 'bios', '--serial', 'none'];

export const kvm: Peer = {
  name: 'kvm',
  isSteady: true,
  async version(host: BenchHost) {
    try {
      accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    } catch {
      throw new BenchFailure('/dev/kvm is not there, or not ours to open');
    }
    const rom = romOf('out_pic');
    await host.pio86([...ARGS, host.romFile(rom, rom.step)]); // says what else it needs
    return `KVM of Linux ${release()}`;
  },
  async run(host: BenchHost, romFile: string) {
    return (await host.pio86([...ARGS, romFile])).seconds;
  },
};
