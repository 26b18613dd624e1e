/**
 * Names of ports for traces and summaries: a file's names first, then the board's own.
 */
import type { Board } from '../boards/board.ts';
import type { PortNames } from '../trace/port-names.ts';
import { findPort, type PortNode, portTreeOf } from './port-tree.ts';

/**
 * Looks ports up in `fileMap` (may be empty), then in the board's port map; the device is always the board's.
 */
export function portNamesOf(
  board: Pick<Board, 'portMap' | 'deviceAt'>,
  fileMap: readonly PortNode[],
): PortNames {
  const boardMap = portTreeOf(board.portMap);
  return {
    nameOf: (port) => (findPort(fileMap, port) ?? findPort(boardMap, port))?.name ?? null,
    deviceOf: (port) => board.deviceAt(port),
  };
}
