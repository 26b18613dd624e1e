/** QEMU with its translator (TCG): `qemu-system-i386`, the ROM as firmware, isa-debug-exit at port 0xF4. */
import { BenchFailure } from '../bench-failure.ts';
import { type BenchHost, lastLine } from '../bench-host.ts';
import type { Peer } from './peer.ts';

const PROGRAM = 'qemu-system-i386';
/** isa-debug-exit: `(value << 1) | 1`, and the ROMs write 0. */
const EXIT_STATUS = 1;

export const qemu: Peer = {
  name: 'qemu',
  async version(host: BenchHost) {
    const { stdout } = await host.run(PROGRAM, ['--version']);
    const version = /version (\S+)/.exec(stdout)?.[1];
    if (version === undefined) throw new BenchFailure(`${PROGRAM} --version: no version`);
    return `QEMU ${version.replace(/[(].*/, '')} TCG`;
  },
  async run(host, romFile) {
    const { status, stderr, seconds } = await host.run(PROGRAM, [
      ...['-machine', 'pc', '-accel', 'tcg', '-m', '16', '-display', 'none', '-nodefaults', '-no-reboot'],
      ...['-bios', romFile, '-device', 'isa-debug-exit,iobase=0xf4,iosize=4'],
    ]);
    if (status !== EXIT_STATUS)
      throw new BenchFailure(`${PROGRAM}: exit code ${status}: ${lastLine(stderr)}`);
    return seconds;
  },
};
