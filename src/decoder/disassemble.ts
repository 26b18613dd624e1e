/** Disassembly for traces, reports and `pio86 explain`; never on the guest's path. */
import { formatOne } from './iced.ts';

/**
 * One instruction in NASM syntax, for example `out dx,al`; `(bad)` when `bytes` starts with none.
 *
 * @param bytes at least the whole instruction; more is fine.
 * @param ip offset of the instruction, for branch targets.
 */
export function disassemble(bytes: Uint8Array, bitness: 16 | 32, ip: number): string {
  return formatOne(bytes, bitness, ip).text;
}

/** Length in bytes of the instruction at the start of `bytes`, 0 when there is none. */
export function instructionLength(bytes: Uint8Array, bitness: 16 | 32): number {
  return formatOne(bytes, bitness, 0).len;
}
