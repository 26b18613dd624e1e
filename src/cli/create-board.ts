/**
 * Boards by name.
 */
import type { Board, BoardOptions } from '../boards/board.ts';
import { createKvmBoard } from '../boards/kvm.ts';
import { createPcBoard } from '../boards/pc.ts';

/** Names that `--board` takes. */
export type BoardName = 'kvm' | 'pc';

/** Builds the board `name`. */
export function createBoard(name: BoardName, options: BoardOptions): Board {
  return name === 'kvm' ? createKvmBoard(options) : createPcBoard(options);
}
