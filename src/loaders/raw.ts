/**
 * Raw binary: the bytes go to one address, and that is where it starts. All data segments are 0.
 */
import { EmulatorError } from '../errors.ts';
import { hex, type Image, type LoadPlan, type MemoryWrite, realModeEntry, requireBytes } from './image.ts';

/** Physical address of a raw binary when nothing else is said. */
export const RAW_LOAD_ADDRESS = 0x1000;
/** The stack grows down from here, above the interrupt vectors. */
export const RAW_STACK_TOP = 0x1000;

/**
 * The bytes of a raw binary at `gpa`.
 *
 * @throws EmulatorError `E_IMAGE` for an empty file, `E_IMAGE_SIZE` for one that leaves the address space.
 */
export function rawWrite(image: Image, gpa: number): MemoryWrite {
  requireBytes(image);
  if (gpa + image.bytes.length > 0x1_0000_0000) {
    throw new EmulatorError('E_IMAGE_SIZE', `${image.name}: ends above 4 GiB when loaded at ${hex(gpa)}`);
  }
  return { name: image.name, gpa, bytes: image.bytes };
}

/**
 * Plans a raw binary at `gpa`, entered at its first byte.
 *
 * @throws EmulatorError as {@link rawWrite}, and `E_ARGUMENT` for an address that real mode cannot enter.
 */
export function planRaw(image: Image, gpa: number = RAW_LOAD_ADDRESS): LoadPlan {
  return {
    format: 'raw',
    writes: [rawWrite(image, gpa)],
    rom: null,
    start: { mode: 'real', ...realModeEntry(gpa), dataSegment: 0, sp: RAW_STACK_TOP, dx: 0 },
  };
}
