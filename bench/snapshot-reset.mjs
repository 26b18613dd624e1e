/**
 * What `Board.snapshot` and `Board.restore` cost, by the pages that the guest has written since the snapshot
 * (`npm run bench:snapshot`). Each call is timed alone, between runs of a guest that writes the pages; medians, so that a
 * busy machine does little harm.
 */
import { cpus } from 'node:os';
import { createKvmBoard, createPcBoard } from '../dist/index.js';

const CALLS = 4_000;
const PAGES = [0, 1, 16, 200];
const START = 0x7c00;

/** Changes one byte in each of CX pages from 00010000h on. */
const GUEST = [
  ...[0xb8, 0x00, 0x10], //             mov ax,1000h
  ...[0xe3, 0x0c], //                   jcxz spin
  ...[0x8e, 0xc0], //             again: mov es,ax
  ...[0x26, 0xfe, 0x06, 0x00, 0x00], // inc byte [es:0]
  ...[0x80, 0xc4, 0x01], //             add ah,1
  ...[0xe2, 0xf4], //                   loop again
  ...[0xeb, 0xfe], //             spin: jmp spin
];

function boot(create) {
  const board = create({ memoryBytes: 16 << 20 });
  board.vm.memory.write(START, Uint8Array.from(GUEST));
  const sregs = board.vcpu.getSregs();
  sregs.cs.selector = 0;
  sregs.cs.base = 0;
  board.vcpu.setSregs(sregs);
  return board;
}

/** Median microseconds of `run`, each call after a `prepare` that is not timed. */
function medianUs(calls, prepare, run) {
  const times = [];
  for (let i = 0; i < calls; i++) {
    prepare();
    const start = process.hrtime.bigint();
    run();
    times.push(Number(process.hrtime.bigint() - start) / 1000);
  }
  return times.sort((a, b) => a - b)[calls >> 1].toFixed(1);
}

console.log(`${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores, Node ${process.version}`);
for (const create of [createKvmBoard, createPcBoard]) {
  const board = boot(create);
  console.log(
    `${board.name}: snapshot ${medianUs(
      1_000,
      () => {},
      () => board.snapshot(),
    )} µs`,
  );
  for (const pages of PAGES) {
    board.vcpu.setRegs({ ...board.vcpu.getRegs(), eip: START, ecx: pages });
    const snapshot = board.snapshot();
    const write = () => {
      if (pages > 0) board.run(10 + 4 * pages);
    };
    write();
    if (board.vm.memory.versions.dirtyPages !== pages) throw new Error('the guest has not written its pages');
    const time = medianUs(CALLS, write, () => board.restore(snapshot));
    console.log(`${board.name}: restore after ${String(pages).padStart(3)} pages were written ${time} µs`);
  }
}
