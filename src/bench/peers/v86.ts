/** v86, the x86 emulator on npm, in a process of its own (v86-child.ts). */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { BenchFailure } from '../bench-failure.ts';
import { type BenchHost, lastLine } from '../bench-host.ts';
import { runProcess } from '../run-process.ts';
import type { Peer } from './peer.ts';

function entryPoint(): string {
  try {
    return pathToFileURL(createRequire(import.meta.url).resolve('v86')).href;
  } catch {
    throw new BenchFailure('the npm package v86 is not installed');
  }
}

export const v86: Peer = {
  name: 'v86',
  async version() {
    const path = fileURLToPath(new URL('../package.json', entryPoint()));
    const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: string };
    return `v86 ${version.replace(/[+].*/, '')}`;
  },
  async run(host: BenchHost, romFile: string) {
    const { signal, clock } = host.options;
    const child = join(host.root, 'dist/bench/peers/v86-child.js');
    const wasm = fileURLToPath(new URL('v86.wasm', entryPoint()));
    const { status, stdout, stderr } = await runProcess(process.execPath, [child, wasm, romFile], {
      clock: 'wall',
      signal,
      cwd: host.dir,
    });
    if (status !== 0) throw new BenchFailure(`v86: exit code ${status}: ${lastLine(stderr)}`);
    const { wallSeconds, cpuSeconds } = JSON.parse(lastLine(stdout)) as Record<string, number>;
    return clock === 'cpu' ? cpuSeconds : wallSeconds;
  },
};
