/**
 * Reads a port map in the shape of `/proc/ioports`: `0020-0021 : pic1`, a range inside another one indented further.
 * The map may stand in a longer text (a fenced block of a write-up, say): what comes before its first and after
 * its last range is skipped, but within the map every line counts.
 */
import { EmulatorError } from '../errors.ts';
import type { PortNode } from './port-tree.ts';

const RANGE_LINE = /^([ \t]*)([0-9a-fA-F]{1,8})-([0-9a-fA-F]{1,8}) : (.*\S)\s*$/;
/** A line that wants to be a range. */
const RANGE_START =
  /^[ \t]*(?:[0-9a-fA-F]{4,8}[ \t]*-[ \t]*[0-9a-fA-F]{4,8}\b|[0-9a-zA-Z]{4,8}-[0-9a-zA-Z]{4,8} : )/;
const LAST_PORT = 0xffff;

interface OpenNode {
  readonly indent: number;
  readonly node: PortNode;
}

function malformed(file: string, line: number, why: string): EmulatorError {
  return new EmulatorError('E_INPUT', `${file}:${line}: ${why}`);
}

/** Index of the first and last line that begin like a range; first is −1 without one. */
function extentOf(lines: readonly string[]): { first: number; last: number } {
  let first = -1;
  let last = -1;
  lines.forEach((line, at) => {
    if (!RANGE_START.test(line)) return;
    if (first < 0) first = at;
    last = at;
  });
  return { first, last };
}

/**
 * Parses the text of a port map.
 *
 * @param file shown in errors.
 * @throws EmulatorError `E_INPUT` naming file and line.
 */
export function parseIoports(text: string, file: string): PortNode[] {
  const lines = text.split(/\r?\n/);
  const { first, last } = extentOf(lines);
  if (first < 0) {
    throw malformed(file, 1, "no port map: expected lines as in /proc/ioports, '0020-0021 : pic1'");
  }
  const roots: PortNode[] = [];
  const open: OpenNode[] = [];
  for (let at = first; at <= last; at++) {
    const line = lines[at] ?? '';
    if (line.trim() === '') continue;
    const match = RANGE_LINE.exec(line);
    if (match === null)
      throw malformed(file, at + 1, `'${line.trim()}' is not of the form '0020-0021 : pic1'`);
    const [, indentText = '', baseText = '', endText = '', name = ''] = match;
    const indent = indentText.length;
    const base = Number.parseInt(baseText, 16);
    const end = Number.parseInt(endText, 16);
    if (end < base) throw malformed(file, at + 1, `the range ${baseText}-${endText} ends before it begins`);
    if (end > LAST_PORT) throw malformed(file, at + 1, `port ${endText} is above ffff`);
    while ((open.at(-1)?.indent ?? -1) >= indent) open.pop();
    const parent = open.at(-1)?.node;
    if (parent !== undefined && (base < parent.base || end > parent.end)) {
      throw malformed(file, at + 1, `${baseText}-${endText} is not inside '${parent.name}' above it`);
    }
    const node: PortNode = { base, end, name, device: null, children: [] };
    (parent === undefined ? roots : parent.children).push(node);
    open.push({ indent, node });
  }
  return roots;
}
