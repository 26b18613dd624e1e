/** Guests for board tests: lines of hex bytes, each with its assembly after a semicolon. */
import type { Board } from '../../../src/boards/board.ts';
import type { ByteSink } from '../../../src/bus/irq-line.ts';

/** Where guests are loaded and start, in real mode with CS = DS = ES = SS = 0. */
export const GUEST_START = 0x7c00;

/** The bytes of lines such as `b0 03 ; mov al,3`. */
export function bytesOf(listing: string): Uint8Array {
  const hex = listing
    .split('\n')
    .map((line) => line.split(';')[0])
    .join(' ');
  return Uint8Array.from(hex.split(/\s+/).filter(Boolean), (byte) => Number.parseInt(byte, 16));
}

/** Loads a guest and points the processor at it. */
export function load(board: Board, listing: string, at = GUEST_START): void {
  board.vm.memory.write(at, bytesOf(listing));
  const sregs = board.vcpu.getSregs();
  for (const name of ['cs', 'ds', 'es', 'ss'] as const)
    sregs[name] = { ...sregs[name], selector: 0, base: 0 };
  board.vcpu.setSregs(sregs);
  board.vcpu.setRegs({ ...board.vcpu.getRegs(), eip: at, esp: GUEST_START });
}

/** Points real-mode interrupt `vector` at 0000:`handler`. */
export function setVector(board: Board, vector: number, handler: number): void {
  board.vm.memory.write(vector * 4, Uint8Array.from([handler & 0xff, handler >> 8, 0, 0]));
}

/** Gathers bytes. */
export class TextSink implements ByteSink {
  text = '';

  write(byte: number): void {
    this.text += String.fromCharCode(byte);
  }
}
