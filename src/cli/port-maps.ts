/**
 * Port maps from where users keep them: a board, a file, standard input.
 */
import { parseIoports } from '../ioports/parse.ts';
import { type PortNode, portTreeOf } from '../ioports/port-tree.ts';
import { type BoardName, createBoard } from './create-board.ts';
import type { CliIo } from './io.ts';
import { readInput } from './read-input.ts';

const MAX_BYTES = 1 << 20;

/** The map of a board. */
export function boardPortTree(board: BoardName): PortNode[] {
  return portTreeOf(createBoard(board, {}).portMap);
}

/** Reads a port map. @throws CliError, EmulatorError (bad input). */
export async function readPortTree(path: string, io: CliIo): Promise<PortNode[]> {
  const { name, bytes } = await readInput(path, io, MAX_BYTES);
  return parseIoports(Buffer.from(bytes).toString('utf8'), name);
}
