/**
 * Bochs: the ROM as its BIOS, "Shutdown" to port 0x8900 as its end. Its display is the first of `nogui` and `rfb` (which waits for
 * nobody) that the installed build has; a build with the debugger is told to continue.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BenchFailure } from '../bench-failure.ts';
import { type BenchHost, lastLine } from '../bench-host.ts';
import { romOf } from '../rom-image.ts';
import type { Peer } from './peer.ts';

const DISPLAYS = ['nogui', 'rfb, options="timeout=0"'];
const SHUTDOWN = /Shutdown port: shutdown requested/;
const VGA_ROM_BYTES = 512;

function configuration(romFile: string, vgaFile: string, display: string): string {
  return [
    'megs: 16',
    `romimage: file="${romFile}", address=0xffff0000`,
    `vgaromimage: file="${vgaFile}"`,
    `display_library: ${display}`,
    'sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy',
    'speaker: enabled=0',
    'plugin_ctrl: speaker=0, parallel=0, serial=0, gameport=0',
    'log: /dev/null',
    'panic: action=fatal',
    'info: action=ignore',
    '',
  ].join('\n');
}

/** One installed Bochs. */
export class Bochs implements Peer {
  readonly name = 'bochs';
  readonly isSteady = true;
  #display: string | null = null;

  async version(host: BenchHost): Promise<string> {
    const rom = romOf('out_pic');
    const romFile = host.romFile(rom, rom.step);
    let version: string | undefined;
    let why = '';
    for (const display of DISPLAYS) {
      this.#display = display;
      const { stdout, stderr } = await this.#start(host, romFile);
      version ??= /Bochs x86 Emulator (\S+)/.exec(stdout + stderr)?.[1];
      if (SHUTDOWN.test(stdout + stderr)) return `Bochs ${version ?? ''}`.trimEnd();
      why = /following message:\n(.*)/.exec(stderr)?.[1] ?? lastLine(stderr);
    }
    throw new BenchFailure(`bochs does not run a ROM: ${why}`);
  }

  async run(host: BenchHost, romFile: string): Promise<number> {
    const { status, stdout, stderr, seconds } = await this.#start(host, romFile);
    if (!SHUTDOWN.test(stdout + stderr)) {
      throw new BenchFailure(`bochs: exit code ${status}: ${lastLine(stderr)}`);
    }
    return seconds;
  }

  #start(host: BenchHost, romFile: string): ReturnType<BenchHost['run']> {
    const config = join(host.dir, 'bochsrc');
    const vga = join(host.dir, 'vga.bin');
    const stdin = join(host.dir, 'bochs-debugger');
    writeFileSync(stdin, 'c\n');
    writeFileSync(vga, new Uint8Array(VGA_ROM_BYTES));
    writeFileSync(config, configuration(romFile, vga, this.#display ?? DISPLAYS[0]));
    return host.run('bochs', ['-q', '-f', config], stdin);
  }
}
