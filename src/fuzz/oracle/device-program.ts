/**
 * The steps of a devices case as a real-mode guest, for machines whose devices can only be reached through a processor: what a
 * read gives, and the vector of an interrupt, lie in a slot of four bytes a step afterwards.
 *
 *     0x00000  vectors        0x00600  a handler of 8 bytes each: mov word [di],0x100+vector / retf 2
 *     0x01000  the steps      0x07000  stack         0x08000  slots
 *
 * RETF 2 drops the FLAGS of the frame: IF stays clear, so that a step takes one interrupt at most.
 */
import type { DeviceStep } from '../devices/device-case.ts';

export const GUEST_RAM = 0x1_0000;
export const GUEST_CODE = 0x1000;
export const GUEST_STACK = 0x7000;
const HANDLERS = 0x600;
const HANDLER_BYTES = 8;
const SLOTS = 0x8000;
const SLOT_BYTES = 4;
/** OUT to here: userspace drives an interrupt line. */
export const IRQ_PORT = 0x10;
/**
 * OUT to here: userspace sets IF with KVM_SET_REGS, after which KVM looks for interrupts whatever runs the guest. A host that
 * emulates it does not look behind STI.
 */
export const INTA_PORT = 0x11;
/** OUT to here: the end. */
export const END_PORT = 0xf4;
/** Of a slot that holds a vector. */
const VECTOR_MARK = 0x100;
const OPERAND_SIZE = 0x66;

/** Vectors and handlers, written once. */
export function writeHandlers(ram: Uint8Array): void {
  for (let vector = 0; vector < 256; vector++) {
    const at = HANDLERS + HANDLER_BYTES * vector;
    ram.set([at & 0xff, at >> 8, 0, 0], 4 * vector);
    ram.set([0xc7, 0x05, vector, VECTOR_MARK >> 8, 0xca, 2, 0], at);
  }
}

/** Writes the code and clears the slots. @returns bytes of code. */
export function writeProgram(ram: Uint8Array, steps: readonly DeviceStep[]): number {
  const code: number[] = [];
  for (const [i, step] of steps.entries()) code.push(...stepCode(step, SLOTS + SLOT_BYTES * i));
  code.push(0xe6, END_PORT);
  ram.set(code, GUEST_CODE);
  ram.fill(0, SLOTS, SLOTS + SLOT_BYTES * steps.length);
  return code.length;
}

/** What step number `i` read, or 0x100 + vector; 0 for an `inta` that took none. */
export function slotOf(ram: Uint8Array, i: number): number {
  const at = SLOTS + SLOT_BYTES * i;
  return (ram[at] | (ram[at + 1] << 8) | (ram[at + 2] << 16) | (ram[at + 3] << 24)) >>> 0;
}

function stepCode(step: DeviceStep, slot: number): number[] {
  switch (step.kind) {
    case 'in':
      return [
        ...movDx(step.port),
        ...movEax(0),
        ...sized(step.size, 0xec),
        ...[OPERAND_SIZE, 0xa3, slot & 0xff, slot >> 8],
      ];
    case 'out':
      return [...movDx(step.port), ...movEax(step.value), ...sized(step.size, 0xee)];
    case 'irq':
      return [0xe6, IRQ_PORT];
    case 'inta':
      // mov di,slot / out INTA_PORT,al / nop / nop / cli
      return [0xbf, slot & 0xff, slot >> 8, 0xe6, INTA_PORT, 0x90, 0x90, 0xfa];
    default:
      return [];
  }
}

function movDx(port: number): number[] {
  return [0xba, port & 0xff, port >> 8];
}

function movEax(value: number): number[] {
  const bytes = [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
  return [OPERAND_SIZE, 0xb8, ...bytes];
}

function sized(size: 1 | 2 | 4, byteOpcode: number): number[] {
  if (size === 1) return [byteOpcode];
  return size === 2 ? [byteOpcode + 1] : [OPERAND_SIZE, byteOpcode + 1];
}
