/**
 * Boards by name and engine.
 */
import type { Board, BoardOptions } from '../boards/board.ts';
import { LockStepBoard } from '../verify/lock-step-board.ts';
import { type BoardName, createBoard } from './create-board.ts';
import type { JitOption } from './jit-option.ts';

/** Builds the board `name` with the engine, or engines, that `--jit` asks for. */
export function createBoardWithJit(name: BoardName, options: BoardOptions, { jit }: JitOption): Board {
  if (jit === 'verify') return new LockStepBoard((shape) => createBoard(name, shape), options);
  return createBoard(name, { ...options, jit: jit === 'on' });
}
