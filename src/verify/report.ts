/**
 * What `--jit verify` says when the engines part.
 */
import type { Narrowed } from './narrow.ts';

/** The lines, joined. @param base tick at which the boards were last known to be the same. */
export function reportText({ differences, path, ticks, isOne }: Narrowed, base: number): string {
  const lines = [`jit verify: the interpreter and generated code differ at tick ${base + ticks}`];
  if (path.length === 0) lines.push('  (only when the run is cut into slices: the way there is not known)');
  else lines.push(isOne ? '  in the instruction' : '  behind the last of these instructions:');
  const width = Math.max(0, ...path.map(({ bytes }) => bytes.length));
  for (const { where, bytes, text } of path) lines.push(`    ${where}  ${bytes.padEnd(width)}  ${text}`);
  for (const { what, first, second } of differences) {
    lines.push(`  ${what}: ${first} interpreted, ${second} generated`);
  }
  return lines.join('\n');
}
