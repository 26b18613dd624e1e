/** pio86 itself, in a process of its own like every peer. */
import type { BenchHost } from '../bench-host.ts';
import type { Engine } from '../engine.ts';
import type { RomPath } from '../jobs/run-rom.ts';
import type { Peer } from './peer.ts';

/** How the machine is set up. */
export interface Pio86Options {
  readonly engine: Engine;
  readonly path?: RomPath;
  /** Devices on the port bus. Default: the kernel's five. */
  readonly devices?: number;
  /** Another copy of the project to run. */
  readonly root?: string;
}

/** pio86 with these options, as one who runs ROMs. */
export function pio86Peer({ engine, path = 'board', devices = 0, root }: Pio86Options): Peer {
  return {
    name: 'pio86',
    async version() {
      return 'pio86';
    },
    async run(host: BenchHost, romFile: string) {
      return host.secondsOf(await host.job({ kind: 'rom', file: romFile, path, devices, engine }, root));
    },
  };
}
