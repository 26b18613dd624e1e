/**
 * A port map as a tree of ranges, the way the kernel's resource tree stands behind `/proc/ioports`
 * (Linux: kernel/resource.c).
 */
import type { PortRange } from '../boards/board.ts';

/** One range with the ranges inside it. */
export interface PortNode {
  readonly base: number;
  /** Last port of the range. */
  readonly end: number;
  readonly name: string;
  /** The device behind it, where a board says so. */
  readonly device: string | null;
  readonly children: PortNode[];
}

/** Makes a tree of a board's sorted ranges: a range that another one contains becomes its child. */
export function portTreeOf(ranges: readonly PortRange[]): PortNode[] {
  const sorted = [...ranges].sort((a, b) => a.base - b.base || b.len - a.len);
  const roots: PortNode[] = [];
  const open: PortNode[] = [];
  for (const { base, len, label, device } of sorted) {
    const node: PortNode = { base, end: base + len - 1, name: label, device, children: [] };
    let parent = open.at(-1);
    while (parent !== undefined && !(base >= parent.base && node.end <= parent.end)) {
      open.pop();
      parent = open.at(-1);
    }
    (parent === undefined ? roots : parent.children).push(node);
    open.push(node);
  }
  return roots;
}

/** The innermost range that holds `port`, or null. */
export function findPort(nodes: readonly PortNode[], port: number): PortNode | null {
  for (const node of nodes) {
    if (port >= node.base && port <= node.end) return findPort(node.children, port) ?? node;
  }
  return null;
}
