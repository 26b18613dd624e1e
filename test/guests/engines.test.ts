/**
 * Every example under the interpreter, with generated code, and with both in lock step: the same end, output and time, to the
 * tick, so every interrupt came at the same instruction.
 */
import { describe, expect, it } from 'vitest';
import { exampleSources } from '../../scripts/assemble.ts';
import type { Board, BoardEnd, BoardOptions } from '../../src/boards/board.ts';
import { createPcBoard } from '../../src/boards/pc.ts';
import { Jit } from '../../src/jit/engine.ts';
import { planImage } from '../../src/loaders/detect.ts';
import { loadImage } from '../../src/loaders/load.ts';
import { LockStepBoard } from '../../src/verify/lock-step-board.ts';
import { type Guest, readGuest } from './guest-header.ts';

const MAX_TICKS = 10_000_000;
const MEMORY_BYTES = 0x20_0000;

/** Runs a guest in slices of odd length. */
function run(guest: Guest, make: (options: BoardOptions) => Board, options: BoardOptions) {
  const output: number[] = [];
  const sink = { write: (byte: number) => void output.push(byte) };
  const board = make({ memoryBytes: MEMORY_BYTES, serial: sink, debug: sink, ...options });
  loadImage(board, planImage({ name: guest.name, bytes: guest.bytes }, guest.format));
  const input = [...(guest.stdin ?? [])];
  let end: BoardEnd = { kind: 'slice' };
  while (board.vm.clock.ticks < MAX_TICKS) {
    end = board.run(99_991);
    if (end.kind === 'idle' && input.length > 0) {
      if (!board.receiveSerial(input[0])) break;
      input.shift();
    } else if (end.kind !== 'slice') break;
  }
  const { stat, instructions } = board.vcpu;
  const generator = board.vcpu.cpu.generator;
  const seen = {
    end,
    output: Buffer.from(output).toString('latin1'),
    ticks: board.vm.clock.ticks,
    instructions,
    regs: board.vcpu.getRegs(),
    stat: { ...stat, byReason: [...stat.byReason] },
  };
  return { seen, functions: generator instanceof Jit ? generator.functions : 0 };
}

const guests = exampleSources().map((file) => readGuest(file.replace(/\.asm$/, '')));

describe('an example does the same with generated code', () => {
  let functions = 0;

  it.each(guests)('$name', (guest) => {
    const interpreted = run(guest, createPcBoard, { jit: false });
    const generated = run(guest, createPcBoard, { jit: { threshold: 2 } });
    functions += generated.functions;
    expect(generated.seen).toEqual(interpreted.seen);
    expect(run(guest, (options) => new LockStepBoard(createPcBoard, options), {}).seen).toEqual(
      interpreted.seen,
    );
  });

  it('and code was generated', () => {
    expect(functions).toBeGreaterThan(20);
  });
});
