import { describe, expect, it } from 'vitest';
import { exampleSources } from '../../scripts/assemble.ts';
import type { Board, BoardEnd, BoardOptions } from '../../src/boards/board.ts';
import { createKvmBoard } from '../../src/boards/kvm.ts';
import { createPcBoard } from '../../src/boards/pc.ts';
import { detectFormat, planImage } from '../../src/loaders/detect.ts';
import { loadImage } from '../../src/loaders/load.ts';
import { type Guest, readGuest } from './guest-header.ts';

const BOARDS: Readonly<Record<string, (options: BoardOptions) => Board>> = {
  kvm: createKvmBoard,
  pc: createPcBoard,
};

const SLICE_TICKS = 1_000_000;
/** A tenth of a second of virtual time; no example needs more. */
const MAX_TICKS = 10_000_000;
/** 2 MiB: enough to see the A20 gate. */
const MEMORY_BYTES = 0x20_0000;

interface Run {
  readonly end: BoardEnd;
  readonly serial: string;
  readonly debug: string;
  readonly ticks: number;
}

function run(guest: Guest, boardName: string, forceEmulation: boolean): Run {
  const serial: number[] = [];
  const debug: number[] = [];
  const board = BOARDS[boardName]?.({
    memoryBytes: MEMORY_BYTES,
    serial: { write: (byte) => void serial.push(byte) },
    debug: { write: (byte) => void debug.push(byte) },
    forceEmulation,
  });
  if (board === undefined) throw new Error(`${guest.name}: no board ${boardName}`);
  loadImage(board, planImage({ name: guest.name, bytes: guest.bytes }, guest.format));

  const input = [...(guest.stdin ?? [])];
  let end = board.run(SLICE_TICKS);
  while (board.vm.clock.ticks < MAX_TICKS) {
    if (end.kind === 'idle' && input.length > 0) {
      if (!board.receiveSerial(input[0])) break;
      input.shift();
    } else if (end.kind !== 'slice') break;
    end = board.run(SLICE_TICKS);
  }
  const text = (bytes: number[]): string => Buffer.from(bytes).toString('latin1');
  return { end, serial: text(serial), debug: text(debug), ticks: board.vm.clock.ticks };
}

const guests = exampleSources().map((file) => readGuest(file.replace(/\.asm$/, '')));

describe.each(guests)('examples/$name', (guest) => {
  it('promises Test OK', () => {
    expect(guest.serial.source).toContain('Test OK');
  });

  it('is told apart by its content, a .COM file by its name', () => {
    const name = guest.format === 'com' ? `${guest.name}.com` : `${guest.name}.bin`;
    expect(detectFormat({ name, bytes: guest.bytes })).toBe(guest.format);
  });

  for (const boardName of guest.boards) {
    it(`prints and ends as its header says on the ${boardName} board, with --force-emulation too`, () => {
      const fast = run(guest, boardName, false);
      expect(fast.serial).toMatch(guest.serial);
      expect(fast.debug).toMatch(guest.debug);
      expect(fast.end).toEqual({ kind: 'exit', code: guest.exit });
      expect(run(guest, boardName, true)).toEqual(fast);
    });
  }
});
