/** How much memory a process with one machine takes beyond the guest's own, all of which is in use. */
import { readFileSync } from 'node:fs';
import { createKvmBoard } from '../../boards/kvm.ts';
import { type JobOf, type JobResult, timed } from './job.ts';

const ROM_LOW = 0xf0000;
const ROM_HIGH = 0xffff0000;
const KIB = 1024;
const CHUNK = new Uint8Array(0x10000).fill(0xa5);

/** @returns peak resident bytes less `memoryBytes`, as `units`. */
export function residentMemory({ file, memoryBytes, engine }: JobOf<'memory'>): JobResult {
  return timed(() => {
    const board = createKvmBoard({ memoryBytes, jit: engine === 'generated' });
    for (let gpa = 0; gpa < memoryBytes; gpa += CHUNK.length) board.vm.memory.write(gpa, CHUNK);
    const rom = readFileSync(file);
    board.addRom(rom, ROM_LOW);
    board.addRom(rom, ROM_HIGH);
    board.reset();
    while (board.run(1_000_000).kind === 'slice');
    return Math.max(0, process.resourceUsage().maxRSS * KIB - memoryBytes);
  });
}
