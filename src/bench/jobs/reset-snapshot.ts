/**
 * What `Board.snapshot` and `Board.restore` cost, by the pages that the guest has written since the snapshot. Each call
 * is timed alone, between runs of a guest that writes the pages; medians, so that a busy machine does little harm.
 */
import type { Board } from '../../boards/board.ts';
import { createKvmBoard } from '../../boards/kvm.ts';
import { createPcBoard } from '../../boards/pc.ts';
import { spreadOf } from '../statistics.ts';
import type { JobOf, JobResult } from './job.ts';

const CALLS = 4_000;
const START = 0x7c00;
/** Instructions of the guest below for one page, and around them. */
const TICKS_A_PAGE = 4;
const TICKS_AROUND = 10;

// biome-ignore format: an instruction a line.
/** Changes one byte in each of CX pages from 00010000h on. */
const GUEST = [
  0xb8, 0x00, 0x10,             //        mov ax,1000h
  0xe3, 0x0c,                   //        jcxz spin
  0x8e, 0xc0,                   // again: mov es,ax
  0x26, 0xfe, 0x06, 0x00, 0x00, //        inc byte [es:0]
  0x80, 0xc4, 0x01,             //        add ah,1
  0xe2, 0xf4,                   //        loop again
  0xeb, 0xfe,                   // spin:  jmp spin
];

type ResetJob = JobOf<'snapshot' | 'restore'>;

function boot({ board: name, memoryBytes, pages, engine }: ResetJob): Board {
  const board = (name === 'pc' ? createPcBoard : createKvmBoard)({
    memoryBytes,
    jit: engine === 'generated',
  });
  board.vm.memory.write(START, Uint8Array.from(GUEST));
  const sregs = board.vcpu.getSregs();
  board.vcpu.setSregs({ ...sregs, cs: { ...sregs.cs, selector: 0, base: 0 } });
  board.vcpu.setRegs({ ...board.vcpu.getRegs(), eip: START, ecx: pages });
  return board;
}

/** @returns the median time of one call as `wallSeconds` (and, there being no finer clock, as `cpuSeconds`). */
export function resetSnapshot(job: ResetJob): JobResult {
  const { kind, pages } = job;
  const board = boot(job);
  const snapshot = board.snapshot();
  const times: number[] = [];
  for (let i = 0; i < CALLS; i++) {
    if (pages > 0) board.run(TICKS_AROUND + TICKS_A_PAGE * pages);
    if (i === 0 && board.vm.memory.versions?.dirtyPages !== pages) {
      throw new Error('the guest has not written its pages');
    }
    const start = performance.now();
    if (kind === 'snapshot') board.snapshot();
    else board.restore(snapshot);
    times.push((performance.now() - start) / 1000);
  }
  const { median } = spreadOf(times);
  return { units: 1, wallSeconds: median, cpuSeconds: median };
}
