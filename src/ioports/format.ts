/**
 * Prints a port map as the kernel prints `/proc/ioports`: four hex digits, two spaces of indentation a level.
 */
import type { PortNode } from './port-tree.ts';

const port4 = (port: number): string => port.toString(16).padStart(4, '0');

/** One line a range, each ending in a newline. */
export function formatIoports(nodes: readonly PortNode[], level = 0): string {
  let text = '';
  for (const { base, end, name, children } of nodes) {
    text += `${'  '.repeat(level)}${port4(base)}-${port4(end)} : ${name}\n${formatIoports(children, level + 1)}`;
  }
  return text;
}

/** The JSON shape of one range (`pio86 ioports --json`, schema version 1). */
export interface PortNodeJson {
  readonly base: number;
  readonly end: number;
  readonly name: string;
  readonly device: string | null;
  readonly children: readonly PortNodeJson[];
}

/** The document that `pio86 ioports --json` prints. */
export function ioportsJson(nodes: readonly PortNode[], source: string) {
  return { schemaVersion: 1, source, ports: nodes satisfies readonly PortNodeJson[] };
}
